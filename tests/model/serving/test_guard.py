"""Hostile and broken requests on a real server: each gets a clear refusal, none a traceback or a foreign file."""

import base64
import json
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from model.inference.ensemble import Ensemble
from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from stages.audio.encoding import encode, wav_header
from tests.limits import HANG_S
from tests.model.serving.conftest import Server, serving
from tests.model.serving.test_app import post_form

BAD_FIELDS = [
    ({"temperature": -1}, "temperature", "`temperature` must be 0 or more"),
    ({"temperature": "hot"}, "temperature", "valid number"),
    ({"temperature": "0.5"}, "temperature", "valid number"),
    ({"temperature": True}, "temperature", "valid number"),
    ({"top_p": 1.5}, "top_p", "`top_p` must be above 0 and at most 1"),
    ({"top_k": 0.5}, "top_k", "valid integer"),
    ({"seed": -1}, "seed", "greater than or equal to 0"),
    ({"seed": 10**400}, "seed", ""),
    ({"speed": 5}, "speed", "less than or equal to 4"),
    ({"speed": 0}, "speed", "greater than or equal to 0.25"),
    ({"response_format": "aac"}, "response_format", "'mp3', 'opus', 'flac', 'wav' or 'pcm'"),
    ({"response_format": ["wav"]}, "response_format", ""),
    ({"stream_format": "video"}, "stream_format", "'audio' or 'sse'"),
    ({"max_s": 99}, "max_s", "`max_s` must be at most 1"),
    ({"max_s": 0.0001}, "max_s", "at least one frame"),
    ({"steps": 10**9}, "steps", "less than or equal to 200"),
    ({"mode": "magic"}, "mode", "'ar', 'nar-len' or 'all'"),
    ({"guidance": 2}, "guidance", "`guidance` must be 1 (off)"),
    ({"language": "klingon"}, "language", "supported language"),
    ({"tone": "calm"}, "tone", "the model knows none"),
    ({"input": ""}, "input", "`text` must hold something to say"),
    ({"input": 5}, "input", "valid string"),
    ({"input": {"a": [1]}}, "input", "valid string"),
    ({"input": "a\0b"}, "input", "control characters"),
    ({"input": None}, "input", "Field required"),
    ({"model": None}, "model", "Field required"),
    ({"voice": None}, "voice", "`voice` must name a voice"),
    ({"voice": {"id": 5}}, "voice", "valid string"),
    ({"voice": {"id": "anna", "path": "/"}}, "voice", "valid string"),
    ({"voice": "anna" * 1000}, "voice", "at most 200 characters"),
    ({"instructions": "Be nice."}, "instructions", "isn't a field"),
    ({"x" * 5000: 1}, "x" * 100, "isn't a field"),
    ({"ref_audio": "AAAA"}, "voice", "`voice` must be empty where `ref_audio`"),
    ({"ref_text": "Hm."}, "ref_text", "must come with `ref_audio`"),
    ({"voice": None, "ref_audio": "!!"}, "ref_audio", "isn't base64"),
    ({"voice": None, "ref_audio": "data:audio/wav,abc"}, "ref_audio", "isn't base64"),
    ({"voice": None, "ref_audio": "ü"}, "ref_audio", "isn't base64"),
    ({"voice": None, "ref_audio": ""}, "ref_audio", "empty (0 bytes)"),
]


@pytest.mark.parametrize(("fields", "param", "told"), BAD_FIELDS, ids=lambda value: str(value)[:40])
def test_bad_values_are_422_with_the_field(server: Server, fields: dict[str, object], param: str, told: str) -> None:
    answer = server.speak(**fields)
    assert answer.status == 422
    assert answer.error["param"] == param
    assert answer.error["type"] == "invalid_request_error"
    assert told in answer.error["message"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["temperature", "top_p", "speed", "guidance", "max_s"])
