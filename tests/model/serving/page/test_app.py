"""The page in a browser: speech, history, uploads, the microphone, tasks, recognising, training, sizes, mistakes."""

import base64
import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import Sampling
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from stages.audio.files import read_at, wav_of
from tests.limits import HANG_S
from tests.model.inference.test_synthesizer import taught
from tests.model.serving.page.conftest import DRAWN_MS, Shown, Tab, showing
from tests.model.serving.test_guard import Held, until


def wav(speech: Any) -> bytes:
    return wav_of(speech.samples, speech.sample_rate)


def streamed(able: Synthesizer, text: str, prompt: Any, seed: int) -> bytes:
    """The file of a speech that was decoded as it was made, which the page does by default."""
    return wav_of(np.concatenate([*able.stream(Request(text, prompt, seed=seed))]), 24_000)


def speak(tab: Tab, text: str) -> bytes:
    """Speaks with what the controls say; returns the file."""
    tab.fill(tab.page.locator("#speak-text textarea"), text)
    tab.page.click("#speak-go")
    tab.page.wait_for_function("document.querySelector('#speak-about .facts') === null")
    tab.page.wait_for_selector("#speak-about .facts")
    return tab.made("speak")


def seed_of(tab: Tab) -> int:
    return int(tab.page.input_value("#speak-seed input"))


def test_a_text_is_spoken_heard_and_kept(tab: Tab, able: Synthesizer, voices: Path) -> None:
    first = speak(tab, "Hello there.")
    seed = seed_of(tab)
    assert first == streamed(able, "Hello there.", voices / "anna.wav", seed)
    about = tab.page.inner_text("#speak-about")
    assert f"seed {seed}" in about
    assert "həlˈoʊ" in about
    for name in ("spectrogram", "codes"):
        picture = tab.page.locator(f"#speak-{name} img")
        picture.wait_for()
        assert picture.evaluate("image => image.naturalWidth") > 900
    # It could be heard while it was made: the player's file is the whole.
    heard = list({url for url in tab.asked if "/live/" in url})
    assert len(heard) == 1
    assert tab.context.request.get(heard[0]).body()[44:] == first[44:]

    second = speak(tab, "Good bye.")
    assert seed_of(tab) != seed, "a new one each time"
    rows = tab.page.locator("#speak-history tbody tr")
    assert rows.count() == 2
    rows.nth(1).click()
    tab.page.wait_for_function(f"document.querySelector('#speak-seed input').value === '{seed}'")
    assert tab.page.input_value("#speak-text textarea") == "Hello there."
    assert not tab.page.is_checked("#speak-fresh input")
    until(lambda: tab.made("speak") == first)
    assert speak(tab, "Hello there.") == first, "the same seed and settings give the same speech"
    assert second != first


def test_the_settings_reach_the_model_and_come_back(tab: Tab, able: Synthesizer, voices: Path) -> None:
    tab.choose("#speak-voice", "ben")
    tab.page.get_by_label("nar-len").locator("visible=true").check()
    tab.unfold("Decoding")
    tab.number("Steps").wait_for()
    assert tab.page.get_by_label("Beam width", exact=True).locator("visible=true").count() == 0
    tab.fill(tab.number("Steps"), "3")
    tab.fill(tab.number("Guidance"), "2")
    tab.unfold("Samplers")
    tab.fill(tab.number("Top k"), "7")
    assert tab.page.get_by_label("Repetition penalty", exact=True).locator("visible=true").count() == 0
    tab.unfold("Language and length")
    tab.page.uncheck("#speak-live input")
    made = speak(tab, "Hello.")
    decoding = Decoding("nar-len", unmasking=Unmasking(3, sampling=Sampling(top_k=7)), guidance=2.0)
    asked = {"prompt": voices / "ben.wav", "prompt_text": "Good morning.", "seed": seed_of(tab)}
    assert made == wav(able.speak("Hello.", decoding=decoding, **asked))

    tab.page.get_by_label("ar: frame by frame").locator("visible=true").check()
    tab.number("Beam width").wait_for()
    tab.choose("#speak-voice", "anna")
    tab.page.locator("#speak-history tbody tr").first.click()
    tab.number("Steps").wait_for()
    assert (tab.number("Steps").input_value(), tab.number("Top k").input_value()) == ("3", "7")
    assert tab.page.input_value("#speak-voice input") == "ben"


