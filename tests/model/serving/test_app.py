"""The interface as OpenAI's own client sees it, on a real server: formats, streams, voices, transcripts, load."""

import base64
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY, OPTIONS, Sampling
from model.inference.guards.guard import OFF, Guard
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.serving.bodies import SpeechBody
from stages.audio.encoding import FORMATS, encode
from stages.audio.uploads import decode
from tests.limits import HANG_S
from tests.model.inference.test_synthesizer import taught
from tests.model.serving.conftest import Server, serving

if TYPE_CHECKING:
    import openai  # half a thousand modules, which each of the workers would import as it collects the tests


@pytest.fixture
def client(server: Server) -> "openai.OpenAI":
    import openai

    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=HANG_S)


def spoken(synthesizer: Synthesizer, voices: Path, text: str = "Hello.", voice: str = "anna", **asked: object):
    known = (voices / f"{voice}.txt").read_text() if (voices / f"{voice}.txt").exists() else None
    return synthesizer.speak(text, prompt=voices / f"{voice}.wav", prompt_text=known, max_s=0.2, **asked)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(client, synthesizer: Synthesizer, voices: Path, form: str) -> None:
    more = {"max_s": 0.2, "seed": 3, "top_k": 20}
    answer = client.audio.speech.create(
        model="tiny", input="Hello.", voice="anna", response_format=form, extra_body=more
    )
    decoding = Decoding(ar=Sampling(top_k=20))
    speech = spoken(synthesizer, voices, seed=3, decoding=decoding)
    assert answer.content == encode(speech.samples, speech.sample_rate, form)
    assert answer.response.headers["content-type"] == FORMATS[form].media_type
    assert answer.response.headers["x-speech-cut"] == str(speech.cut).lower()
    if form != "pcm":
        wave, rate = decode(answer.content, name="it", max_s=1.0)
        assert len(wave) / rate == pytest.approx(speech.duration_s, abs=0.12)


def test_it_is_mp3_if_nothing_is_said(client) -> None:
    answer = client.audio.speech.create(model="tiny", input="Hi.", voice="anna", extra_body={"max_s": 0.1})
    assert answer.response.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize("form", ["pcm", "flac", "wav", "mp3", "opus"])
