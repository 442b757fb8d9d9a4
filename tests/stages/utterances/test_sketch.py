"""What copies of real recordings have in common, and others don't."""

from pathlib import Path

import numpy as np
import pytest

from stages.audio import files as audio
from stages.audio.encoding import encode, encoded_rate
from stages.records import Wave
from stages.utterances.sketch import FEWEST, SIZE, hashes_of, sketch

RATE = 16_000


@pytest.fixture(scope="module")
def clips(recordings: Path) -> list[Wave]:
    paths = sorted(path for path in recordings.rglob("*.flac") if "longform" not in str(path))
    return [audio.read_at(path, RATE)[: 10 * RATE] for path in paths[:: max(1, len(paths) // 10)]]


def shared(one: Wave, other: Wave, other_rate: int = RATE) -> int:
    mine, others = sketch(one, RATE), sketch(other, other_rate)
    assert mine
    assert others
    return len(np.intersect1d(hashes_of(mine), hashes_of(others)))


def decoded(wave: Wave, name: str, folder: Path) -> Wave:
    path = folder / f"one.{name}"
    path.write_bytes(encode(wave, RATE, name))  # type: ignore[arg-type]
    assert encoded_rate(RATE, name) == RATE  # type: ignore[arg-type]
    return audio.read_at(path, RATE)


@pytest.mark.parametrize("name", ["mp3", "opus"])
def test_coding_trimming_and_gain_leave_it(clips: list[Wave], name: str, tmp_path: Path) -> None:
    for number, wave in enumerate(clips):
        cut = wave[300 * (number % 4) : len(wave) - 290 * (number % 3)]
        assert shared(wave, decoded(0.5 * cut, name, tmp_path)) >= 8


@pytest.mark.parametrize("rate", [8_000, 11_025, 24_000, 48_000])
def test_resampling_leaves_it(clips: list[Wave], rate: int) -> None:
    for wave in clips[:4]:
        assert shared(wave, audio.resample(wave, RATE, rate), rate) > SIZE // 2


def test_other_recordings_have_other_hashes(clips: list[Wave]) -> None:
    for number, wave in enumerate(clips):
        assert all(shared(wave, other) <= 4 for other in clips[:number])


@pytest.mark.parametrize("samples", [0, 1, 2000, RATE])
def test_too_little_sound_has_none(samples: int) -> None:
    assert sketch(np.zeros(samples, np.float32), RATE) is None
    if samples < RATE:
        assert sketch(np.ones(samples, np.float32), RATE) is None


def test_its_text_is_its_hashes(clips: list[Wave]) -> None:
    hashes = hashes_of(sketch(clips[0], RATE) or "")
    assert FEWEST <= len(hashes) <= SIZE
    assert sorted(set(hashes.tolist())) == hashes.tolist()
