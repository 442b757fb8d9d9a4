"""Measures the loudness of speech (ITU-R BS.1770-4) and the gain to a target loudness."""

import math

import numpy as np

from stages.audio import files as audio
from stages.records import Wave

_BLOCK_S = 0.4
"""Seconds in a block of BS.1770. A shorter wave is measured as one block."""
_GATE_LUFS = -70.0


def loudness_lufs(wave: Wave, sample_rate: int) -> float | None:
    """Measures the integrated loudness in LUFS; None if nothing is above the gate of -70 LUFS.

    A wave shorter than a block of 0.4 s is measured as one block.

    Source: ITU-R BS.1770-4, annex 1, by pyloudnorm.
    """
    from pyloudnorm import Meter

    if not np.any(wave):
        return None
    block_s = min(_BLOCK_S, len(wave) / sample_rate)
    if block_s * sample_rate > len(wave):  # rounded up: pyloudnorm would refuse the wave as too short
        block_s = math.nextafter(block_s, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = float(Meter(sample_rate, block_size=block_s).integrated_loudness(wave.astype(np.float64)))
    return loudness if np.isfinite(loudness) and loudness > _GATE_LUFS else None


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
