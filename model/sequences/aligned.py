"""Where a document's text lies beside its response: the positions of spaced texts, and what follows the text.

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


def laid_out(
    text: tuple[int, int], paces: tuple[float, Sequence[float]], *, frames: int | None, before: int, group: int
) -> Int64s:
    """Returns the positions `[S]` of a segment whose phonemes are where the frames are that say them.

    Args:
        text: The position of the first phoneme in the segment, and how many there are; one more symbol follows.
        paces: Frames of silence at either end, and frames of each phoneme, which is put in the middle of its own.
        frames: To stretch them to, from the beginning to the end; None leaves them as they are.
        before: Frames that were said before the response.
        group: Frames of a position of the response.
    """
    first, _ = text
    edge, each = paces
    ends_S = np.concatenate([np.full(first, 0.0), [edge], edge + np.cumsum(each)])
    middles_S = ends_S[:-1].copy()
    middles_S[first:] += np.asarray(each) / 2
    middles_S[:first] = 0.0
    places_S = np.append(middles_S, ends_S[-1])
    if frames is not None:
        places_S *= frames / max(ends_S[-1] + edge, 1e-6)
    places_S[:first] = np.arange(-first, 0)
    return np.floor((places_S - before) / group).astype(np.int64)
