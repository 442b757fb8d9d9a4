"""Where a document's text lies beside its response: the positions of spaced texts, and what follows the text.

Axes: S positions of the first segment, which holds the text; M of the response.
"""

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


def spaced(text: tuple[int, int], apart: float, start: float, group: int) -> Int64s:
    """Returns the positions `[S]` of a segment whose phonemes are as far apart as the frames that say them.

    Args:
        text: The position of the first phoneme in the segment, and how many there are; one more symbol follows.
        apart: Frames from a phoneme to the next. Each is put in the middle of its frames.
        start: Where the text begins, in frames of the response.
        group: Frames of a position of the response.
    """
    first, phonemes = text
    places = (np.arange(first + phonemes + 1) - first + 0.5) * apart + start
    return np.floor(places / group).astype(np.int64)
