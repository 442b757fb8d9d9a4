"""`valle serve` as a process: it tells its address, answers, and ends by a signal; wrong settings are one line."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from model.serving.settings import Settings, is_loopback
from stages.errors import UsageError
from tests.limits import HANG_S
from tests.model.serving.conftest import refused


def test_the_process(tiny: Path, voices: Path) -> None:
    import openai

    command = [sys.executable, "-c", "from model.cli import main; main()", "serve", "--model", str(tiny)]
    options = ["--voices", str(voices), "--port", "0", "--device", "cpu", "--name", "tts-1", "--temperature", "0"]
    environment = {**os.environ, "VALLE_API_KEY": "s3cret"}
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        name, url = process.stdout.readline().decode().split()
        assert name == "tts-1:"
        with urlopen(f"{url}/health", timeout=HANG_S) as answer:
            assert json.load(answer)["status"] == "ok"
        fields = {"model": "tts-1", "input": "Hello.", "voice": "anna", "response_format": "pcm"}
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="s3cret", timeout=HANG_S)
        one, two = (client.audio.speech.create(**fields, extra_body={"max_s": 0.1, "seed": n}).content for n in (1, 2))
        assert one == two, "greedy, as the server was told"
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{url}/v1", api_key="other").models.list()
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=HANG_S)
        assert process.returncode == 130
        assert b"Traceback" not in log


def test_wrong_settings_are_one_line(tiny: Path, voices: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("VALLE_API_KEY", raising=False)
    given = "--model", tiny, "--device", "cpu"
    told = refused(monkeypatch, capsys, "serve", *given, "--host", "0.0.0.0")
    assert "`host` must be a loopback address, such as 127.0.0.1, while there is no key, but is `0.0.0.0`" in told
    assert "`--voices` must be a folder" in refused(
        monkeypatch, capsys, "serve", *given, "--voices", voices / "anna.wav", "--port", 0
    )
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.flac").touch()
    assert "two voices of the name `a`" in refused(
        monkeypatch, capsys, "serve", *given, "--voices", tmp_path, "--port", 0
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refused(monkeypatch, capsys, "serve", *given, "--port", taken.getsockname()[1])
        assert "must be free to listen at" in told
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "make setup EXTRAS=serve" in refused(monkeypatch, capsys, "serve", *given)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"host": "0.0.0.0"}, "VALLE_API_KEY"),
        ({"host": "::"}, "VALLE_API_KEY"),
        ({"host": "192.168.0.7"}, "VALLE_API_KEY"),
        ({"host": "example.org"}, "VALLE_API_KEY"),
        ({"api_key": ""}, "`api_key` must be printable ASCII"),
        ({"api_key": "a b"}, "`api_key` must be printable ASCII"),
        ({"api_key": "ä"}, "`api_key` must be printable ASCII"),
        ({"queue": 0}, "`queue` must be at least 1"),
        ({"max_characters": 0}, "`max_characters` must be at least 1"),
        ({"max_upload_mb": float("nan")}, "`max_upload_mb` must be above 0"),
        ({"port": 70_000}, "`port` must be"),
    ],
)
def test_settings_that_make_no_sense(values: dict, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        Settings("tiny", **values)
    assert told in str(raised.value)


def test_who_is_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost.")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "", "127.0.0.1.nip.io")))
    assert Settings("tiny", host="0.0.0.0", api_key="k").host == "0.0.0.0"
    assert "s3cret" not in repr(Settings("tiny", api_key="s3cret"))
