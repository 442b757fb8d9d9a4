"""Moves the borders between segments to where the sound is quietest."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from stages.audio.silence import quietest
from stages.records import Segment, Wave
from stages.utterances import cuts

_TOUCHING_S = 0.02
"""Seconds. A shorter gap between segments comes from rounded times, not from a pause."""

Read = Callable[[int, int], tuple[Wave, int]]
"""Reads the recording from one sample to another; returns the wave and its rate."""


def searched_between_all(search_s: float, margin_s: float) -> bool:
    """Returns whether borders are searched for with so little margin, which wasn't so before 0.2."""
    return bool(search_s) and margin_s <= _TOUCHING_S / 2


def at_quiet_points(
    pieces: Sequence[Segment], read: Read, limits: cuts.Limits, *, search: int, rate: int
) -> list[Segment]:
    """Moves borders between segments without word times to the quietest point, where the pause is short.

    Searches the pause; around the border, within reach, where segments touch.

    Args:
        pieces: Sorted by time, without overlap.
        read: Reads their recording.
        limits: No segment becomes longer than `longest`.
        search: The reach in samples; 0: nothing is moved.
        rate: Hz.
    """
    moved = list(pieces)
    touching = _TOUCHING_S * rate
    for i in range(len(moved) - 1 if search else 0):
        left, right = moved[i : i + 2]
        pause = right.start_samples - left.end_samples
        apart = pause > touching and pause >= 2 * limits.margin
        if left.words or right.words or apart:
            continue
        reach = min(search, cuts.length(left) // 2, cuts.length(right) // 2) if pause <= touching else 0
        first = max(left.end_samples - reach, right.end_samples - limits.longest)
        last = min(right.start_samples + reach, left.start_samples + limits.longest)
        if first < last:
            border = first + quietest(*read(first, last))
            moved[i : i + 2] = replace(left, end_samples=border), replace(right, start_samples=border)
    return moved
