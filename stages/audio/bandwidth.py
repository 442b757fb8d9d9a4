"""Measures up to which frequency a wave holds speech: less than half of its sample rate if it once had a lower one."""

import math

import numpy as np

from stages.audio.silence import SPEECH_FLOOR_DB
from stages.records import Wave

_WINDOW_S, _HOP_S = 0.032, 0.016
BAND_HZ = 250.0
"""Width of a band, and so the resolution of the measure."""
_LOWEST_HZ = 250.0
_ACTIVE_DB = 40.0
"""Frames less than this below the wave's level hold speech."""
_LOUD, _QUIET = 0.97, 0.1
"""A band's speech is the level that 3 % of its active frames pass; its noise, what a tenth of all frames stay under."""
_OVER_NOISE_DB = 10.0
"""Steady noise, such as that of dither, varies by up to 7 dB between these two."""
_UNDER_PEAK_DB = 75.0
"""What lies further below the loudest band is what a resampler's filter leaves of its mirror images."""
_HIDES_DB, _ABOVE = 38.0, 4
"""Noise in the next bands that is less far below the loudest band hides what speech there may be."""
_QUANTISED_DB = -88.0
"""Power of the whole spectrum, relative to full scale, that the rounding to 16 bits may come to, with and without
dither. Where pauses are digital silence, it comes and goes with the speech."""
_FEWEST = 12
"""Fewest active frames, 0.2 s of speech."""
_AT_ONCE = 2048
_TINY = 1e-20


def bandwidth_hz(wave: Wave, sample_rate: int) -> float | None:
    """Finds the upper edge of the highest band of 250 Hz in which speech comes and goes.

    A recording that was upsampled has no speech above half of its former rate, an MP3 none above its encoder's
    low-pass. Steady noise and tones there don't count.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.

    Returns:
        Hz, at most half of the sample rate; None if it can't be told: there are under 0.2 s of speech, or noise hides
        what lies above.
    """
    power_TB = _band_powers(wave, sample_rate)
    total_T = power_TB.sum(axis=1)
    level = float(np.square(total_T).sum() / max(total_T.sum(), _TINY))
    if 10 * math.log10(max(level, _TINY)) < SPEECH_FLOOR_DB:
        return None
    active_T = total_T > level * 10 ** (-_ACTIVE_DB / 10)
    if np.count_nonzero(active_T) < _FEWEST:
        return None
    loud_B = 10 * np.log10(np.quantile(power_TB[active_T], _LOUD, axis=0))
    quiet_B = 10 * np.log10(np.quantile(power_TB, _QUIET, axis=0))
    floor = max(float(loud_B.max()) - _UNDER_PEAK_DB, _QUANTISED_DB - 10 * math.log10(len(loud_B)))
    spoken_B = (loud_B - quiet_B > _OVER_NOISE_DB) & (loud_B > floor)
    if not spoken_B.any():
        return None
    end = int(np.flatnonzero(spoken_B)[-1]) + 1
    if end < len(loud_B) - 1 and np.median(quiet_B[end : end + _ABOVE]) > loud_B.max() - _HIDES_DB:
        return None
    return min(_LOWEST_HZ + BAND_HZ * end, sample_rate / 2)


def _band_powers(wave: Wave, sample_rate: int) -> np.ndarray:
    """Returns the power of each frame in each band from 250 Hz on, `[T, B]`, relative to full scale."""
    size, hop = round(_WINDOW_S * sample_rate), round(_HOP_S * sample_rate)
    wave = np.pad(wave, (0, max(0, size - len(wave))))
    window = np.blackman(size).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    bins_hz = np.arange(size // 2 + 1) * sample_rate / size
    starts = np.searchsorted(bins_hz, np.arange(_LOWEST_HZ, sample_rate / 2 - BAND_HZ / 2, BAND_HZ))
    parts = []
    for first in range(0, len(frames), _AT_ONCE):
        spectrum = np.fft.rfft(frames[first : first + _AT_ONCE] * window)
        power = spectrum.real**2 + spectrum.imag**2
        parts.append(np.add.reduceat(power, starts, axis=1))
    return np.concatenate(parts) * 2 / (size * float(np.square(window).sum())) + _TINY