def test_a_stream_is_the_whole(client, synthesizer: Synthesizer, voices: Path, form: str) -> None:
    fields = {"model": "tiny", "input": "Hello there.", "voice": "anna", "response_format": form}
    asked = Request("Hello there.", voices / "anna.wav", max_s=0.9, guard=OFF)
    samples, frames = np.concatenate([*synthesizer.stream(asked)]), synthesizer.batch([asked])[0].codes.shape[1]
    with client.audio.speech.with_streaming_response.create(
        **fields, stream_format="audio", extra_body={"max_s": 0.9}
    ) as answer:
        pieces = list(answer.iter_bytes())
        assert answer.headers["content-type"] == FORMATS[form].media_type
    with client.audio.speech.with_streaming_response.create(
        **fields, stream_format="sse", extra_body={"max_s": 0.9}
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == b"".join(pieces)
    assert len(deltas) > 1, "it comes while it is made"
    usage = {"input_tokens": 12, "output_tokens": frames, "total_tokens": 12 + frames}
    assert done == {"type": "speech.audio.done", "usage": usage}
    if form == "pcm":
        assert b"".join(pieces) == encode(samples, 24_000, "pcm")
        return
    whole, rate = decode(encode(samples, 24_000, form), name="whole", max_s=2)
    streamed, same = decode(b"".join(pieces), name="stream", max_s=2)
    assert rate == same
    if form in {"flac", "wav"}:
        assert np.array_equal(streamed, whole)
    else:
        assert abs(len(streamed) - len(whole)) < 0.1 * rate
        assert np.abs(streamed).max() == pytest.approx(np.abs(whole).max(), rel=0.3)


def test_models_and_voices(client, server: Server) -> None:
    import openai

    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "valle"
    with pytest.raises(openai.NotFoundError, match="`model` must be `tiny`, but is `gpt`"):
        client.models.retrieve("gpt")
    rows = server.get("/v1/audio/voices").json()["voices"]
    assert [(row["id"], row["kind"], row["text"]) for row in rows] == [
        ("anna", "recording", False),
        ("ben", "recording", True),
    ]


def test_what_a_voice_says_is_used_where_the_model_can(server: Server, synthesizer: Synthesizer, voices: Path) -> None:
    speech = spoken(synthesizer, voices, voice="ben", decoding=Decoding(ar=GREEDY))
    expected = encode(speech.samples, 24_000, "wav")
    assert server.speak(voice="ben", temperature=0).body == expected
    assert server.speak(voice={"id": "ben"}, temperature=0).body == expected
    with serving(taught(synthesizer, continuation_probability=0.0), voices) as other:
        plain = synthesizer.speak("Hello.", prompt=voices / "ben.wav", max_s=0.2, decoding=Decoding(ar=GREEDY))
        assert other.speak(voice="ben", temperature=0).body == encode(plain.samples, 24_000, "wav")


def test_a_reference_in_base64_or_as_an_upload(server: Server, synthesizer: Synthesizer, voices: Path) -> None:
    recording = (voices / "ben.wav").read_bytes()
    greedy = Decoding(ar=GREEDY)
    plain = synthesizer.speak("Hello.", prompt=voices / "ben.wav", max_s=0.2, decoding=greedy)
    known = spoken(synthesizer, voices, voice="ben", decoding=greedy)
    text = base64.b64encode(recording).decode()
    for sent in (text, f"data:audio/wav;base64,{text}"):
        answer = server.speak(voice=None, ref_audio=sent, temperature=0)
        assert answer.body == encode(plain.samples, 24_000, "wav")
    answer = server.speak(voice="", ref_audio=text, ref_text="Good morning.", temperature=0)
    assert answer.body == encode(known.samples, 24_000, "wav")
    fields = {"model": "tiny", "input": "Hello.", "response_format": "wav", "max_s": "0.2", "temperature": "0"}
    answer = post_form(server, "/v1/audio/speech", fields, {"ref_audio": recording})
    assert answer.body == encode(plain.samples, 24_000, "wav")


def post_form(server: Server, path: str, fields: dict[str, str], files: dict[str, bytes]):
    parts = [f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    for name, data in files.items():
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="../../etc/passwd"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    body = b"".join(parts) + b"--x--\r\n"
    return server.post(path, body, Content_Type="multipart/form-data; boundary=x")


def test_every_option_of_the_samplers_is_a_field() -> None:
    assert {row.name for row in OPTIONS} <= SpeechBody.model_fields.keys()
    body = SpeechBody(model="m", input="Hi.", top_p=0.5, steps=7, mode="nar-len", guidance=3)
    server_wide = Decoding(ar=Sampling(0.3, top_k=9), unmasking=Unmasking(5, sampling=Sampling(0.7)))
    found = body.decoding(server_wide)
    assert (found.mode, found.guidance, found.unmasking.steps) == ("nar-len", 3.0, 7)
    assert (found.ar, found.unmasking.sampling) == (Sampling(0.3, top_k=9, top_p=0.5), Sampling(0.7, top_p=0.5))
    assert SpeechBody(model="m", input="Hi.").decoding(server_wide) == server_wide


def test_a_request_may_have_a_guard_of_its_own(server: Server, synthesizer: Synthesizer, voices: Path) -> None:
    body = SpeechBody(model="m", input="Hi.", retries=0, best_of=2)
    assert body.guard(Guard(3, 1, "whisper:x")) == Guard(0, 2, "whisper:x")
    assert SpeechBody(model="m", input="Hi.").guard(Guard(3)) == Guard(3)
    answer = server.speak(best_of=3, best_by="stt", retries=0)
    assert (answer.status, answer.headers["x-speech-takes"]) == (200, "3")
    assert set(answer.headers["x-speech-faults"].split(",")) <= {"none", "loop", "silence", "long", "short"}
    wanted = spoken(synthesizer, voices, guard=Guard(0, 3, "stt"))
    assert answer.body == encode(wanted.samples, wanted.sample_rate, "wav")
    for fields, param in (
        ({"retries": 6}, "retries"),
        ({"best_of": 9}, "best_of"),
        ({"best_of": 0}, "best_of"),
        ({"best_by": "whisper:/etc"}, "best_by"),
        ({"best_of": 2, "mode": "nar-len", "steps": 2}, "best_by"),
        ({"best_of": 2, "temperature": 0.0}, "best_of"),
        ({"best_of": 2, "stream_format": "audio"}, "best_of"),
        ({"retries": 1, "stream_format": "sse"}, "retries"),
    ):
        refused = server.speak(**fields)
        assert (refused.status, refused.error["param"]) == (422, param), fields
    assert server.speak(stream_format="audio", retries=0, best_of=1).status == 200


@pytest.mark.parametrize("mode", ["nar-len", "all"])
def test_speed_sets_a_predicted_length(
    server: Server, synthesizer: Synthesizer, voices: Path, monkeypatch, mode: str
) -> None:
    monkeypatch.setattr("model.inference.speed.predict_frames", lambda *_, **__: [30])
    frames = {}
    for speed in (0.5, 2.0, 4.0):
        answer = server.speak(mode=mode, steps=2, speed=speed, max_s=1.0)
        wave, rate = decode(answer.body, name="it", max_s=2)
        frames[speed] = len(wave) * 75 / rate
    assert frames == {0.5: 60, 2.0: 15, 4.0: 8}
    slow = server.speak(mode=mode, steps=2, speed=0.25, max_s=1.0)
    assert slow.status == 422
    assert "makes this text 1.6 s long, but the longest response is 0.853 s" in slow.error["message"]
    refused = server.speak(speed=1.5)
    assert (refused.status, refused.error["param"]) == (422, "speed")
    assert "must be 1 with the mode `ar`" in refused.error["message"]


def test_the_predicted_length_may_exceed_the_longest_before_it_is_divided(
    synthesizer: Synthesizer, voices: Path, monkeypatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "model.inference.speed.predict_frames", lambda *_, max_frames: [asked.append(max_frames) or 100]
    )
    decoding = replace(Decoding("nar-len"), unmasking=replace(Decoding().unmasking, steps=2))
    speech = synthesizer.speak("Hello.", prompt=voices / "anna.wav", speed=2.0, max_s=1.0, decoding=decoding)
    assert asked == [128]
    assert speech.codes.shape[1] == 50


def test_the_network_that_speaks_predicts_the_length(synthesizer: Synthesizer, voices: Path, monkeypatch) -> None:
    held = Synthesizer(synthesizer.checkpoint, synthesizer.codec, quantize="int8")
    asked = []
    monkeypatch.setattr("model.inference.speed.predict_frames", lambda network, *_, **__: [asked.append(network) or 40])
    decoding = replace(Decoding("nar-len"), unmasking=replace(Decoding().unmasking, steps=2))
    assert held.speak("Hello.", prompt=voices / "anna.wav", speed=2.0, decoding=decoding).codes.shape[1] == 20
    assert asked == [held.network]
    assert held.network is not synthesizer.network


def test_transcriptions(client, synthesizer: Synthesizer, voices: Path) -> None:
    heard = synthesizer.hear(voices / "anna.wav")
    with (voices / "anna.wav").open("rb") as file:
        found = client.audio.transcriptions.create(model="tiny", file=file)
    assert found.text == heard.phonemes
    with (voices / "anna.wav").open("rb") as file:
        text = client.audio.transcriptions.create(model="tiny", file=file, language="en", response_format="text")
    assert text.strip() == synthesizer.hear(voices / "anna.wav", language="en").phonemes.strip()
    import openai

    with pytest.raises(openai.UnprocessableEntityError, match="response_format"):
        client.audio.transcriptions.create(model="tiny", file=io.BytesIO(b"x"), response_format="srt")


def test_a_model_without_stt_says_so(synthesizer: Synthesizer, voices: Path) -> None:
    with serving(taught(synthesizer, modes={"ar": 1.0, "nar": 1.0}), voices) as server:
        files = {"file": (voices / "anna.wav").read_bytes()}
        answer = post_form(server, "/v1/audio/transcriptions", {"model": "tiny"}, files)
        assert answer.status == 422
        assert answer.error["message"].startswith("`tiny` was never trained in the mode `stt`, only in `ar`, `nar`.")


def test_under_load_nothing_is_lost_or_mixed_up(client, synthesizer: Synthesizer, voices: Path) -> None:
    """Eight clients, forty requests: each gets what that request gives alone."""
    asked = [(f"Say {number}.", "anna" if number % 2 else "ben", (8 + number) / 75) for number in range(40)]
    alone = []
    for text, voice, max_s in asked:
        known = "Good morning." if voice == "ben" else None
        given = {"language": "en", "max_s": max_s, "decoding": Decoding(ar=GREEDY)}
        request = Request(text, voices / f"{voice}.wav", known, **given)
        whole = len(text) % 2
        samples = synthesizer.batch([request])[0].samples if whole else np.concatenate([*synthesizer.stream(request)])
        alone.append(encode(samples, 24_000, "pcm"))
    assert len(set(alone)) > 30, "else a mix-up wouldn't be seen"

    def ask(request: tuple[str, str, float]) -> bytes:
        text, voice, max_s = request
        more = {"temperature": 0, "max_s": max_s, "language": "en"}
        fields = {"model": "tiny", "input": text, "voice": voice, "response_format": "pcm", "extra_body": more}
        if len(text) % 2:
            return client.audio.speech.create(**fields).content
        with client.audio.speech.with_streaming_response.create(**fields, stream_format="audio") as answer:
            return b"".join(answer.iter_bytes())

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, asked))
    pairs = zip(answers, alone, strict=True)
    assert [request for request, (answer, expected) in zip(asked, pairs, strict=True) if answer != expected] == []


