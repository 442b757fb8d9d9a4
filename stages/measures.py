"""What can be told of a cut's audio without a network: noise, clipping, silence, loudness, and whether it is a copy."""

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from stages import audio
from stages.dnsmos import SAMPLE_RATE
from stages.records import Measures, Wave
from stages.silence import silent_share, snr_db

if TYPE_CHECKING:
    from stages.dnsmos import Dnsmos

_FULL_SCALE = 0.999
_BLOCK_S = 0.4
"""Of BS.1770; what is shorter is one block."""
_GATE_LUFS = -70.0
SILENCE_DB = 40.0
"""dB under a cut's level at which silence begins."""


def measure(wave: Wave, sample_rate: int, dnsmos: "Dnsmos | None" = None) -> Measures:
    """Measures a cut.

    Args:
        wave: Mono, `[samples]`, not empty, in [-1, 1].
        sample_rate: Hz.
        dnsmos: The predictor of opinions; without it there are none.

    Returns:
        The measures, rounded, so that they are the same on every machine.
    """
    loudness = loudness_lufs(wave, sample_rate)
    scores = dnsmos.score(audio.resample(wave, sample_rate, SAMPLE_RATE)) if dnsmos else {}
    return Measures(
        snr_db=round(snr_db(wave, sample_rate), 2),
        clipped=round(float(np.mean(np.abs(wave) >= _FULL_SCALE)), 6),
        silence=round(silent_share(wave, sample_rate, silence_db=SILENCE_DB), 4),
        peak=round(float(np.abs(wave).max()), 6),
        hash=hashlib.blake2b(np.ascontiguousarray(wave, "<f4").tobytes(), digest_size=8).hexdigest(),
        loudness_lufs=None if loudness is None else round(loudness, 3),
        **{name: round(score, 3) for name, score in scores.items()},
    )


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
