"""The best stretch of a recording, in sounds whose best stretch is known."""

import numpy as np
import pytest

from stages.audio.stretch import best_stretch
from stages.records import Wave

RATE = 8_000


def babble(seconds: float, seed: int = 0) -> Wave:
    """Noise that comes and goes four times a second, as syllables do, with a pause of 0.3 s every two seconds."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    envelope = np.sin(np.pi * 4 * time_s) ** 2 * (time_s % 2 < 1.7)
    return (0.3 * rng.standard_normal(len(time_s)) * envelope).astype(np.float32)


def hiss(seconds: float, level: float) -> Wave:
    rng = np.random.default_rng(1)
    return (level * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def test_it_is_where_there_is_most_speech() -> None:
    wave = np.concatenate([hiss(6, 1e-3), babble(1), hiss(6, 1e-3), babble(6), hiss(6, 1e-3)]) + hiss(25, 1e-4)
    found = best_stretch(wave, RATE, 3.0)
    assert found.end - found.start == 3 * RATE
    assert found.start >= 12.8 * RATE
    assert found.end <= 19.2 * RATE


def test_of_two_it_is_the_one_with_less_noise() -> None:
    noisy, clean = babble(12) + hiss(12, 0.1), babble(12, seed=2) + hiss(12, 1e-3)
    for parts, low in (([noisy, clean], 12), ([clean, noisy], 0)):
        found = best_stretch(np.concatenate(parts), RATE, 3.0)
        assert low <= found.start / RATE <= low + 9
    assert best_stretch(clean, RATE, 3.0).quality > best_stretch(noisy, RATE, 3.0).quality + 0.2


@pytest.mark.parametrize("samples", [1, 79, 80, 801, 30_000])
@pytest.mark.parametrize("length_s", [0.001, 0.5, 10.0])
def test_it_lies_within_the_recording(samples: int, length_s: float) -> None:
    for wave in (babble(5)[:samples], np.zeros(samples, np.float32), np.ones(samples, np.float32)):
        found = best_stretch(wave, RATE, length_s)
        assert 0 <= found.start < found.end <= samples
        assert 0 <= found.quality <= 1
        if length_s * RATE >= samples:
            assert (found.start, found.end) == (0, samples)


def test_loud_steady_sound_is_no_speech() -> None:
    wave = np.concatenate([hiss(12, 0.5), babble(4), hiss(12, 0.5)])
    found = best_stretch(wave, RATE, 3.0)
    assert 11.5 * RATE <= found.start <= 13.5 * RATE
