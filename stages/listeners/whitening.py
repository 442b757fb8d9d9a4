"""Within-class covariance normalisation: scales vectors so that classes vary equally in all directions.

Source: Hatch, Kajarekar, Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
(Interspeech 2006).
"""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def whitening(within_DD: Matrix, count: int, *, least: float = 0.0) -> Matrix:
    """Returns the matrix by which row vectors are multiplied to have about unit covariance within classes.

    With few vectors the covariance is uncertain. So it is first shrunk towards a multiple of the unit matrix, with the
    weight D / (D + N).

    Args:
        within_DD: The covariance within the classes.
        count: Number of vectors that it was estimated from, N.
        least: Share of that multiple of the unit matrix that is always added. Without it there is no inverse if N is
            large and nothing varies in some direction.

    Returns:
        `[D, D]` float64.
    """
    width = len(within_DD)
    shrinkage, level = width / (width + count), float(np.trace(within_DD)) / width or 1.0
    shrunk_DD = (1 - shrinkage) * within_DD + (shrinkage + least) * level * np.eye(width)
    to_white_DD: Matrix = np.linalg.inv(np.linalg.cholesky(shrunk_DD)).T
    return to_white_DD
