"""Mel spectra and MFCCs of speech, as librosa computes them, by NumPy alone: librosa takes seconds to import.

Axes: L samples, T frames, F frequency bins, M mel bands, C coefficients.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.records import Wave

Floats = npt.NDArray[np.float32]

_LINEAR_HZ, _MEL_HZ, _LINEAR_MELS = 1000.0, 200 / 3, 15.0
_LOG_STEP = np.log(6.4) / 27
_LEAST_POWER, _RANGE_DB = 1e-10, 80.0
_FRAMES = 4096
"""Frames computed at a time."""


def mel_power(wave: Wave, *, sample_rate: int, window: int, hop: int, mels: int) -> Floats:
    """Returns the power of mel bands, `[M, T]` float32, T = 1 + L // hop: `librosa.feature.melspectrogram`, to the bit.

    Frame t is centred on sample t * hop; outside the wave there is silence. Hann window; Slaney's scale and norm.

    Args:
        wave: `[L]` float32.
        sample_rate: Hz.
        window: Samples of the window and of the transform; even.
        hop: Samples between two frames.
        mels: Bands between 0 Hz and half of the sample rate.
    """
    padded = np.pad(np.asarray(wave, np.float32), window // 2)
    frames_TL = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power_TF = np.empty((len(frames_TL), window // 2 + 1), np.float32)
    for start in range(0, len(frames_TL), _FRAMES):
        spectrum_TF = np.fft.rfft(frames_TL[start : start + _FRAMES] * _hann(window)).astype(np.complex64)
        power_TF[start : start + _FRAMES] = np.square(np.abs(spectrum_TF))
    power_MT: Floats = (power_TF @ mel_filters(sample_rate, window, mels).T).T
    return power_MT


def mfcc(power_MT: Floats, count: int) -> Floats:
    """Returns the first coefficients of mel bands' power, `[C, T]` float32: what `librosa.feature.mfcc` gives.

    The power is taken in dB, at most 80 dB below the loudest; then the orthonormal cosine transform (DCT-II).
    """
    loud_MT = 10 * np.log10(np.maximum(power_MT, np.float32(_LEAST_POWER)))
    loud_MT = np.maximum(loud_MT, loud_MT.max() - np.float32(_RANGE_DB))
    coefficients_CT: Floats = (_cosines(len(power_MT), count) @ loud_MT.astype(np.float64)).astype(np.float32)
    return coefficients_CT


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, window: int, mels: int) -> Floats:
    """Returns triangular filters of unit area, `[M, F]` float32: those of `librosa.filters.mel`.

    Source: the mel scale of the Auditory Toolbox, Slaney 1998: linear up to 1 kHz, logarithmic above.
    """
    edges_M = _hertz(np.linspace(0.0, _mel(sample_rate / 2), mels + 2))[:, None]
    bins_F = np.arange(window // 2 + 1) * (sample_rate / window)
    low, centre, high = edges_M[:-2], edges_M[1:-1], edges_M[2:]
    triangles_MF = np.minimum((bins_F - low) / (centre - low), (high - bins_F) / (high - centre))
    filters_MF: Floats = (np.maximum(0, triangles_MF).astype(np.float32) * (2 / (high - low))).astype(np.float32)
    return filters_MF


def _mel(hertz: float) -> float:
    if hertz < _LINEAR_HZ:
        return hertz / _MEL_HZ
    return float(_LINEAR_MELS + np.log(hertz / _LINEAR_HZ) / _LOG_STEP)


def _hertz(mel: Any) -> Any:
    above = _LINEAR_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _LINEAR_MELS) - _LINEAR_MELS))
    return np.where(mel < _LINEAR_MELS, mel * _MEL_HZ, above)


@lru_cache(maxsize=8)
def _hann(window: int) -> npt.NDArray[np.float64]:
    """Returns the periodic Hann window, `[L]`."""
    return np.asarray(0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, window + 1)[:-1]))


@lru_cache(maxsize=8)
def _cosines(mels: int, count: int) -> npt.NDArray[np.float64]:
    """Returns the matrix of the orthonormal DCT-II, `[C, M]`."""
    angles_CM = np.pi / mels * np.arange(count)[:, None] * (np.arange(mels) + 0.5)
    scales_C1 = np.full((count, 1), np.sqrt(2 / mels))
    scales_C1[0] = np.sqrt(1 / mels)
    return np.asarray(scales_C1 * np.cos(angles_CM))
