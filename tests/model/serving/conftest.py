"""A tiny model behind a real server on loopback."""

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from model.cli import main
from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from model.serving.server import in_thread
from model.serving.settings import Settings
from model.training.trainer import train
from stages.audio.files import write_wav
from stages.codecs.table import codec_identity
from tests.conftest import Once
from tests.limits import HANG_S
from tests.model.conftest import make_config, make_store

MODES = dict.fromkeys(("ar", "nar", "nar-len", "all", "len", "stt"), 1.0)


@pytest.fixture(scope="session")
def tiny(once: Once) -> Path:
    """The folder of a model of all modes, which was taught nothing."""

    def write(folder: Path) -> None:
        values = {"trainer__out": str(folder), "trainer__max_steps": 2, "data__max_s": 1.0, "data__modes": MODES}
        train(make_config(**values), make_store(codec=codec_identity("embedded")), quiet=True)

    return once("serving-model", write)


@pytest.fixture(scope="session")
def voices(once: Once) -> Path:
    """Two voices; what the second says is known."""

    def write(folder: Path) -> None:
        for name, pitch_hz in {"anna": 220, "ben": 110}.items():
            time_s = np.arange(16_000) / 16_000
            wave = 0.5 * np.sin(2 * np.pi * (pitch_hz - 20 * time_s) * time_s)
            write_wav(folder / f"{name}.wav", wave.astype(np.float32), 16_000)
        (folder / "ben.txt").write_text("Good morning.\n")
        (folder / "notes.md").write_text("no voice")
        (folder.parent / "secret.txt").write_text("secret")

    return once("serving-voices", write)


@pytest.fixture(scope="session")
def synthesizer(tiny: Path) -> Synthesizer:
    return Synthesizer.load(tiny)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error, of which every one has the same shape and none shows what is inside."""
        found = self.json()["error"]
        assert found.keys() == {"message", "type", "param", "code"}
        assert "Traceback" not in found["message"]
        assert "\n" not in found["message"]
        return found


@dataclass
class Server:
    url: str
    service: Service
    headers: dict[str, str] = field(default_factory=dict)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(str(urlsplit(self.url).netloc), timeout=HANG_S)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**self.headers, **named})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers.items()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, data, **{"Content_Type": "application/json", **headers})

    def speak(self, **fields: object) -> Answer:
        asked = {"model": "tiny", "input": "Hello.", "voice": "anna", "response_format": "wav", "max_s": 0.2, **fields}
        return self.post("/v1/audio/speech", {name: value for name, value in asked.items() if value is not None})


@contextmanager
def serving(synthesizer: Synthesizer, voices: Path | None, **values: Any) -> Iterator[Server]:
    settings = Settings("tiny", voices=voices, port=0, **values)
    with Service(synthesizer, capacity=settings.queue) as service, in_thread(service, settings) as url:
        yield Server(url, service)


@pytest.fixture(scope="module")
def server(synthesizer: Synthesizer, voices: Path) -> Iterator[Server]:
    with serving(synthesizer, voices) as found:
        yield found


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, *arguments: object
) -> str:
    """Runs a command of `valle` that must be refused; returns the one line that says why."""
    monkeypatch.setattr(sys, "argv", ["valle", command, *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told
