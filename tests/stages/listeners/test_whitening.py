"""Whitening makes classes vary equally in all directions, and shrinks the covariance of few vectors."""

import numpy as np
import pytest

from stages.listeners.whitening import whitening


def test_with_more_vectors_the_covariance_comes_nearer_to_the_unit_matrix() -> None:
    rng = np.random.default_rng(0)
    mix_DD = rng.normal(size=(5, 5))
    within_DD = mix_DD @ mix_DD.T
    off = []
    for count in (5, 500, 500_000):
        to_white_DD = whitening(within_DD, count)
        off.append(np.abs(to_white_DD.T @ within_DD @ to_white_DD - np.eye(5)).max())
    assert off[0] > off[1] > off[2]
    assert off[2] < 1e-3


def test_a_constant_direction_gets_the_least_share() -> None:
    within_DD = np.diag([1.0, 0.0])
    assert np.isfinite(whitening(within_DD, 10**18, least=1e-6)).all()
    scale_D = np.diag(whitening(within_DD, 10**18, least=1e-6))
    assert scale_D == pytest.approx([1.0, (0.5e-6) ** -0.5], rel=1e-3)
    np.testing.assert_allclose(whitening(np.zeros((2, 2)), 3), np.eye(2) / np.sqrt(0.4))
