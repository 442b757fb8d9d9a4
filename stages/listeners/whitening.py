"""Within-class covariance normalisation: vectors in which a class varies as much in one direction as in another.

Source: Hatch, Kajarekar, Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
(Interspeech 2006).
"""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def whitening(within_DD: Matrix, count: int, *, least: float = 0.0) -> Matrix:
    """Returns what to multiply row vectors by, such that their covariance within the classes is about the unit matrix.

    The covariance is first drawn towards a multiple of the unit matrix by D / (D + N), as few vectors don't tell it.

    Args:
        within_DD: The covariance within the classes.
        count: Vectors that it was taken from, N.
        least: What is added of the unit matrix's multiple in any case, as a share: where nothing varies in a direction,
            and N is large, there is no inverse else.
    """
    width = len(within_DD)
    drawn, level = width / (width + count), float(np.trace(within_DD)) / width or 1.0
    drawn_DD = (1 - drawn) * within_DD + (drawn + least) * level * np.eye(width)
    to_white_DD: Matrix = np.linalg.inv(np.linalg.cholesky(drawn_DD)).T
    return to_white_DD
