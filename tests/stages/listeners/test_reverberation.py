"""SRMR of voices made by formula, beside the numbers of another implementation, and of real speech in a room."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.bench.slice import in_room
from stages.audio import files as audio
from stages.listeners.reverberation import srmr
from stages.records import Wave

RATE = 16_000


def voice(syllables_hz: float, decay_s: float, seconds: float = 2.0) -> Wave:
    """Returns harmonics that come and go, in a room whose response is a formula."""
    time_T = np.arange(round(seconds * RATE)) / RATE
    harmonics = range(1, int(RATE / 2 / 120))
    wave = np.sum([np.sin(2 * np.pi * 120 * k * time_T + k * k) / k for k in harmonics], axis=0)
    wave = wave * np.maximum(0, np.sin(2 * np.pi * syllables_hz * time_T)) ** 2
    if decay_s:
        n = np.arange(round(decay_s * RATE))
        response = np.sin(0.7 * n * n + n) * 10 ** (-3 * n / (decay_s * RATE)) * 0.05
        response[0] = 1
        wave = np.convolve(wave, response)[: len(wave)]
    return (0.3 * wave / np.abs(wave).max()).astype(np.float32)


@pytest.fixture(scope="module")
def clips(recordings: Path) -> list[Wave]:
    paths = sorted((recordings / "librispeech-test-other").rglob("*.flac"))
    return [audio.read_at(path, RATE)[: 8 * RATE] for path in paths[::8]]


REFERENCE = ((4, 0, 59.540), (4, 0.3, 19.187), (4, 0.8, 9.102), (8, 0, 12.468), (16, 0, 2.9755))
"""By the rate of syllables and the decay in seconds: the SRMR of torchmetrics 1.9.0 with gammatone 1.0.3."""


@pytest.mark.parametrize(("syllables_hz", "decay_s", "theirs"), REFERENCE)
def test_it_is_that_of_torchmetrics(syllables_hz: float, decay_s: float, theirs: float) -> None:
    assert srmr(voice(syllables_hz, decay_s)) == pytest.approx(theirs, rel=0.03)


def test_a_room_lowers_it(clips: list[Wave]) -> None:
    def in_rooms(seconds: float) -> list[float]:
        return [srmr(in_room(wave, RATE, seconds, 0.0, np.random.default_rng(0))) or 0 for wave in clips]

    dry, small, large = [srmr(wave) or 0 for wave in clips], in_rooms(0.5), in_rooms(1.2)
    assert all(b < a for a, b in zip(dry, small, strict=True) if a > 4)  # noise keeps others low without a room
    assert np.median(dry) > np.median(small) > np.median(large)


def test_the_level_does_not_matter(clips: list[Wave]) -> None:
    assert srmr(clips[0] * np.float32(0.01)) == pytest.approx(srmr(clips[0]), rel=1e-3)


def test_a_long_wave_is_measured_in_pieces(clips: list[Wave]) -> None:
    """Twice the same is as reverberant as once, also where it takes more than one piece."""
    once = np.tile(clips[0], -(-15 * RATE // len(clips[0])))[: 15 * RATE]
    assert srmr(np.tile(once, 4)) == pytest.approx(srmr(np.tile(once, 2)), rel=0.01)


@pytest.mark.parametrize(
    "wave",
    [np.zeros(1, np.float32), np.zeros(RATE, np.float32), voice(4, 0, seconds=0.4), np.zeros(40 * RATE, np.float32)],
    ids=["a sample", "silence", "too short", "long silence"],
)
def test_what_cannot_be_told_is_none(wave: Wave) -> None:
    assert srmr(wave) is None
