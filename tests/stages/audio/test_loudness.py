"""The loudness of waves, against pyloudnorm."""

from pathlib import Path

import numpy as np
import pytest

from stages.audio.files import amplified, read_at
from stages.audio.loudness import loudness_lufs, weighting
from stages.records import Wave

RATE = 16_000


def meter(sample_rate: int, block_s: float = 0.4):
    from pyloudnorm import Meter

    return Meter(sample_rate, block_size=block_s)


@pytest.fixture(scope="module")
def clips(recordings: Path) -> list[Wave]:
    paths = sorted((recordings / "librispeech-test-other").rglob("*.flac")) or sorted(recordings.rglob("*.wav"))
    return [read_at(path, RATE) for path in paths[::10]]


def tone(seconds: float, level: float = 0.5) -> Wave:
    return (level * np.sin(2 * np.pi * 220.3 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [3_100, 8_000, 22_050, 48_000, 192_000])
def test_the_filters_are_pyloudnorms(sample_rate: int) -> None:
    for (b, a), theirs in zip(weighting(sample_rate), meter(sample_rate)._filters.values(), strict=True):
        np.testing.assert_allclose(b, theirs.b, rtol=1e-14, atol=0)
        np.testing.assert_allclose(a, theirs.a, rtol=1e-14, atol=0)


def test_loudness_is_pyloudnorms(clips: list[Wave]) -> None:
    for wave in clips:
        assert loudness_lufs(wave, RATE) == pytest.approx(meter(RATE).integrated_loudness(wave.astype(float)), abs=1e-9)
        assert loudness_lufs(amplified(wave, -6.0), RATE) == pytest.approx(loudness_lufs(wave, RATE) - 6.0, abs=0.05)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("seconds", [0.05, 0.4, 0.55, 2.0, 14.0])
def test_loudness_is_pyloudnorms_at_all_rates_and_lengths(sample_rate: int, seconds: float) -> None:
    """Longer ones are filtered in stretches; a third is so quiet that the gates leave it out."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.1, round(seconds * sample_rate)).astype(np.float32)
    wave[len(wave) // 3 : 2 * len(wave) // 3] *= np.float32(1e-3)
    theirs = meter(sample_rate, min(0.4, seconds)).integrated_loudness(wave.astype(float))
    assert loudness_lufs(wave, sample_rate) == pytest.approx(theirs, abs=1e-9)


def test_what_is_too_quiet_too_short_or_too_slow_for_the_standard() -> None:
    assert loudness_lufs(np.zeros(RATE, np.float32), RATE) is None
    assert loudness_lufs(tone(1, level=1e-4), RATE) is None
    assert loudness_lufs(tone(1), 3_000) is None
    assert loudness_lufs(tone(0.1), RATE) == pytest.approx(loudness_lufs(tone(2), RATE), abs=0.5)
    for samples in range(2000, 2100):  # for some of these, seconds times rate is rounded up by a sample
        assert loudness_lufs(tone(1)[:samples], 22_050) is not None
