"""Measures a cut's audio: noise, clipping, silence, loudness, bandwidth, reverberation, what finds copies, DNSMOS."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from stages.audio import files as audio
from stages.audio.bandwidth import bandwidth_hz
from stages.audio.loudness import loudness_lufs
from stages.audio.silence import edge_levels, silent_share, snr_db
from stages.listeners.dnsmos import SAMPLE_RATE
from stages.listeners.reverberation import srmr
from stages.records import Measures, Wave
from stages.utterances.sketch import sketch

if TYPE_CHECKING:
    from stages.listeners.dnsmos import Dnsmos

_FULL_SCALE = 0.999
"""Samples of at least this magnitude count as clipped."""
SILENCE_DB = 40.0
"""dB below a cut's level at which silence begins."""


def measure(
    wave: Wave,
    sample_rate: int,
    dnsmos: "Dnsmos | None" = None,
    *,
    reverberation: bool = False,
    edges: bool = False,
) -> Measures:
    """Measures a cut.

    Args:
        wave: Mono, `[samples]`, not empty, in [-1, 1].
        sample_rate: Hz.
        dnsmos: Predicts listeners' opinions; without it these measures stay empty.
        reverberation: Whether SRMR is measured, which costs as much as the rest.
        edges: Whether the levels at both ends are measured.

    Returns:
        The measures, rounded to be the same on every machine.
    """
    loudness = loudness_lufs(wave, sample_rate)
    heard = audio.resample(wave, sample_rate, SAMPLE_RATE) if dnsmos or reverberation else wave
    ratio = srmr(heard) if reverberation else None
    ends = edge_levels(wave, sample_rate) if edges else (None, None)
    scores = dnsmos.score(heard) if dnsmos else {}
    return Measures(
        snr_db=round(snr_db(wave, sample_rate), 2),
        clipped=round(float(np.mean(np.abs(wave) >= _FULL_SCALE)), 6),
        silence=round(silent_share(wave, sample_rate, silence_db=SILENCE_DB), 4),
        peak=round(float(np.abs(wave).max()), 6),
        hash=hashlib.blake2b(np.ascontiguousarray(wave, "<f4").tobytes(), digest_size=8).hexdigest(),
        sketch=sketch(wave, sample_rate),
        bandwidth_hz=bandwidth_hz(wave, sample_rate),
        srmr=None if ratio is None else round(ratio, 3),
        begins_db=None if ends[0] is None else round(ends[0], 2),
        ends_db=None if ends[1] is None else round(ends[1], 2),
        loudness_lufs=None if loudness is None else round(loudness, 3),
        **{name: round(score, 3) for name, score in scores.items()},
    )