def test_numbers_that_are_none(server: Server, name: str, number: str) -> None:
    body = '{"model": "tiny", "input": "Hi.", "voice": "anna", "%s": %s}' % (name, number)  # noqa: UP031
    assert server.post("/v1/audio/speech", body.encode()).error["param"] == name
    fields = {"model": "tiny", "input": "Hi.", "voice": "anna", name: number}
    assert post_form(server, "/v1/audio/speech", fields, {}).error["param"] == name


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a word": b'"x"',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "deep inside a field": b'{"model": "tiny", "voice": "anna", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a character": b'{"model": "tiny", "input": "\\ud800", "voice": "anna"}',
    "no UTF-8": b'{"model": "tiny", "input": "\xff\xfe", "voice": "anna"}',
    "many digits": b'{"model": "tiny", "input": "a", "voice": "anna", "seed": ' + b"9" * 100_000 + b"}",
    "many fields": json.dumps({f"f{number}": 1 for number in range(20_000)}).encode(),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_none(server: Server, name: str) -> None:
    answer = server.post("/v1/audio/speech", BODIES[name])
    assert answer.status == 422
    assert answer.error["message"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..",
        "/etc/passwd",
        "anna.wav",
        "./anna",
        "a/../anna",
        "ANNA",
        "anna\\",
        "%2e%2e/secret",
        "notes",
        "*",
    ],
)
def test_a_name_of_a_voice_never_becomes_a_path(server: Server, name: str) -> None:
    answer = server.speak(voice=name)
    assert answer.status == 422
    assert answer.error["param"] == "voice"
    assert "isn't among those" in answer.error["message"]


def test_a_link_out_of_the_folder_is_no_voice(synthesizer: Synthesizer, voices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    (folder / "out.wav").symlink_to(voices / "anna.wav")
    (folder / "in.wav").write_bytes((voices / "anna.wav").read_bytes())
    (folder / "in.txt").symlink_to(voices / "ben.txt")
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    (folder / "dir.wav").mkdir()
    (folder / ".hidden.wav").write_bytes(b"")
    with serving(synthesizer, folder) as server:
        rows = server.get("/v1/audio/voices").json()["voices"]
        assert [(row["id"], row["text"]) for row in rows] == [("in", False)]
        assert server.speak(voice="out").status == 422
        (folder / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
        answer = server.speak(voice="broken")
        assert answer.status == 422
        assert str(tmp_path) not in answer.error["message"]
        assert "broken.wav" in answer.error["message"]
        (folder / "in.flac").write_bytes(b"")
        assert "two files" in server.speak(voice="in").error["message"]


def bomb() -> bytes:
    """An hour of silence in a few hundred kilobytes."""
    return encode(np.zeros(8_000 * 3_600, np.float32), 8_000, "flac")


def playlist(of: Path) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{of}\n#EXT-X-ENDLIST\n".encode()


def test_recordings_that_are_none(server: Server, voices: Path) -> None:
    good = (voices / "anna.wav").read_bytes()
    nan = wav_header(24_000, 4)[:20] + struct.pack("<HHIIHH", 3, 1, 24_000, 96_000, 4, 32) + b"data"
    sent = {
        "noise": (bytes(np.random.default_rng(0).integers(0, 256, 50_000, np.uint8)), "can't be read as audio"),
        "text": (b"Hello, I am no recording." * 100, "can't be read as audio"),
        "cut in its header": (good[:30], "can't be read as audio"),
        "no samples": (wav_header(24_000, 0), "holds no samples"),
        "not a number": (nan + struct.pack("<If", 4, np.nan), "NaN or infinity"),
        "too long": (bomb(), "must be at most 120 s long"),
        "a playlist": (playlist(voices / "anna.wav"), "can't be read as audio"),
        "concat": (f"ffconcat version 1.0\nfile {voices / 'anna.wav'}\n".encode(), "can't be read as audio"),
        "no rate": (wav_header(1, 100) + bytes(100), "must have a rate of"),
        "a wild rate": (wav_header(2**30, 100) + bytes(100), "must have a rate of"),
    }
    for name, (data, told) in sent.items():
        answer = server.speak(voice=None, ref_audio=base64.b64encode(data).decode())
        assert answer.status == 422, name
        assert told in answer.error["message"], name
        assert answer.error["param"] == "ref_audio", name
    answer = post_form(server, "/v1/audio/transcriptions", {"model": "tiny"}, {"file": sent["noise"][0]})
    assert (answer.status, answer.error["param"]) == (422, "file")


def test_forms_that_are_none(server: Server) -> None:
    fields = {"model": "tiny", "input": "Hi.", "voice": "anna"}
    path = "/v1/audio/speech"
    assert post_form(server, path, fields, {"input": b"x"}).status == 422
    assert post_form(server, path, fields, {"file": b"x"}).error["param"] == "file"
    assert post_form(server, path, fields, {"a": b"x", "b": b"y"}).status == 400
    assert post_form(server, path, {**fields, **{f"f{number}": "" for number in range(200)}}, {}).status == 400
    assert server.post(path, b"--x\r\nbroken", Content_Type="multipart/form-data; boundary=x").status in {400, 422}
    assert server.post(path, b"x", Content_Type="multipart/form-data").status == 400
    assert server.post(path, b"x", Content_Type="text/plain").status == 415
    assert (
        server.post(path, b"model=tiny&input=a&model=b", Content_Type="application/x-www-form-urlencoded").status == 422
    )
    assert post_form(server, "/v1/audio/transcriptions", {"model": "tiny"}, {}).error["param"] == "file"
    for answer in (server.get(path), server.post("/v1/models", {}), server.get("/v1/nothing"), server.get("/docs")):
        assert answer.status in {404, 405}
        assert answer.error["type"] == "invalid_request_error"
    assert server.speak(model="tts-1").status == 404


def raw(server: Server, data: bytes) -> bytes:
    """What the server answers to bytes."""
    host, port = str(urlsplit(server.url).netloc).split(":")
    with socket.create_connection((host, int(port)), timeout=HANG_S) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError:  # closed before all was read
            return b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
    ids=range(8),
)
def test_abused_heads_are_refused(server: Server, head: bytes) -> None:
    answer = raw(server, head)
    assert b"Traceback" not in answer
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert server.get("/health").status == 200


def test_a_page_of_the_web_can_t_use_a_local_server(server: Server) -> None:
    for host in ("evil.example", "evil.example:8000", "", "[", "127.0.0.1.evil.example"):
        assert server.get("/v1/models", Host=host).status == 403
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert server.get("/v1/models", Host=host).status == 200


def test_the_key(synthesizer: Synthesizer, voices: Path) -> None:
    with serving(synthesizer, voices, api_key="s3cret") as server:
        assert server.get("/health").status == 200
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}, {"Authorization": "Bearer"}):
            for answer in (server.get("/v1/models", **given), server.get("/metrics", **given)):
                assert answer.status == 401
                assert answer.error["code"] == "invalid_key"
                assert answer.headers["www-authenticate"] == "Bearer"
        assert server.post("/v1/audio/speech", b"[" * 1000, Authorization="Bearer sécret").status == 401
        assert server.get("/v1/models", Authorization="Bearer s3cret", Host="else.where").status == 200


