"""Makes the speech of a recording equally loud: whisper skips a quiet sentence beside a loud one."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from stages.audio.silence import frame_power, level_of
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.records import Wave

_MOST_DB = 15.0
"""Most by which a region is made louder or softer, in dB: speech far behind the others stays behind them."""


def even(wave: Wave, regions: Sequence[tuple[int, int]]) -> None:
    """Brings each region of speech to the level of the whole speech, by at most 15 dB; changes the wave itself.

    In a pause the gain goes from that of the region before to that of the region after it. The peak stays at 1 at most.

    Args:
        wave: `[samples]` at 16 kHz; can be written to.
        regions: Where somebody speaks, in samples, in order. None is empty.
    """
    if not regions:
        return
    powers = [frame_power(wave[start:end], SAMPLE_RATE)[0] for start, end in regions]
    whole = level_of(np.concatenate(powers))
    most = 10 ** (_MOST_DB / 20)
    gains = [float(np.clip(np.sqrt(whole / level_of(power)), 1 / most, most)) for power in powers]
    for (start, end), gain in zip(regions, gains, strict=True):
        wave[start:end] *= gain
    for ((_, end), before), ((start, _), after) in pairwise(zip(regions, gains, strict=True)):
        wave[end:start] *= np.linspace(before, after, start - end, dtype=np.float32)
    wave[: regions[0][0]] *= gains[0]
    wave[regions[-1][1] :] *= gains[-1]
    peak = max(float(wave.max()), -float(wave.min()))
    if peak > 1:
        wave /= peak
