"""Toom-Cook convolution: fewer multiplications for several outputs at once.

m outputs of a filter with r taps take m + r - 1 multiplications instead of m * r: inputs and filter are evaluated as
polynomials at n = m + r - 1 points, multiplied there, and interpolated. One of the points is infinity, one is zero, and
the others come in pairs of a number and its negative, which share their even and their odd half.

Source: Fast Algorithms for Convolutional Neural Networks, section 4, https://arxiv.org/abs/1509.09308.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

_POINTS = {
    (5, 2): "2/3 3/2",
    (7, 2): "1/2 1 2",
    (4, 3): "2/3 3/2",
    (6, 3): "1/2 1 2",
    (4, 7): "1/2 3/4 5/4 7/4",
    (6, 7): "2/5 3/4 1 4/3 5/2",
}
"""The positive points by (m, r). These gave the smallest error in float32 of those tried: about 1e-6 of the result for
two and three taps (a plain sum: 3e-7), 4e-6 and 8e-6 for seven."""


@dataclass(frozen=True, slots=True)
class Toom:
    """The three matrices for m outputs of a filter with r taps, n = m + r - 1."""

    outputs: int
    """How many at once: m."""
    taps: int
    """Of the filter: r."""
    inputs_NN: Matrix
    """Evaluates n inputs."""
    filter_NR: Matrix
    """Evaluates a filter."""
    outputs_MN: Matrix
    """Interpolates m outputs."""

    @property
    def points(self) -> int:
        """How many points: n."""
        return self.outputs + self.taps - 1


@cache
def toom(outputs: int, taps: int) -> Toom:
    """Returns the matrices of one of the tabled sizes, computed exactly and then rounded.

    Rows are ordered zero, then each pair (positive, negative), then infinity.
    """
    points = [Fraction(0)]
    for point in _POINTS[outputs, taps].split():
        points += [Fraction(point), -Fraction(point)]
    count = outputs + taps - 1
    assert len(points) == count - 1
    # The product's coefficients are found from its values: the transposed inverse evaluates the inputs.
    inputs = [list(row) for row in zip(*_inverse(_powers(points, count)), strict=True)]
    filters = _powers(points, taps)
    for index, row in enumerate(inputs):
        largest = max(abs(value) for value in row)
        inputs[index] = [value / largest for value in row]
        filters[index] = [value * largest for value in filters[index]]
    matrices = (np.array(inputs, float), np.array(filters, float), np.array(_powers(points, outputs), float).T.copy())
    return Toom(outputs, taps, *matrices)


def _powers(points: list[Fraction], width: int) -> list[list[Fraction]]:
    """Returns the matrix that evaluates a polynomial of `width` coefficients at the points and at infinity."""
    at_infinity = [Fraction(int(power == width - 1)) for power in range(width)]
    return [*([point**power for power in range(width)] for point in points), at_infinity]


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = next(k for k in range(i, size) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(size):
            if k != i and rows[k][i]:
                rows[k] = [value - rows[k][i] * other for value, other in zip(rows[k], rows[i], strict=True)]
    return [row[size:] for row in rows]
