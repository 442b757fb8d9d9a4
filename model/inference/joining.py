"""Joins the waves of a text's parts, with the pauses between them."""

from collections.abc import Sequence

import numpy as np

from stages.audio.silence import sound_edges
from stages.records import Wave

SILENCE_DB = 40.0
"""How far below the level of a part its beginning and end count as silence, in dB."""
RAMP_S = 0.01
"""Length over which a part fades in and out where it is joined."""


def joined(waves: Sequence[Wave], pauses_s: Sequence[float], sample_rate: int, *, lead_s: float = 0.0) -> Wave:
    """Joins waves.

    A pause is as long as asked, whatever silence the parts end and begin with: that counts, and what is too much is cut
    away. Where a part is joined it fades, so there is no click. A single wave without pauses is returned as it is.

    Args:
        waves: Mono, `[samples]` float32 each, at least one.
        pauses_s: Silence after each wave, in seconds; after the last, 0 leaves its end as it is.
        sample_rate: Hz.
        lead_s: Silence before the first wave; 0 leaves its beginning as it is.

    Returns:
        `[samples]` float32.
    """
    if len(waves) == 1 and not lead_s and not pauses_s[0]:
        return waves[0]
    before_s = [lead_s, *pauses_s[:-1]]
    last = len(waves) - 1
    found: list[Wave] = []
    left_over = 0
    """Samples of silence that the wave before has at its end."""
    for number, wave in enumerate(waves):
        after_s = pauses_s[number]
        opened, closed = number > 0 or before_s[number] > 0, number < last or after_s > 0
        start, end = _edges(wave, sample_rate)
        wanted, wanted_after = round(before_s[number] * sample_rate), round(after_s * sample_rate)
        kept_before = min(start, wanted // 2)
        kept_after = min(len(wave) - end, wanted_after // 2)
        start, end = (start - kept_before if opened else 0), (end + kept_after if closed else len(wave))
        if opened:
            found.append(np.zeros(wanted - kept_before - left_over, np.float32))
        found.append(_faded(wave[start:end], sample_rate, opened=opened, closed=closed))
        left_over = kept_after
    if pauses_s[-1] > 0:
        found.append(np.zeros(round(pauses_s[-1] * sample_rate) - left_over, np.float32))
    return np.concatenate(found)


def _edges(wave: Wave, sample_rate: int) -> tuple[int, int]:
    """Returns where sound begins and ends; the whole wave if there is none."""
    edges = sound_edges(wave, sample_rate, silence_db=SILENCE_DB) if len(wave) else None
    return edges or (0, len(wave))


def _faded(wave: Wave, sample_rate: int, *, opened: bool, closed: bool) -> Wave:
    """Returns the wave with half a cosine at the ends that are joined."""
    count = min(round(RAMP_S * sample_rate), len(wave) // 2)
    if not count:
        return wave
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)).astype(np.float32)
    faded = wave.copy()
    if opened:
        faded[:count] *= ramp
    if closed:
        faded[-count:] *= ramp[::-1]
    return faded
