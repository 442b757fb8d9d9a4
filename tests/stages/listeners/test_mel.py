"""Mel spectra and MFCCs, against librosa."""

import numpy as np
import pytest

from stages.listeners.mel import mel_filters, mel_power, mfcc
from stages.records import Wave

RATE, WINDOW, HOP = 16_000, 400, 160


def speechlike(samples: int) -> Wave:
    """Noise in bursts, 60 dB of range."""
    rng = np.random.default_rng(samples)
    levels = 10 ** rng.uniform(-3, 0, samples // 800 + 1)
    return (0.1 * rng.normal(size=samples) * np.repeat(levels, 800)[:samples]).astype(np.float32)


@pytest.mark.parametrize(("rate", "window", "mels"), [(16_000, 400, 80), (24_000, 1024, 100), (8_000, 256, 20)])
def test_the_filters_are_librosas(rate: int, window: int, mels: int) -> None:
    import librosa

    theirs = librosa.filters.mel(sr=rate, n_fft=window, n_mels=mels)
    np.testing.assert_array_equal(mel_filters(rate, window, mels), theirs)


@pytest.mark.filterwarnings("ignore:n_fft=400 is too large")
@pytest.mark.parametrize("samples", [1, 300, 400, 401, 16_000, 700_000])
@pytest.mark.parametrize("mels", [40, 80])
def test_spectra_and_coefficients_are_librosas(samples: int, mels: int) -> None:
    import librosa

    wave = speechlike(samples)
    power_MT = mel_power(wave, sample_rate=RATE, window=WINDOW, hop=HOP, mels=mels)
    theirs_MT = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=WINDOW, hop_length=HOP, n_mels=mels)
    np.testing.assert_allclose(power_MT, theirs_MT, rtol=1e-6, atol=1e-6 * float(theirs_MT.max()))
    theirs_CT = librosa.feature.mfcc(S=librosa.power_to_db(theirs_MT), n_mfcc=20)
    coefficients_CT = mfcc(power_MT, 20)
    assert coefficients_CT.dtype == np.float32
    np.testing.assert_allclose(coefficients_CT, theirs_CT, rtol=1e-5, atol=1e-4)


def test_silence_has_coefficients() -> None:
    power_MT = mel_power(np.zeros(2000, np.float32), sample_rate=RATE, window=WINDOW, hop=HOP, mels=80)
    coefficients_CT = mfcc(power_MT, 40)
    np.testing.assert_allclose(coefficients_CT[0], -100 * np.sqrt(80), rtol=1e-6)
    np.testing.assert_allclose(coefficients_CT[1:], 0, atol=1e-4)
