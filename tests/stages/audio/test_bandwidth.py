"""Bandwidths of real speech, of which the upper half is missing or not; and of what isn't speech."""

from pathlib import Path

import numpy as np
import pytest

from stages.audio import files as audio
from stages.audio.bandwidth import bandwidth_hz
from stages.records import Wave

RATE = 16_000


@pytest.fixture(scope="module")
def clips(recordings: Path) -> list[Wave]:
    paths = sorted(
        path for path in recordings.rglob("*") if path.suffix in (".wav", ".flac") and "fsdd" not in str(path)
    )
    wide = [path for path in paths if audio.probe(path).sample_rate >= RATE]
    return [audio.read_at(path, RATE)[: 12 * RATE] for path in wide[:: max(1, len(wide) // 12)]]


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_upsampled_speech_is_told(clips: list[Wave], rate: int) -> None:
    for wave in clips:
        native = audio.resample(wave, RATE, rate)
        narrow = audio.resample(audio.resample(wave, RATE, 8000), 8000, rate)
        assert (bandwidth_hz(native, rate) or 0) > 6000
        assert bandwidth_hz(narrow, rate) == pytest.approx(4000, abs=250)


def test_steady_noise_and_tones_are_no_speech(clips: list[Wave]) -> None:
    rng = np.random.default_rng(0)
    for wave in clips[:4]:
        narrow = audio.resample(audio.resample(wave, RATE, 8000), 8000, RATE)
        hiss = rng.normal(0, 10 ** (-75 / 20), len(narrow))
        whistle = 0.001 * np.sin(2 * np.pi * 6500 * np.arange(len(narrow)) / RATE)
        for added in (hiss, whistle):
            assert bandwidth_hz((narrow + added).astype(np.float32), RATE) == pytest.approx(4000, abs=250)


def test_what_noise_hides_is_not_told(clips: list[Wave]) -> None:
    rng = np.random.default_rng(0)
    for wave in clips[:4]:
        noisy = wave + rng.normal(0, float(wave.std()) * 10 ** (-5 / 20), len(wave))
        found = bandwidth_hz(noisy.astype(np.float32), RATE)
        assert found is None or found > 6000


@pytest.mark.parametrize("level", [0.0, 1e-5])
@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_silence_has_none(samples: int, level: float) -> None:
    wave = np.random.default_rng(0).normal(0, level, samples).astype(np.float32)
    assert bandwidth_hz(wave, RATE) is None


@pytest.mark.parametrize("rate", [200, 1000, 8000, 11_025, 192_000])
@pytest.mark.parametrize("seconds", [0.001, 0.1, 1.5])
def test_any_rate_and_length_is_measured(rate: int, seconds: float) -> None:
    """Bursts of noise reach up to half of the rate."""
    samples = max(1, round(seconds * rate))
    bursts = np.repeat(np.random.default_rng(0).normal(0, 1, samples // max(1, rate // 10) + 1) > 0, max(1, rate // 10))
    wave = np.random.default_rng(1).normal(0, 0.1, samples) * np.maximum(bursts[:samples], 1e-3)
    found = bandwidth_hz(wave.astype(np.float32), rate)
    assert found is None or 0 < found <= rate / 2
    assert seconds < 1 or rate < 8000 or (found or 0) > 0.9 * rate / 2
