"""Finds the scale of floating-point files whose samples aren't in [-1, 1], such as integers that were only cast."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.audio.decoder import Channels
from stages.errors import AudioError

_OVER = 8.0
"""Largest peak of a file in [-1, 1] that was mixed too loud (18 dB over full scale)."""
_ABOVE = 1.12
"""A scale's peak may be exceeded by this factor (1 dB): resampling and filters overshoot."""
_LEAST_SHARE = 0.05
"""Least share of the samples that aren't 0 with a magnitude over 1. A single click has less."""


@dataclass(frozen=True, slots=True)
class _Scale:
    name: str
    full: float
    """What full scale is in it."""
    least: float
    """Lowest peak that is taken for it; more than 30 dB under full scale is too quiet to be sure."""
    integers: bool | None = None
    """Whether the samples must be whole numbers, or mustn't all be; None if that says nothing."""


_SCALES = (
    _Scale("16-bit integers", 2.0**15, 2.0**8, integers=True),
    _Scale("percent", 100.0, 40.0, integers=False),
    _Scale("16-bit integers", 2.0**15, 2.0**10),
    _Scale("24-bit integers", 2.0**23, 2.0**18),
    _Scale("32-bit integers", 2.0**31, 2.0**26),
)


@dataclass(slots=True)
class _Levels:
    peak: float = 0.0
    lowest: float = 0.0
    sounding: int = 0
    over: int = 0
    integers: bool = True


def _levels(blocks: Iterable[Channels]) -> _Levels:
    found = _Levels()
    for block in blocks:
        if not block.size:
            continue
        size = np.abs(block)
        found.peak = max(found.peak, float(size.max()))
        found.lowest = min(found.lowest, float(block.min()))
        found.sounding += int(np.count_nonzero(block))
        if found.peak > 1:
            found.over += int(np.count_nonzero(size > 1))
        found.integers = found.integers and bool(np.array_equal(block, np.rint(block)))
    return found


def scale_of(path: Path, blocks: Iterable[Channels]) -> tuple[float, str]:
    """Returns the factor that brings a file's samples into [-1, 1], and what must be said of it.

    Args:
        path: The file, for messages.
        blocks: All of its samples.

    Returns:
        1 and "" for samples in [-1, 1]. 1 and a note if they go over full scale a little: they stay as they are.

    Raises:
        AudioError: if they are far outside, and of no scale that is sure.
    """
    found = _levels(blocks)
    if not np.isfinite(found.peak) or found.peak <= 1:
        return 1.0, ""  # NaN and infinity are another check's business
    if found.peak <= _OVER and not found.integers:
        over = 100 * found.over / found.sounding
        return 1.0, f"over full scale: peak {found.peak:.3g}, {over:.2g} % of the samples"
    signed = found.lowest < 0
    for scale in _SCALES:
        fits = scale.least < found.peak <= scale.full * (1.0 if scale.integers else _ABOVE)
        fits = fits and scale.integers in {None, found.integers}
        if fits and signed and found.over >= _LEAST_SHARE * found.sounding:
            return 1 / scale.full, f"scaled by 1/{scale.full:.0f} ({scale.name})"
    raise AudioError(
        f"`{path}` must hold samples in [-1, 1], but its peak is {found.peak:.6g}, and which scale that is can't"
        " be told. Divide its samples by their full scale (32768 for 16-bit integers), or write them as integers.",
        "BadScale",
    )
