"""Loudness of speech, and the gain that brings it to a target (ITU-R BS.1770-4)."""

import math

import numpy as np

from stages.audio import files as audio
from stages.records import Wave

_BLOCK_S = 0.4
"""Of BS.1770; what is shorter is one block."""
_GATE_LUFS = -70.0


def loudness_lufs(wave: Wave, sample_rate: int) -> float | None:
    """Returns the integrated loudness in LUFS; None where nothing is above the gate of -70 LUFS.

    Source: ITU-R BS.1770-4, annex 1, by pyloudnorm; a wave shorter than its block of 0.4 s is taken for one block.
    """
    from pyloudnorm import Meter

    if not np.any(wave):
        return None
    block_s = min(_BLOCK_S, len(wave) / sample_rate)
    if block_s * sample_rate > len(wave):  # by a rounding, and the wave would count as too short
        block_s = math.nextafter(block_s, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = float(Meter(sample_rate, block_size=block_s).integrated_loudness(wave.astype(np.float64)))
    return loudness if np.isfinite(loudness) and loudness > _GATE_LUFS else None


def gain_db(loudness_lufs: float, peak: float, target_lufs: float) -> float:
    """Returns what brings a wave to a loudness, in dB; no more than keeps its peak within full scale."""
    room_db = math.floor(-20_000 * math.log10(peak)) / 1000
    return min(round(target_lufs - loudness_lufs, 3), room_db)


def levelled(wave: Wave, sample_rate: int, target_lufs: float) -> Wave:
    """Returns a wave as loud as `slice.loudness_lufs` makes it; one that is silent stays so.

    Args:
        wave: Mono, `[samples]`, in [-1, 1].
        sample_rate: Hz.
        target_lufs: Integrated loudness.
    """
    loudness = loudness_lufs(wave, sample_rate)
    if loudness is None:
        return wave
    return audio.amplified(wave, gain_db(loudness, float(np.abs(wave).max()), target_lufs))
