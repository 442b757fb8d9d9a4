"""Numbers the heads that predict (`Document.head`); which columns and tokens show codes, by mode and codebook."""

import numpy as np
import numpy.typing as npt

from model.sequences.tokenizer import Tokenizer


def head_of_all(num_codebooks: int, codebook: int, level: int) -> int:
    """Returns which head predicts a codebook on a canvas of all codebooks.

    Args:
        num_codebooks: K.
        codebook: The predicted one, `level` or above.
        level: The first codebook with masked codes. Predictions of the ones above are counted apart: they don't know
            the codes below their own.
    """
    return num_codebooks + 2 + codebook + (0 if codebook == level else num_codebooks - 1)


def codebook_of_all(num_codebooks: int, head: int) -> int | None:
    """Returns the codebook that a head predicts on a canvas of all codebooks; None for the other heads."""
    place = head - num_codebooks - 2
    if not 0 <= place < 2 * num_codebooks - 1:
        return None
    return place if place < num_codebooks else place - num_codebooks + 1


def num_heads(num_codebooks: int) -> int:
    """Returns the number of heads, without heads ahead, whose numbers follow."""
    return 3 * num_codebooks + 1


def masked_alone(tokenizer: Tokenizer, level: int) -> tuple[int, int]:
    """Returns the token of a masked frame on a canvas of one codebook, and the head that predicts it."""
    return (tokenizer.level(level), level) if level else (tokenizer.mask, tokenizer.num_codebooks + 1)


def frame_tokens(tokenizer: Tokenizer, num_codebooks: int) -> npt.NDArray[np.int64]:
    """Returns the token of a frame of the mode all, by how many of its codebooks are known, `[K + 1]`."""
    levels = [tokenizer.level(level) for level in range(1, num_codebooks)]
    return np.array([tokenizer.mask, *levels, tokenizer.canvas], np.int64)


def group_columns(num_codebooks: int, group: int) -> list[int]:
    """Returns the columns of the codes that show a group's frames: 0, K ... K + G - 2."""
    return [0, *range(num_codebooks, num_codebooks + group - 1)]