def test_a_recording_is_uploaded(tab: Tab, able: Synthesizer, voices: Path) -> None:
    tab.choose("#speak-voice", "My own recording")
    tab.page.set_input_files("#speak-recording input[type=file]", voices / "ben.wav")
    tab.page.locator("#speak-recording #waveform").wait_for()
    made = speak(tab, "Hello.")
    wave = read_at(voices / "ben.wav", 24_000)
    assert made == streamed(able, "Hello.", wave, seed_of(tab))


def test_a_recording_is_made_with_the_microphone(tab: Tab) -> None:
    tab.context.grant_permissions(["microphone"])
    tab.choose("#speak-voice", "My own recording")
    recording = tab.page.locator("#speak-recording")
    recording.get_by_label("Record audio").click()
    recording.get_by_role("button", name="Record", exact=True).click()
    tab.page.wait_for_timeout(1500)
    recording.locator("button.stop-button").first.click()
    recording.locator("#waveform").wait_for()
    assert speak(tab, "Hello.")[:4] == b"RIFF"


def test_mistakes_are_one_line(tab: Tab, shown: Shown, tmp_path: Path) -> None:
    tab.page.click("#speak-go")
    assert "must hold something to say" in tab.told()
    assert "Waiting" not in tab.page.inner_text("#speak-status")
    tab.fill(tab.page.locator("#speak-text textarea"), "Hello.")
    tab.unfold("Samplers")
    tab.unfold("Language and length")  # an empty field stays empty when it is shown
    tab.number("Longest speech").wait_for()
    for value, told in (("-1", "0 (off) or more"), ("1.5", "must be a whole number")):
        tab.fill(tab.number("Top k"), value)
        tab.page.click("#speak-go")
        words = tab.told()
        assert "“top_k”" in words
        assert told in words
    tab.fill(tab.number("Top k"), "0")
    tab.choose("#speak-voice", "My own recording")
    tab.page.click("#speak-go")
    assert "A voice must be given" in tab.told()
    (tmp_path / "no.wav").write_bytes(b"no sound at all")
    tab.page.set_input_files("#speak-recording input[type=file]", tmp_path / "no.wav")
    tab.page.wait_for_timeout(1000)
    tab.page.click("#speak-go")
    assert "can't be read as audio" in tab.told()
    (tmp_path / "large.wav").write_bytes(bytes(3_000_000))
    tab.open("Recognise")
    tab.page.set_input_files("#hear-recording input[type=file]", tmp_path / "large.wav")
    assert "413" in " ".join([tab.told(), *tab.problems]) or tab.problems
    tab.problems.clear()  # the browser tells of refused uploads, and of waves that it can't draw
    assert shown.service.open_requests == 0


def test_tasks(tab: Tab, able: Synthesizer, voices: Path) -> None:
    tab.open("Transform")
    tab.page.locator("#transform-task input").click()
    names = tab.page.get_by_role("option").all_inner_texts()
    assert [name.strip("✓ \n").partition(":")[0] for name in names] == ["ns", "cse", "vc"], "those that it learnt"
    tab.page.get_by_role("option", name="cse").click()
    tab.page.get_by_label("Replace from").locator("visible=true").wait_for()
    assert not tab.page.locator("#transform-voice").is_visible()
    tab.page.set_input_files("#transform-recording input[type=file]", voices / "ben.wav")
    tab.page.locator("#transform-recording #waveform").wait_for()
    tab.page.click("#transform-go")
    assert "needs a “text”" in tab.told()
    tab.fill(tab.page.locator("#transform-text textarea"), "Hello.")
    tab.fill(tab.page.get_by_label("Replace from").locator("visible=true"), "0.2")
    tab.fill(tab.page.get_by_label("to", exact=True).locator("visible=true"), "0.6")
    tab.page.click("#transform-go")
    tab.page.wait_for_selector("#transform-about .facts")
    seed = int(tab.page.input_value("#transform-seed input"))
    wave = read_at(voices / "ben.wav", 24_000)
    expected = able.transform("cse", wave, text="Hello.", replace_s=(0.2, 0.6), seed=seed)
    assert tab.made("transform") == wav(expected)


