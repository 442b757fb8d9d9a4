"""Real whisper weights on real recordings: those of the extra `hearing`, which English is heard with offline."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from rapidfuzz.distance import Levenshtein

from stages.base import Context, Filtered, Reject
from stages.corpora.scan import scan
from stages.errors import WeightsError
from stages.hearing.asr import weights
from stages.records import Transcript
from stages.transcribe import Transcribe, TranscribeConfig
from tests.conftest import SPEECH

try:
    PACKAGED = weights.find_model(weights.PACKAGED, download=False)
except WeightsError as error:
    PACKAGED = None
    pytestmark = pytest.mark.skip(reason=str(error))


def words(text: str) -> list[str]:
    kept = "".join(letter if letter.isalnum() else " " * (letter not in "'’") for letter in text.lower())
    return kept.split()


def heard(folder: Path, names: list[str], **config: object) -> list[Transcript | Filtered | Reject]:
    """Returns the outcomes of recordings without their texts."""
    if not SPEECH.is_dir():
        pytest.skip(f"no recordings in {SPEECH}")
    for name in names:
        [path] = [one for one in SPEECH.glob(f"{name}.*") if one.suffix != ".txt"]
        (folder / Path(name).parent).mkdir(parents=True, exist_ok=True)
        (folder / path.relative_to(SPEECH)).symlink_to(path)
    stage = Transcribe(TranscribeConfig.model_validate({"model": "packaged", **config}), Context(folder))
    recordings = scan(folder).recordings
    assert stage.check(recordings) == []
    return [outcome for outcomes in stage.process(recordings) for outcome in outcomes]


def some(group: str, count: int) -> list[str]:
    return [str(path.relative_to(SPEECH).with_suffix("")) for path in sorted((SPEECH / group).glob("*/*.txt"))[:count]]


def test_real_recordings_are_heard_under_eight_percent_of_wrong_words(tmp_path):
    names = [*some("ljspeech", 3), *some("vctk", 3), "longform/jfk/jfk"]
    wrong = total = 0
    for outcome in heard(tmp_path, names):
        assert isinstance(outcome, Transcript), outcome
        text = words((SPEECH / outcome.id).with_suffix(".txt").read_text())
        said = words(" ".join(segment.text for segment in outcome.segments))
        wrong, total = wrong + Levenshtein.distance(text, said), total + len(text)
        assert outcome.language == "en"
        assert outcome.source == "whisperx"
    assert total > 80
    assert wrong / total < 0.08


def test_german_is_left_out_and_refused_where_it_is_told(tmp_path):
    names = some("kerstin-de", 4)
    outcomes = heard(tmp_path, names)
    assert {getattr(outcome, "reason", "") for outcome in outcomes} == {"NotEnglish"}
    assert all("unsure" in outcome.message or "repeats" in outcome.message for outcome in outcomes)
    for told in ({"language": "de"}, {"languages": {"kerstin-*": "de"}}, {"candidates": ["de", "fr"]}):
        stage = Transcribe(TranscribeConfig.model_validate({"model": "packaged", **told}), Context(tmp_path))
        [problem] = stage.check(scan(tmp_path).recordings)
        assert "knows only English: `de` (4 recordings)" in problem


def test_of_two_languages_in_a_short_recording_each_is_judged_alone(tmp_path):
    from stages.audio.files import read_at
    from stages.records import Utterance
    from stages.slice import Slice, SliceConfig

    if not SPEECH.is_dir():
        pytest.skip(f"no recordings in {SPEECH}")
    english, german = "ljspeech/LJ/LJ001-0005", "kerstin-de/kerstin/de_rhasspy-0011"
    sounds = {name: np.array(read_at(next(SPEECH.glob(f"{name}.[fw]*")), 16_000)) for name in (english, german)}
    assert sum(map(len, sounds.values())) < 20 * 16_000
    (tmp_path / "both").mkdir()
    for order in ((english, german), (german, english)):
        wave = np.concatenate([sounds[name] for name in order])
        soundfile.write(tmp_path / "both" / f"{order.index(english)}.wav", wave, 16_000)
    for place, outcome in enumerate(heard(tmp_path, [])):
        assert isinstance(outcome, Transcript), outcome
        [found] = Slice(SliceConfig(), Context(tmp_path)).process([outcome])
        [row] = [one for one in found if isinstance(one, Utterance)]
        text = words((SPEECH / english).with_suffix(".txt").read_text())
        assert Levenshtein.distance(text, words(row.text)) <= 0.2 * len(text)
        before = len(sounds[german]) if place else 0
        assert before - 11_200 <= row.start_samples
        assert row.end_samples <= before + len(sounds[english]) + 11_200
        assert {one.reason for one in found if not isinstance(one, Utterance)} <= {
            "Uncertain",
            "Hallucinated",
            "NoText",
            "TooShort",
        }


def test_each_channel_of_a_call_is_heard_alone(tmp_path):
    from stages.audio.files import read_at

    if not SPEECH.is_dir():
        pytest.skip(f"no recordings in {SPEECH}")
    names = [some("ljspeech", 1)[0], some("vctk", 1)[0]]
    sides = [np.array(read_at(SPEECH / f"{name}.wav", 16_000)) for name in names]
    call = np.zeros((max(map(len, sides)) + 8000, 2), np.float32)
    for channel, side in enumerate(sides):
        call[8000 * channel : 8000 * channel + len(side), channel] = side
    (tmp_path / "calls").mkdir()
    soundfile.write(tmp_path / "calls" / "one.wav", call, 16_000)
    outcomes = heard(tmp_path, [], channels="split", language="en")
    assert [outcome.id for outcome in outcomes] == ["calls/one.wav@left", "calls/one.wav@right"]
    assert len({outcome.speaker for outcome in outcomes}) == 2
    for name, outcome in zip(names, outcomes, strict=True):
        text = words((SPEECH / name).with_suffix(".txt").read_text())
        said = words(" ".join(segment.text for segment in outcome.segments))
        assert Levenshtein.distance(text, said) <= 0.2 * len(text)


def test_a_short_window_is_heard_as_a_full_one(tmp_path):
    from stages.audio.files import read_at
    from stages.hearing.asr.decoding import Decoder

    if not SPEECH.is_dir():
        pytest.skip(f"no recordings in {SPEECH}")
    waves = [np.array(read_at(SPEECH / f"{name}.wav", 16_000)) for name in some("ljspeech", 3)]
    settings = {"device": "cpu", "compute_type": "auto", "beam_size": 5, "batch_size": 2}
    short, full = (Decoder(PACKAGED, **settings, windows=kind) for kind in ("auto", "full"))
    assert (short.windows.short, full.windows.short) == (True, False)
    assert [short.windows.frames(len(wave)) for wave in waves] < [3000] * 3
    texts = [[words(one.text) for one in decoder.hear(waves, "en")] for decoder in (short, full)]
    assert sum(map(Levenshtein.distance, *texts)) <= 2
    encoded = [np.array(decoder.windows.encode(waves[:1])) for decoder in (short, full)]
    assert encoded[0].shape == encoded[1].shape == (1, 1500, 384)


def test_what_it_is_unsure_of_is_heard_again_from_a_full_window(monkeypatch):
    from stages.audio.files import read_at
    from stages.hearing.asr import decoding

    if not SPEECH.is_dir():
        pytest.skip(f"no recordings in {SPEECH}")
    german = sorted((SPEECH / "kerstin-de").rglob("*.flac")) or sorted((SPEECH / "kerstin-de").rglob("*.wav"))
    waves = [np.array(read_at(path, 16_000)) for path in german[:3]]
    settings = {"device": "cpu", "compute_type": "auto", "beam_size": 5, "batch_size": 2}
    short, full = (decoding.Decoder(PACKAGED, **settings, windows=kind) for kind in ("short", "full"))
    both, only_full = short.hear(waves, "en"), full.hear(waves, "en")
    monkeypatch.setattr(decoding, "_AGAIN", -10.0)
    only_short = short.hear(waves, "en")
    unsure = [one.avg_logprob < -0.6 for one in only_short]
    assert any(unsure)
    for heard_twice, first, second, is_unsure in zip(both, only_short, only_full, unsure, strict=True):
        surest = max(first.avg_logprob, second.avg_logprob) if is_unsure else first.avg_logprob
        assert heard_twice.avg_logprob == pytest.approx(surest, abs=0.02)
