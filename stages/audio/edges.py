"""Tells whether a cut begins or ends in the middle of sound: what is said there is probably cut off."""

import numpy as np

from stages.audio.silence import FRAME_S, frame_power, level_of
from stages.records import Wave

_EDGE_S = 0.05
"""Seconds at each end in which a cut at a pause is quiet. The stop of a consonant is seldom longer."""
_BACKGROUND_S, _QUIETEST = 0.05, 0.05
"""The background is the power under which so large a share of all windows of so many seconds lies."""
_OVER_DB = 10.0
"""What isn't this much louder than the background may be the background."""
_SHORTEST_S = 0.3
"""Seconds of sound in which a background can be told from speech."""


def edge_levels(wave: Wave, sample_rate: int) -> tuple[float | None, float | None]:
    """Returns how loud a cut is where it begins and where it ends.

    A cut at pauses begins and ends with less sound than one through a word. No words are looked at, so this holds for
    any language; but a cut that falls into the stop of a consonant, or between two words, isn't told.

    Args:
        wave: Mono, `[samples]`, not empty.
        sample_rate: Hz.

    Returns:
        The level of the loudest 10 ms within the first 50 ms, and within the last, in dB relative to the cut's level
        (see `level_of`). None where that isn't clearly louder than the background, or the cut is shorter than 0.3 s.
    """
    power, _ = frame_power(wave, sample_rate)
    if len(power) < _SHORTEST_S / FRAME_S:
        return None, None
    width = round(_BACKGROUND_S / FRAME_S)
    background = float(np.quantile(np.convolve(power, np.ones(width) / width, "valid"), _QUIETEST))
    least, level = background * 10 ** (_OVER_DB / 10), level_of(power)
    count = round(_EDGE_S / FRAME_S)

    def relative(loudest: float) -> float | None:
        return float(10 * np.log10(loudest / level)) if loudest > least else None

    # The last samples may not fill a frame: they are in the frames of the reversed wave.
    backwards, _ = frame_power(wave[::-1], sample_rate)
    return relative(float(power[:count].max())), relative(float(backwards[:count].max()))
