"""The judges of the spoken digits know what they heard, on digits that are glides of tones; the table counts them."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from model.evaluation.digit_judge import SAMPLE_RATE, DigitJudge, VoiceJudge, features
from model.evaluation.digits import (
    CODEC,
    DIGITS,
    RECORDINGS,
    Corpus,
    Decode,
    Judged,
    main,
    real_rows,
    spoken_rows,
    summarise,
    table,
    teach,
)
from model.evaluation.sound import Sound
from model.evaluation.voices import Vector
from model.inference.requests import Request
from stages.audio.files import read, resample, write_wav
from stages.errors import UsageError, run_app
from stages.ids import split_of
from stages.records import Utterance, Wave

PITCH = {"anna": 230.0, "ben": 140.0}
VALIDATION = 0.4


def glide(digit: str, speaker: str, seed: int = 0, rate: int = SAMPLE_RATE) -> Wave:
    """A digit of its own: harmonics of the speaker's pitch, loudest around a frequency that moves as the digit says."""
    rng = np.random.default_rng(seed)
    number, seconds = DIGITS.index(digit), rng.uniform(0.25, 0.45)
    time_S = np.arange(round(seconds * rate)) / rate
    loudest_S = np.interp(time_S, [0, seconds], [500 + 300 * number, 500 + 300 * (number * 7 % 10)])
    harmonics = PITCH[speaker] * rng.uniform(0.97, 1.03) * np.arange(1, 30)[:, None]
    waves = np.exp(-(((harmonics - loudest_S) / 250) ** 2)) * np.sin(2 * np.pi * harmonics * time_S)
    return (0.2 * waves.sum(0) + 1e-4 * rng.standard_normal(len(time_S))).astype(np.float32)


class Store:
    """Ten recordings of each digit by each speaker, and codes that stand for their row."""

    def __init__(self, folder: Path, texts: tuple[str, ...] = DIGITS, speakers: tuple[str, ...] = tuple(PITCH)) -> None:
        self.rows = []
        for speaker in speakers:
            for text in texts:
                for take in range(6):
                    name = f"{speaker}/{text}-{take}.wav"
                    wave = glide(text if text in DIGITS else "zero", speaker, seed=take)
                    write_wav(folder / name, wave, SAMPLE_RATE)
                    self.rows.append(Utterance(name, name, "", speaker, "en", 0, len(wave), SAMPLE_RATE, text, "", 1))

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Utterance:
        return self.rows[index]

    def codes(self, index: int) -> np.ndarray:
        return np.full((1, 1), index, np.uint16)


