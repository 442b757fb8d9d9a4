"""Where a document's text lies beside its response: the times of its symbols, their positions, what follows the text.

Axes: S positions of the first segment, which holds the text; M of the response.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Where a document has its text, and the positions of the response that run along it."""

    text: int = 0
    """The position of the first phoneme."""
    phonemes: int = 0
    """How many phonemes; 0 if the text isn't that of the response alone, or too long for it."""
    first: int = 0
    """The first position of the response that shows or predicts a frame (group of frames)."""
    positions: int = 0
    """How many do."""


NOT_ALIGNED = Aligned()


@dataclass(frozen=True, slots=True)
class Times:
    """How many frames a text takes: each symbol, and the silence before and after them. Some symbols take none."""

    lead: float
    each: Sequence[float]
    tail: float

    @property
    def total(self) -> float:
        """Frames of all."""
        return self.lead + sum(self.each) + self.tail

    def ends(self) -> npt.NDArray[np.float64]:
        """Returns where the silence before, each symbol and the silence after end, `[1 + symbols + 1]`."""
        return np.cumsum([self.lead, *self.each, self.tail], dtype=np.float64)

    def counts(self, frames: int) -> Int64s:
        """Returns the whole frames of silence, symbols and silence, stretched to so many: `[1 + symbols + 1]`."""
        ends = np.rint(self.ends() * (frames / max(self.total, 1e-6))).astype(np.int64)
        ends[-1] = frames
        return np.diff(ends, prepend=0)

    def said(self, ids: Sequence[int], silence: int, frames: int | None = None) -> Int64s:
        """Returns the symbol that each frame says, `[frames]`.

        Args:
            ids: The symbols.
            silence: Says that none is said.
            frames: To stretch all to; None leaves the times as they are.
        """
        counts = self.counts(round(self.total) if frames is None else frames)
        return np.repeat(np.array([silence, *ids, silence], np.int64), counts)

    def after(self, symbols: int, frames: int, rest: int | None = None) -> "Times":
        """Returns the times of a text of which the first symbols were said in so many frames.

        Args:
            symbols: How many were.
            frames: That they took, with the silence before them.
            rest: Frames that the others take; None leaves their times as they are.
        """
        said, left = self.lead + sum(self.each[:symbols]), sum(self.each[symbols:]) + self.tail
        first = frames / max(said, 1e-6)
        second = 1.0 if rest is None else rest / max(left, 1e-6)
        each = [first * one for one in self.each[:symbols]] + [second * one for one in self.each[symbols:]]
        return Times(first * self.lead, each, second * self.tail)


def aligned(text: tuple[int, int], along_M: Int64s) -> Aligned:
    """Returns the places of a text and of what follows it, if each position can be at a phoneme.

    Args:
        text: The position of the first phoneme, and how many there are.
        along_M: Positions of the response, one after the other. From each to the next, the text goes on by two phonemes
            at most; so some texts are too long for it.
    """
    first, phonemes = text
    if not phonemes or not len(along_M) or 2 * len(along_M) < phonemes - 1:
        return NOT_ALIGNED
    return Aligned(first, phonemes, int(along_M[0]), len(along_M))


def laid_out(text: tuple[int, int], times: Times, *, frames: int | None, before: int, group: int) -> Int64s:
    """Returns the positions `[S]` of a segment whose phonemes are where the frames are that say them.

    Args:
        text: The position of the first phoneme in the segment, and how many there are; one more symbol follows.
        times: Frames of the text; each phoneme is put in the middle of its own.
        frames: To stretch them to, from the beginning to the end; None leaves them as they are.
        before: Frames that were said before the response.
        group: Frames of a position of the response.
    """
    first, _ = text
    ends_S = np.concatenate([np.full(first, 0.0), times.ends()[:-1]])
    middles_S = ends_S[:-1].copy()
    middles_S[first:] += np.asarray(times.each) / 2
    middles_S[:first] = 0.0
    places_S = np.append(middles_S, ends_S[-1])
    if frames is not None:
        places_S *= frames / max(times.total, 1e-6)
    places_S[:first] = np.arange(-first, 0)
    return np.floor((places_S - before) / group).astype(np.int64)


def fitted(said_T: Int64s, frames: int, silence: int) -> Int64s:
    """Returns what so many frames say, silence after the end."""
    return np.append(said_T, np.full(max(0, frames - len(said_T)), silence))[:frames]
