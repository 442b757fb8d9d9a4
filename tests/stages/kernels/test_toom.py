"""Toom-Cook convolution: the matrices give a filter's sums."""

import numpy as np
import pytest

from stages.kernels.toom import _POINTS, toom

SIZES = list(_POINTS)


@pytest.mark.parametrize(("outputs", "taps"), SIZES)
def test_the_outputs_are_the_sums(outputs: int, taps: int) -> None:
    drawn = np.random.default_rng(0)
    values, weights = drawn.normal(size=outputs + taps - 1), drawn.normal(size=taps)
    cook = toom(outputs, taps)
    assert cook.points == outputs + taps - 1
    found = cook.outputs_MN @ ((cook.inputs_NN @ values) * (cook.filter_NR @ weights))
    np.testing.assert_allclose(found, np.correlate(values, weights, "valid"), atol=1e-12)


@pytest.mark.parametrize(("outputs", "taps"), SIZES)
def test_a_pair_of_points_shares_its_halves(outputs: int, taps: int) -> None:
    """The compiled loops read only the even columns of one row and the odd columns of another."""
    cook = toom(outputs, taps)
    assert (cook.inputs_NN[0, 1::2] == 0).all()
    assert (cook.inputs_NN[-1, 0::2] == 0).all()
    signs = (-1.0) ** np.arange(cook.points)
    np.testing.assert_array_equal(cook.inputs_NN[2:-1:2], cook.inputs_NN[1:-1:2] * signs)
    np.testing.assert_array_equal(cook.outputs_MN[:, 2:-1:2].T, cook.outputs_MN[:, 1:-1:2].T * signs[:outputs])