def test_other_pages_can_t_use_a_server_that_a_browser_reaches(server: Server) -> None:
    body = b'{"model": "tiny", "input": "Hi.", "voice": "anna", "max_s": 0.1}'
    host = urlsplit(server.url).netloc
    refused = (
        *({"Origin": origin} for origin in ("http://evil.example", "null", "http://[", f"http://{host}0")),
        *({"Sec_Fetch_Site": site} for site in ("cross-site", "same-site")),
    )
    for headers in refused:
        answer = server.post("/v1/audio/speech", body, **headers)
        assert answer.status == 403
        assert "a page of the web must not use the model" in answer.error["message"]
    own = (
        *({}, {"Origin": f"http://{host}"}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}),
        {"Origin": "https://speech.example", "X_Forwarded_Host": "speech.example"},
    )
    for headers in own:
        assert server.post("/v1/audio/speech", body, **headers).status == 200


def test_too_much_is_413_while_it_is_read(synthesizer: Synthesizer, voices: Path) -> None:
    with serving(synthesizer, voices, max_upload_mb=0.1, max_characters=10) as server:
        assert server.speak(input="Hi there.").status == 200
        answer = server.speak(input="Hello there.")
        assert (answer.status, answer.error["param"]) == (413, "input")
        assert server.speak(voice=None, ref_audio="A" * 200_000).status == 413
        files = {"ref_audio": bytes(200_000)}
        assert post_form(server, "/v1/audio/speech", {"model": "tiny", "input": "Hi."}, files).status == 413
        host, port = str(urlsplit(server.url).netloc).split(":")
        with socket.create_connection((host, int(port)), timeout=HANG_S) as endless:
            head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            endless.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            answered = b""
            endless.settimeout(0.05)
            while not answered:  # nobody says how long it will be: it is counted
                try:
                    endless.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
                    answered = endless.recv(1000)
                except TimeoutError:
                    continue
            assert b" 413 " in answered.split(b"\r\n")[0]


def test_a_body_that_never_comes_is_given_up(synthesizer: Synthesizer, voices: Path) -> None:
    with serving(synthesizer, voices, read_s=0.2, queue=1) as server:
        host, port = str(urlsplit(server.url).netloc).split(":")
        with socket.create_connection((host, int(port)), timeout=HANG_S) as slow:
            head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            assert b" 408 " in slow.recv(1000).split(b"\r\n")[0]
        assert server.speak().status == 200


