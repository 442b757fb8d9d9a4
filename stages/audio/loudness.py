"""Measures the loudness of speech (ITU-R BS.1770-4) and the gain to a target loudness."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stages.audio import files as audio
from stages.records import Wave

_BLOCK_S = 0.4
"""Seconds in a block of BS.1770. A shorter wave is measured as one block."""
_GATE_LUFS = -70.0
_RELATIVE_GATE_DB = -10.0
_SHELF_HZ, _SHELF_DB = 1500.0, 4.0
_PASS_HZ = 38.0
_RING_S = 0.15
"""Seconds after which what the filters ring is below 1e-13 of what they began with."""
_STRETCH = 1 << 16
"""Samples filtered at a time, or more at high sample rates."""
_SIZES = [size << n for n in range(9, 25) for size in (2, 3)]
"""Samples of a spectrum: few sizes, so that the filters' spectra are computed once."""

Floats = npt.NDArray[np.float64]
Biquad = tuple[Floats, Floats]


def loudness_lufs(wave: Wave, sample_rate: int) -> float | None:
    """Measures the integrated loudness in LUFS; None if nothing is above the gate of -70 LUFS.

    A wave shorter than a block of 0.4 s is measured as one block. None, too, below 3 kHz, where the weighting has no
    meaning: its shelf would lie above half of the sample rate.

    Source: ITU-R BS.1770-4, annex 1; the filters and the bounds of the blocks are pyloudnorm's.
    """
    if sample_rate <= 2 * _SHELF_HZ or not np.any(wave):
        return None
    block_s = min(_BLOCK_S, len(wave) / sample_rate)
    if block_s * sample_rate > len(wave):  # rounded up: the block would be longer than the wave
        block_s = math.nextafter(block_s, 0)
    power_N = _block_powers(_weighted(wave, sample_rate), sample_rate, block_s)
    loud_N = power_N >= _power(_GATE_LUFS)
    if not loud_N.any():
        return None
    loud_N &= power_N > power_N[loud_N].mean() * 10 ** (_RELATIVE_GATE_DB / 10)
    loudness = _lufs(float(power_N[loud_N].mean()))
    return loudness if loudness > _GATE_LUFS else None


def weighting(sample_rate: int) -> tuple[Biquad, Biquad]:
    """Returns the two filters of the K-weighting: a shelf for the head, and a high pass.

    Each is (b, a), both `[3]` float64 with a[0] = 1: y[n] = b·x[n … n-2] - a[1]·y[n-1] - a[2]·y[n-2].

    Source: the Audio EQ Cookbook, Robert Bristow-Johnson (https://www.w3.org/TR/audio-eq-cookbook/), with the
    frequencies, gains and qualities of pyloudnorm.
    """
    gain = 10 ** (_SHELF_DB / 40)
    cosine, alpha = _angle(_SHELF_HZ, sample_rate, 1 / math.sqrt(2))
    up, down, slope = gain + 1, gain - 1, 2 * math.sqrt(gain) * alpha
    shelf = (
        gain * np.array([up + down * cosine + slope, -2 * (down + up * cosine), up + down * cosine - slope]),
        np.array([up - down * cosine + slope, 2 * (down - up * cosine), up - down * cosine - slope]),
    )
    cosine, alpha = _angle(_PASS_HZ, sample_rate, 0.5)
    high_pass = (
        (1 + cosine) / 2 * np.array([1.0, -2.0, 1.0]),
        np.array([1 + alpha, -2 * cosine, 1 - alpha]),
    )
    return _unit(*shelf), _unit(*high_pass)


def _angle(hertz: float, sample_rate: int, quality: float) -> tuple[float, float]:
    """Returns the cosine of a filter's frequency, and the cookbook's alpha."""
    angle = 2 * math.pi * hertz / sample_rate
    return math.cos(angle), math.sin(angle) / (2 * quality)


def _unit(b: Floats, a: Floats) -> Biquad:
    return b / a[0], a / a[0]


def _weighted(wave: Wave, sample_rate: int) -> Floats:
    """Filters a wave by the K-weighting, `[samples]` float64.

    By products of spectra: without a compiled loop, that is the fast way for a recursive filter. What the filters still
    ring after the end of a stretch is added to the next one.
    """
    ring = math.ceil(_RING_S * sample_rate)
    wanted = min(len(wave) + ring, max(_STRETCH, 4 * ring))
    size = next(size for size in _SIZES if size >= wanted)
    response_F, stretch = _response(sample_rate, size), size - ring
    weighted = np.zeros(len(wave) + size)
    for start in range(0, len(wave), stretch):
        part = wave[start : start + stretch].astype(np.float64)
        weighted[start : start + size] += np.fft.irfft(np.fft.rfft(part, size) * response_F, size)
    return weighted[: len(wave)]


@lru_cache(maxsize=16)
def _response(sample_rate: int, size: int) -> npt.NDArray[np.complex128]:
    """Returns what the weighting multiplies the spectrum of `size` samples by."""
    turn_F = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response_F = np.ones(len(turn_F), complex)
    for b, a in weighting(sample_rate):
        response_F *= np.polyval(b[::-1], turn_F) / np.polyval(a[::-1], turn_F)
    return response_F


def _block_powers(weighted: Floats, sample_rate: int, block_s: float) -> Floats:
    """Returns the mean power of each block; blocks overlap by three quarters."""
    step = 0.25
    count = round((len(weighted) / sample_rate - block_s) / (block_s * step)) + 1
    bounds = [
        (int(block_s * (n * step) * sample_rate), int(block_s * (n * step + 1) * sample_rate)) for n in range(count)
    ]
    return np.array([np.sum(np.square(weighted[low:high])) for low, high in bounds]) / (block_s * sample_rate)


def _lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def gain_db(loudness_lufs: float, peak: float, target_lufs: float) -> float:
    """Returns the gain in dB to a target loudness, limited to what keeps the peak within full scale."""
    room_db = math.floor(-20_000 * math.log10(peak)) / 1000
    return min(round(target_lufs - loudness_lufs, 3), room_db)


def levelled(wave: Wave, sample_rate: int, target_lufs: float) -> Wave:
    """Brings a wave to a loudness, as `slice.loudness_lufs` does; a silent wave stays as it is.

    Args:
        wave: Mono, `[samples]`, in [-1, 1].
        sample_rate: Hz.
        target_lufs: Integrated loudness.
    """
    loudness = loudness_lufs(wave, sample_rate)
    if loudness is None:
        return wave
    return audio.amplified(wave, gain_db(loudness, float(np.abs(wave).max()), target_lufs))