class Mimic:
    """Says what it is asked to, or always the same, in the voice of the prompt."""

    def __init__(self, corpus: Corpus, only: str | None = None) -> None:
        self.corpus, self.only = corpus, only
        self.codec = SimpleNamespace(sample_rate=16_000)
        self.asked: list[dict[str, Any]] = []

    def batch(self, requests: Sequence[Request]) -> list[SimpleNamespace]:
        return [self._speak(one.text, prompt=one.prompt, seed=one.seed, decoding=one.decoding) for one in requests]

    def _speak(self, text: str, **how: Any) -> SimpleNamespace:
        self.asked.append({"text": text, **how})
        speaker = self.corpus.rows[int(how["prompt"][0, 0])].speaker
        wave = glide(self.only or text, speaker, seed=how["seed"] % 1000 + 50, rate=16_000)
        return SimpleNamespace(samples=wave, sample_rate=16_000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("digits")
    return Corpus(folder, Store(folder), VALIDATION)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def decode(corpus: Corpus) -> Decode:
    """A codec that loses nothing but half of the loudness."""

    def decoded(codes_KT: torch.Tensor) -> Sound:
        sound = corpus.sound(int(codes_KT[0, 0]))
        return replace(sound, wave=sound.wave / 2)

    return decoded


class Pitches:
    """In place of the speaker encoder, which knows people and not tones: how near the pitch is to each speaker's."""

    name = "pitches"

    def embed(self, wave: Wave) -> Vector:
        power_F = np.abs(np.fft.rfft(wave, 2 * len(wave))) ** 2
        lags = np.arange(16_000 // 300, 16_000 // 120)
        pitch = 16_000 / lags[np.fft.irfft(power_F)[lags].argmax()]
        near = np.array([np.exp(-abs(pitch - one) / 20) for one in PITCH.values()], np.float32)
        vector: Vector = near / np.linalg.norm(near)
        return vector


@pytest.mark.parametrize(
    "changed",
    [
        lambda wave: wave * np.float32(0.1),
        lambda wave: np.pad(wave, (800, 4000)),
        lambda wave: resample(resample(wave, SAMPLE_RATE, 24_000), 24_000, SAMPLE_RATE),
    ],
    ids=["quieter", "in-silence", "resampled"],
)
def test_what_is_said_sounds_the_same(changed: Callable[[Wave], Wave]) -> None:
    wave, other = glide("seven", "anna"), glide("two", "anna")
    far = np.abs(features(wave) - features(other)).mean()
    assert np.abs(features(wave) - features(changed(wave))).mean() < far / 8


@pytest.mark.parametrize("samples", [1, 100, 8000])
def test_silence_and_scraps_are_heard_too(samples: int) -> None:
    found = features(np.zeros(samples, np.float32))
    assert found.shape == features(glide("one", "ben")).shape
    assert np.isfinite(found).all()


def test_the_judge_names_digits_it_never_heard() -> None:
    taught = [(digit, speaker, seed) for digit in DIGITS for speaker in PITCH for seed in range(4)]
    judge = DigitJudge.fit([glide(*one) for one in taught], [digit for digit, *_ in taught])
    right = [judge.hear(glide(digit, speaker, 99)) == digit for digit in DIGITS for speaker in PITCH]
    assert np.mean(right) >= 0.95
    noise = np.random.default_rng(0).standard_normal((40, 3000)).astype(np.float32)
    assert len({judge.hear(wave) for wave in noise}) < 5, "noise isn't spread over the digits, but is one or two"


def test_the_judge_knows_real_digits(speech: Path) -> None:
    clips = [path for name in ("theo", "jackson") for path in sorted((speech / "fsdd" / name).glob("?_*_[1-3]?.wav"))]
    held_out = [path.stem.endswith("5") for path in clips]
    waves = [read(path)[0] for path in clips]
    said = [path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in clips]
    taught = [(wave, text) for wave, text, held in zip(waves, said, held_out, strict=True) if not held]
    judge = DigitJudge.fit(*zip(*taught, strict=True))  # type: ignore[arg-type]
    right = [judge.hear(wave) == text for wave, text, held in zip(waves, said, held_out, strict=True) if held]
    assert len(right) == 60
    assert np.mean(right) >= 0.9


def test_the_judge_of_voices_looks_past_what_is_said() -> None:
    """Vectors that differ mostly by what is said, in 3 of 16 directions, and a little by who says it."""
    rng = np.random.default_rng(0)
    speakers = {name: 0.3 * rng.standard_normal(16) for name in ("anna", "ben", "cleo", "dan")}

    def vectors(speaker: str, count: int) -> list[Vector]:
        drawn = speakers[speaker] + np.pad(3 * rng.standard_normal((count, 3)), ((0, 0), (0, 13)))
        drawn += 0.05 * rng.standard_normal((count, 16))
        return [*(drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)]

    taught = {name: vectors(name, 60) for name in speakers}
    judge, means = VoiceJudge.fit(taught), {name: np.mean(found, axis=0) for name, found in taught.items()}
    asked = [(name, vector) for name in speakers for vector in vectors(name, 50)]
    assert np.mean([judge.hear(vector) == name for name, vector in asked]) > 0.9
    plain = [max(means, key=lambda one: float(vector @ means[one])) for _, vector in asked]
    assert np.mean([found == name for found, (name, _) in zip(plain, asked, strict=True)]) < 0.7


def test_prompts_are_held_out_and_say_another_digit(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    for digit in DIGITS:
        for _ in range(5):
            prompt = [corpus.rows[index] for index in corpus.prompt("ben", digit, rng)]
            assert len({row.id for row in prompt}) == 2
            assert {row.speaker for row in prompt} == {"ben"}
            assert digit not in {row.text for row in prompt}
            assert {split_of(row.id, VALIDATION) for row in prompt} == {"validation"}
    assert sorted(corpus.training + corpus.held_out) == list(range(len(corpus.rows)))


@pytest.mark.parametrize(
    ("texts", "speakers", "validation", "said"),
    [
        (("zero", "ten"), ("anna", "ben"), 0.4, r"anna/ten-0\.wav` says `ten`"),
        (DIGITS, ("anna",), 0.4, "two speakers or more"),
        (DIGITS, ("anna", "ben"), 0.0, "`anna` has none"),
    ],
)
def test_other_datasets_are_refused(
    tmp_path: Path, texts: tuple[str, ...], speakers: tuple[str, ...], validation: float, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        Corpus(tmp_path, Store(tmp_path, texts, speakers), validation)  # type: ignore[arg-type]


def test_a_mimic_passes_and_one_that_says_always_the_same_fails(
    corpus: Corpus, decode: Decode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.evaluation.digits.Resemblyzer", Pitches)
    judges = teach(corpus)
    ceiling = real_rows(corpus, judges, decode)
    for name in (RECORDINGS, CODEC):
        found = summarise([one for one in ceiling if one.row == name])
        assert found["spoken"] == len(corpus.held_out)
        assert min(found["recognised"], found["own_voice"], found["own_voice_plain"]) >= 0.95
    good, bad = Mimic(corpus), Mimic(corpus, only="six")
    found, failed = (
        summarise(spoken_rows(corpus, judges, mimic, 0, tmp_path))  # type: ignore[arg-type]
        for mimic in (good, bad)
    )
    assert found["spoken"] == 3 * 2 * 10, "three modes, two speakers, ten digits"
    assert min(found["recognised"], found["own_voice"], found["own_voice_plain"]) >= 0.95
    assert failed["by_digit"] == {digit: float(digit == "six") for digit in DIGITS}
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav")} == {
        f"{mode}/{speaker}-{digit}.wav" for mode in ("ar", "nar-len", "all") for speaker in PITCH for digit in DIGITS
    }
    asked = [(one["text"], one["prompt"].tolist()) for one in good.asked]
    assert asked[:20] == asked[20:40] == asked[40:], "the same prompts in every mode"


ROWS = [
    Judged("AR+NAR", "anna", "one", "one", 0.9, 0.5, 0.4, "anna", "anna"),
    Judged("AR+NAR", "anna", "two", "one", 0.7, 0.8, 0.6, "ben", "anna"),
    Judged("AR+NAR", "ben", "one", "one", 0.8, 0.9, 0.4, "anna", "anna"),
    Judged("AR+NAR", "ben", "two", "two", 0.8, 0.6, 0.2, "ben", "ben"),
]


def test_shares_are_counted() -> None:
    assert summarise(ROWS) == {
        "spoken": 4,
        "recognised": 0.75,
        "by_digit": {"one": 1.0, "two": 0.5},
        "by_speaker": {"anna": 0.5, "ben": 1.0},
        "own_voice": 0.5,
        "own_voice_plain": 0.75,
        "similarity_own": pytest.approx(0.8),
        "similarity_nearest_other": pytest.approx(0.7),
        "seconds": pytest.approx(0.4),
    }


def test_the_table_shows_them() -> None:
    shown = table({"seed": 3, "rows": {"AR+NAR": summarise(ROWS)}, "judged": []}).splitlines()
    assert shown[1].split() == ["AR+NAR", "4", "0.40", "75.0", "50.0", "75.0", "0.800", "0.700"]
    assert "AR+NAR  100   50" in shown
    assert "AR+NAR    50  100" in shown
    assert shown[-1] == "seed: 3"
    assert json.dumps(summarise(ROWS))


def test_a_model_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["digits", str(tmp_path), "--model", str(tmp_path / "none"), "--device", "cpu"])
    assert run_app(main) == 2
    assert capsys.readouterr().err.startswith("error: ")