class Held(Service):
    """A service whose model waits until it is let go."""

    def __init__(self, synthesizer: Synthesizer, *, capacity: int = 64) -> None:
        self.go = threading.Event()
        self.spoken: list[str] = []
        super().__init__(synthesizer, capacity=capacity)

    def _join(self, ensemble, one):
        assert self.go.wait(HANG_S)
        self.spoken.append(one.request.text)
        super()._join(ensemble, one)


@pytest.fixture
def held(synthesizer: Synthesizer, voices: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.model.serving.conftest.Service", Held)
    with serving(synthesizer, voices, queue=3) as server:
        yield server
        server.service.go.set()


def until(true) -> None:
    end = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_queue_is_429(held: Server) -> None:
    with ThreadPoolExecutor(3) as clients:
        waiting = [clients.submit(held.speak, input=f"Number {number}.") for number in range(3)]
        until(lambda: held.service.open_requests == 3)
        for answer in (held.speak(), held.speak(stream_format="sse")):
            assert answer.status == 429
            assert answer.error["type"] == "rate_limit_error"
            assert answer.error["code"] == "queue_full"
            assert answer.headers["retry-after"] == "1"
        held.service.go.set()
        assert {answer.result().status for answer in waiting} == {200}
    assert held.speak().status == 200
    assert held.service.open_requests == 0


def test_a_queue_that_others_fill_is_429_too(held: Server, voices: Path) -> None:
    from model.inference.requests import Request

    for _ in range(3):
        held.service.submit(Request("Hi.", voices / "anna.wav", max_s=0.1))
    assert (held.speak().status, held.speak(stream_format="audio").status) == (429, 429)
    held.service.go.set()


@pytest.mark.parametrize("stream", [None, "audio", "sse"])
def test_a_client_that_goes_away_frees_its_place(held: Server, stream: str | None) -> None:
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(held.speak, input="First.")
        until(lambda: held.service.open_requests == 1)
        gone = []
        for name in ("Second.", "Third."):
            connection = held.connect()
            fields = {"model": "tiny", "input": name, "voice": "anna", "stream_format": stream, "max_s": 0.1}
            body = json.dumps({key: value for key, value in fields.items() if value is not None})
            connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
            gone.append(connection)
        until(lambda: held.service.open_requests == 3)
        for connection in gone:
            connection.sock.close()
        until(lambda: held.service.open_requests == 1)
        until(lambda: "valle_clients_gone_total 2.0" in held.get("/metrics").body.decode())
        last = clients.submit(lambda: None)
        held.service.go.set()
        assert first.result().status == 200
        last.result()
    assert held.speak(input="Fourth.").status == 200
    assert held.service.spoken == ["First.", "Fourth."], "nobody waited for the others"


class Endless:
    """A stream that is longer than any client without reading can take."""

    def __init__(self) -> None:
        self.closed = False

    def __next__(self) -> np.ndarray:
        return np.zeros(24_000 * 60, np.float32)

    def __iter__(self) -> "Endless":
        return self

    def close(self) -> None:
        self.closed = True


def test_a_client_that_stops_reading_is_left(synthesizer: Synthesizer, voices: Path, monkeypatch) -> None:
    with serving(synthesizer, voices, write_s=0.3, queue=1) as server:
        endless = Endless()
        monkeypatch.setattr(server.service, "stream", lambda _: endless)
        connection = server.connect()
        body = {"model": "tiny", "input": "Hi.", "voice": "anna", "response_format": "pcm", "stream_format": "audio"}
        connection.request("POST", "/v1/audio/speech", json.dumps(body), {"Content-Type": "application/json"})
        until(lambda: "valle_clients_gone_total 1.0" in server.get("/metrics").body.decode())
        connection.close()
        until(lambda: endless.closed)
        assert server.speak().status == 200


def test_our_own_mistakes_show_nothing(synthesizer: Synthesizer, voices: Path, monkeypatch, caplog) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the inside of it")

    monkeypatch.setattr(Ensemble, "join", broken)
    with serving(synthesizer, voices) as server:
        for stream in (None, "sse"):
            answer = server.speak(stream_format=stream)
            assert answer.status == 500
            assert answer.error["type"] == "server_error"
            assert b"inside" not in answer.body
        assert server.get("/health").status == 200