def test_figures(server: Server) -> None:
    assert server.speak().status == 200
    assert server.speak(voice="nobody").status == 422
    assert server.get("/nowhere/../..").status == 404
    text = server.get("/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['valle_requests_total{path="/v1/audio/speech",status="200"}']) >= 1
    assert float(lines['valle_requests_total{path="/v1/audio/speech",status="422"}']) >= 1
    assert 'valle_requests_total{path="other",status="404"}' in lines
    assert float(lines["valle_audio_seconds_total"]) > 0
    assert float(lines["valle_queue"]) == 0
    assert float(lines["valle_queue_places"]) == 64
    assert server.get("/health").json() == {"status": "ok", "queue": 0}
    schema = server.get("/openapi.json").json()
    fields = schema["paths"]["/v1/audio/speech"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {row.name for row in OPTIONS} <= fields["properties"].keys()


def test_kept_voices_are_offered_beside_recordings(synthesizer: Synthesizer, voices: Path, tmp_path: Path) -> None:
    shutil.copy(voices / "anna.wav", tmp_path)
    synthesizer.voice(voices / "anna.wav").save(tmp_path / "kept.safetensors")
    told = synthesizer.voice(voices / "ben.wav", "Good morning.")
    told.save(tmp_path / "told.safetensors")
    replace(told, codec=replace(told.codec, revision="1" * 12)).save(tmp_path / "foreign.safetensors")
    broken = {"empty": b"", "broken": b"no voice", "cut": (tmp_path / "kept.safetensors").read_bytes()[:-9]}
    for name, content in broken.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
    flat = replace(told, codes_KP=told.codes_KP[0])
    flat.save(tmp_path / "flat.safetensors")
    with serving(synthesizer, tmp_path) as server:
        rows = server.get("/v1/audio/voices").json()["voices"]
        assert [(row["name"], row["kind"], row["text"]) for row in rows] == [
            ("anna", "recording", False),
            ("foreign", "kept", True),
            ("kept", "kept", False),
            ("told", "kept", True),
        ]
        assert server.speak(voice="kept").body == server.speak(voice="anna").body
        continued = synthesizer.speak("Hello.", voice=told, max_s=0.2)
        answer = server.speak(voice="told", response_format="wav")
        assert answer.body == encode(continued.samples, continued.sample_rate, "wav")
        for name in (*broken, "flat"):
            answer = server.speak(voice=name)
            assert answer.status == 422
            assert answer.error["param"] == "voice"
            assert answer.error["code"] == "damaged_voice"
            assert answer.error["message"].startswith(f"`{name}.safetensors` must be a file of `valle voice`, but")
            assert answer.error["message"].endswith("Keep the voice again.")
        foreign = server.speak(voice="foreign")
        assert foreign.status == 422
        assert str(tmp_path) not in foreign.error["message"]