def test_speech_is_recognised(tab: Tab, able: Synthesizer, voices: Path) -> None:
    tab.open("Recognise")
    tab.page.click("#hear-go")
    assert "A recording must be given" in tab.told()
    tab.page.set_input_files("#hear-recording input[type=file]", voices / "anna.wav")
    tab.page.locator("#hear-recording #waveform").wait_for()
    tab.page.click("#hear-go")
    heard = able.hear(read_at(voices / "anna.wav", 24_000))
    tab.page.wait_for_function("document.querySelector('#hear-status').innerText.includes('Language')")
    assert f"Language: {heard.language}" in tab.page.inner_text("#hear-status")
    assert tab.page.input_value("#hear-phonemes textarea") == heard.phonemes


def test_a_run_is_watched_while_it_goes_on(tab: Tab, shown: Shown) -> None:
    tab.open("Training")
    status = tab.page.locator("#training-status")
    tab.page.wait_for_function("document.querySelector('#training-status').innerText.includes('step 6')")
    tab.page.locator("#training-loss canvas, #training-loss svg").first.wait_for()
    until(lambda: tab.page.input_value("#training-step input") == "6")
    until(lambda: tab.page.input_value("#training-about textarea").count("\n") == 2)
    link = tab.page.locator("#training-reference a[download]")
    link.wait_for()
    body = tab.context.request.get(link.get_attribute("href")).body()
    assert body == (shown.runs / "able" / "samples" / "step-00000006" / "00.reference.wav").read_bytes()
    picture = tab.page.locator("#training-attention img")
    picture.wait_for()
    body = tab.context.request.get(picture.get_attribute("src")).body()
    assert body == (shown.runs / "able" / "samples" / "step-00000006" / "00.attention.png").read_bytes()
    tab.page.locator("#training-codebooks canvas, #training-codebooks svg").first.wait_for()
    with (shown.runs / "able" / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": 7, "train/loss": 1.25, "train/accuracy": 0.5, "tokens_per_s": 10.0}) + "\n")
    tab.page.wait_for_function("document.querySelector('#training-status').innerText.includes('step 7')")
    assert "train/loss 1.25" in status.inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_nothing_is_cut_off(chromium: Any, shown: Shown, width: int, scheme: str) -> None:
    with Tab(chromium, shown.url, width=width, color_scheme=scheme) as tab:
        speak(tab, "Hello there.")
        tab.unfold("Decoding")
        tab.unfold("Samplers")
        for name in ("Speak", "Transform", "Recognise", "Training"):
            tab.open(name)
            tab.page.wait_for_timeout(200)
            assert tab.page.evaluate("document.documentElement.scrollWidth") == width
            wide = "e => [...e.querySelectorAll('button, input, textarea, img, audio, td')].filter(x => x.offsetParent"
            wide += " && x.getBoundingClientRect().right > innerWidth).map(x => x.outerHTML)"
            assert tab.page.locator("body").evaluate(wide) == []
        dark = tab.page.evaluate("document.body.classList.contains('dark')")
        assert dark == (scheme == "dark")


def ask(shown: Shown, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(str(urlsplit(shown.url).netloc), timeout=HANG_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.read()
    finally:
        connection.close()


def test_no_file_of_the_machine_is_served(shown: Shown, voices: Path) -> None:
    (shown.folder / "own.txt").write_text("mine")
    places = [Path("/etc/passwd"), voices / "anna.wav", voices.parent / "secret.txt", shown.runs / "able" / "log.jsonl"]
    names = [str(path) for path in places] + [
        f"{shown.folder}/../runs/able/log.jsonl",
        "../../etc/passwd",
        "pyproject.toml",
    ]
    for name in names:
        for path in (f"/gradio_api/file={name}", f"/gradio_api/file={quote(name, safe='')}", f"/file={name}"):
            assert ask(shown, "GET", path)[0] in {403, 404}, path
    for path in ("/live/none.wav", "/live/..%2f..%2fsecret.wav", "/static/../../../etc/passwd", "/docs"):
        assert ask(shown, "GET", path)[0] in {403, 404}, path
    status, headers, page = ask(shown, "GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert str(voices).encode() not in page
    assert str(shown.runs).encode() not in page


@pytest.mark.parametrize("sealed", [True, False])
def test_a_file_that_wasn_t_uploaded_is_no_reference(
    shown: Shown, voices: Path, sealed: bool, monkeypatch: Any
) -> None:
    """Who writes requests by hand names files, and addresses, not uploads; Gradio's own check holds alone, too."""
    if not sealed:
        monkeypatch.setattr("model.serving.page.sealed._paths", lambda _: iter(()))
    found = json.loads(ask(shown, "GET", "/config")[2])
    recording = next(part["id"] for part in found["components"] if part["props"].get("elem_id") == "hear-recording")
    event = next(row["id"] for row in found["dependencies"] if row["inputs"][:1] == [recording])
    own = shown.folder / f"sent-{sealed}"
    own.mkdir()
    (own / "it.wav").write_bytes((voices / "anna.wav").read_bytes())
    (own / "link.wav").symlink_to(voices / "anna.wav")
    (own / "it.txt").write_text("no audio")
    named = [voices / "anna.wav", "/etc/passwd", f"{own}/../../runs/able/log.jsonl", "pyproject.toml"]
    named += [f"{shown.url}/v1/models", "http://example.org/a.wav", own / "link.wav"] if sealed else []

    def hear(number: int, path: object) -> tuple[int, bytes]:
        file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        body = {"data": [file, ""], "fn_index": event, "session_hash": f"{sealed}{number}"}
        status, _, answer = ask(
            shown, "POST", "/gradio_api/queue/join", json.dumps(body).encode(), Content_Type="application/json"
        )
        if status != 200:
            return status, answer
        return status, ask(shown, "GET", f"/gradio_api/queue/data?session_hash={sealed}{number}")[2]

    for number, path in enumerate(named):
        status, answer = hear(number, path)
        assert b'"success":true' not in answer, path
        if sealed:
            assert (status, b"must be uploaded" in answer) == (403, True), path
    assert b'"success":true' in hear(100, own / "it.wav")[1]
    assert shown.service.open_requests == 0


def test_the_page_answers_clients_of_the_server_too(shown: Shown) -> None:
    status, _, body = ask(shown, "GET", "/v1/models")
    assert (status, json.loads(body)["data"][0]["id"]) == (200, "able")


def test_other_pages_can_t_use_it(shown: Shown) -> None:
    host = str(urlsplit(shown.url).netloc)
    own, other = {"Origin": f"http://{host}"}, {"Origin": "http://evil.example"}
    asking = "POST", "/gradio_api/queue/join", b"{}"
    for headers in (other, {**own, "Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}):
        status, _, body = ask(shown, *asking, Content_Type="application/json", **headers)
        assert status == 403
        assert b"a page of the web must not use the model" in body
    assert ask(shown, *asking, Content_Type="application/json", **own)[0] == 422
    assert ask(shown, "GET", "/", Host="evil.example")[0] == 403


def test_the_key_is_a_password_in_browsers(
    able: Synthesizer, voices: Path, trained: Path, tmp_path: Path, chromium: Any
) -> None:
    with showing(able, voices, trained, tmp_path, api_key="s3:cret") as shown:
        for path in ("/", "/config", "/v1/models", "/gradio_api/info", "/live/x.wav"):
            status, headers, _ = ask(shown, "GET", path)
            assert (status, headers["www-authenticate"]) == (401, 'Basic realm="valle", charset="UTF-8"')
        for given in ("Basic !!", "Basic " + base64.b64encode(b"s3:cret").decode(), "Bearer s3", "Digest x"):
            assert ask(shown, "GET", "/", Authorization=given)[0] == 401
        assert ask(shown, "GET", "/", Authorization="Bearer s3:cret")[0] == 200
        credentials = {"username": "anyone", "password": "s3:cret"}
        with Tab(chromium, shown.url, http_credentials=credentials) as tab:
            assert speak(tab, "Hello.")[:4] == b"RIFF"


def test_what_a_model_can_t_is_told(able: Synthesizer, trained: Path, tmp_path: Path, chromium: Any) -> None:
    modes = {"ar": 1.0, "nar": 1.0}
    less = taught(able, modes=modes, tasks={"tts": 1.0})
    with showing(less, None, trained, tmp_path) as shown, Tab(chromium, shown.url) as tab:
        assert not tab.page.locator("#speak-voice").is_visible(), "there are none"
        tab.open("Transform")
        tab.page.get_by_text("This model wasn't trained to turn speech into other speech").wait_for()
        tab.open("Recognise")
        tab.page.get_by_text("was never trained in the mode “stt”").wait_for()


def test_stopping_and_leaving_free_the_place(
    able: Synthesizer, voices: Path, trained: Path, tmp_path: Path, chromium: Any
) -> None:
    with showing(able, voices, trained, tmp_path, Held, queue=3) as shown:
        service = shown.service
        service.submit(_anything(voices))  # is being spoken; what comes after it waits
        try:
            with Tab(chromium, shown.url) as tab:
                tab.fill(tab.page.locator("#speak-text textarea"), "Hello.")
                tab.page.click("#speak-go")
                until(lambda: service.open_requests == 2)
                tab.page.wait_for_selector("text=1 other requests are open")
                tab.page.click("#speak-stop")
                until(lambda: service.open_requests == 1)
                tab.page.wait_for_selector("text=Stopped.")
                tab.page.wait_for_timeout(DRAWN_MS)  # moments in which Gradio closes the stream of what was stopped
                tab.page.click("#speak-go")
                tab.page.wait_for_selector("text=1 other requests are open")  # the server knows who listens
                assert service.open_requests == 2
            until(lambda: service.open_requests == 1)
            for _ in range(2):
                service.submit(_anything(voices))
            with Tab(chromium, shown.url) as tab:
                tab.fill(tab.page.locator("#speak-text textarea"), "Hello.")
                tab.page.click("#speak-go")
                assert "All 3 places of the queue are taken" in tab.told()
        finally:
            service.go.set()


def _anything(voices: Path) -> Any:
    return Request("Hi.", voices / "anna.wav", max_s=0.1)


def test_the_process(trained: Path, voices: Path, chromium: Any) -> None:
    command = [sys.executable, "-c", "from model.cli import main; main()", "ui", "--model", str(trained / "able")]
    options = ["--voices", str(voices), "--port", "0", "--device", "cpu", "--temperature", "0.5"]
    environment = {name: value for name, value in os.environ.items() if name != "VALLE_API_KEY"}
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        name, url = process.stdout.readline().decode().split()
        assert name == "able:"
        with Tab(chromium, url) as tab:
            tab.unfold("Samplers")
            assert tab.number("Temperature").input_value() == "0.5"
            tab.open("Training")
            tab.page.wait_for_selector("text=step 6")  # the model's own run
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=HANG_S)
        assert process.returncode == 130
        assert b"Traceback" not in log
