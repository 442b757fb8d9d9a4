"""Speaker vectors, and how similar two are."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Vector = npt.NDArray[np.float32]
"""A voice, `[D]`, of length 1."""


def similarity(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float:
    """Returns the cosine of two vectors of length 1, from -1 to 1."""
    return float(np.dot(one, other))


def unit(vector: "torch.Tensor") -> Vector:
    """Returns a vector `[D]` scaled to length 1; zeros stay zeros."""
    array: Vector = vector.float().cpu().numpy()
    norm = float(np.linalg.norm(array))
    return array / norm if norm > 0 else array
