"""Tests that pieces give what the whole gives: no seam, no shift, no lost sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio.tape import Tape
from stages.cleaning.overlapped import cleaned
from stages.errors import AudioError
from stages.records import Wave

RATE = 8000


class Kernel:
    """A cleaner that hears half a second to each side: a weighted mean, the same wherever a piece begins."""

    context_s = 0.6

    def __init__(self, piece_s: float = 1.0, sample_rate: int | None = None) -> None:
        self.piece_s, self.sample_rate = piece_s, sample_rate
        self.longest = self.calls = 0

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        self.calls += 1
        self.longest = max(self.longest, len(wave))
        reach = sample_rate // 2
        kernel = np.hanning(2 * reach + 1)
        return np.convolve(wave, kernel / kernel.sum(), "full")[reach : reach + len(wave)].astype(np.float32)


def wave(samples: int, seed: int = 0) -> Wave:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@given(samples=st.integers(1, 40_000), piece_s=st.floats(0.2, 3), channels=st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_pieces_equal_the_whole(samples: int, piece_s: float, channels: int) -> None:
    waves = [wave(samples, seed) for seed in range(channels)]
    cleaner = Kernel(piece_s)
    found = np.concatenate(list(cleaned(waves, RATE, cleaner)))
    assert found.shape == (samples, channels)
    for channel, one in enumerate(waves):
        assert np.allclose(found[:, channel], Kernel().clean(one, RATE), atol=1e-6)
    assert cleaner.longest <= round(piece_s * RATE) + 2 * round(0.6 * RATE) + 1


@pytest.mark.parametrize(("rate", "own"), [(16_000, 48_000), (44_100, 48_000), (48_000, 44_100), (22_050, 48_000)])
def test_another_rate_neither_shifts_nor_stretches(rate: int, own: int) -> None:
    class Same(Kernel):
        def clean(self, wave: Wave, sample_rate: int) -> Wave:
            assert sample_rate == own
            return wave

    times = np.arange(round(2.5 * rate)) / rate
    given = (0.3 * np.sin(2 * np.pi * 440 * times) + 0.2 * np.sin(2 * np.pi * 1333 * times)).astype(np.float32)
    found = np.concatenate(list(cleaned([given], rate, Same(0.7, own))))[:, 0]
    assert len(found) == len(given)
    inner = slice(rate // 20, -rate // 20)
    assert np.abs(found - given)[inner].max() < 2e-3


def test_silence_stays_silent_and_equal_channels_are_cleaned_once() -> None:
    cleaner = Kernel()
    both = [wave(3 * RATE)] * 2
    assert np.array_equal(*np.concatenate(list(cleaned(both, RATE, cleaner))).T)
    assert cleaner.calls == 3
    quiet = [np.zeros(3 * RATE, np.float32)]
    assert not np.concatenate(list(cleaned(quiet, RATE, cleaner))).any()
    assert cleaner.calls == 3


def test_half_the_strength_keeps_half_of_what_was_taken_away() -> None:
    given = wave(RATE)
    whole, half = (np.concatenate(list(cleaned([given], RATE, Kernel(), s)))[:, 0] for s in (1.0, 0.5))
    assert np.allclose(half, (whole + given) / 2, atol=1e-6)


def test_a_long_recording_is_read_forwards_and_never_held() -> None:
    given = wave(20 * RATE)
    begun = []

    def begin():
        begun.append(True)
        yield from (given[at : at + 1000] for at in range(0, len(given), 1000))

    tape = Tape(begin, len(given), 4 * RATE)
    found = np.concatenate(list(cleaned([tape], RATE, Kernel())))[:, 0]
    assert np.allclose(found, Kernel().clean(given, RATE), atol=1e-6)
    assert len(begun) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cleaner_that_fails_is_told(bad: float) -> None:
    class Broken(Kernel):
        def clean(self, wave: Wave, sample_rate: int) -> Wave:
            return np.full_like(wave, bad)

    with pytest.raises(AudioError, match="finite") as told:
        list(cleaned([wave(RATE)], RATE, Broken()))
    assert told.value.reason == "NotCleaned"


def test_a_cleaner_that_loses_samples_is_told() -> None:
    class Short(Kernel):
        def clean(self, wave: Wave, sample_rate: int) -> Wave:
            return wave[:-100]

    with pytest.raises(AudioError, match="must give 8000 samples"):
        list(cleaned([wave(RATE)], RATE, Short()))
