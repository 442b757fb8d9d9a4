from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.order import epoch_order, shares

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


def drawn(sizes: list[int], temperature: float, *, interleaved: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns an epoch's rows, numbered from 100, and the class of each row by its number."""
    classes = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(100, 100 + len(classes))
    found = epoch_order(rows, classes, np.random.default_rng(seed), temperature=temperature, interleaved=interleaved)
    return found, classes[found - 100]


@given(SIZES, st.booleans(), st.integers(0, 3))
@settings(max_examples=40)
def test_without_temperature_each_row_comes_once(sizes: list[int], interleaved: bool, seed: int) -> None:
    found, _ = drawn(sizes, 1.0, interleaved=interleaved, seed=seed)
    assert sorted(found) == list(range(100, 100 + sum(sizes)))


@given(SIZES, st.floats(1.0, 100.0), st.booleans())
@settings(max_examples=60)
def test_an_epoch_is_as_long_as_before_and_no_row_comes_again_before_all_of_its_class(
    sizes: list[int], temperature: float, interleaved: bool
) -> None:
    found, classes = drawn(sizes, temperature, interleaved=interleaved)
    assert len(found) == sum(sizes)
    for name, size in enumerate(sizes):
        mine = found[classes == name]
        assert (len(mine) > 0) == (size > 0)
        for start in range(0, len(mine), max(size, 1)):
            assert len(set(mine[start : start + size])) == len(mine[start : start + size])


def test_shares_follow_the_power_of_the_sizes() -> None:
    sizes = np.array([90_000, 9_000, 1_000])
    assert shares(sizes, 1.0).tolist() == sizes.tolist()
    weights = sizes ** (1 / 3)
    assert shares(sizes, 3.0) == pytest.approx(weights / weights.sum() * 100_000, abs=3)
    assert shares(sizes, 1e9) == pytest.approx(np.full(3, 100_000 / 3), abs=3)


def test_interleaved_classes_are_spread_evenly() -> None:
    _, classes = drawn([20, 80, 400], 1.0, interleaved=True)
    for tenth in np.split(classes, 10):
        counts = Counter(tenth.tolist())
        assert counts[0] == pytest.approx(2, abs=1)
        assert counts[1] == pytest.approx(8, abs=1)
    _, clumped = drawn([20, 80, 400], 1.0, interleaved=False)
    assert any(abs(Counter(tenth.tolist())[1] - 8) > 1 for tenth in np.split(clumped, 10))


def test_the_same_generator_gives_the_same_order() -> None:
    for temperature, interleaved in ((1.0, False), (2.0, False), (2.0, True)):
        one, two = (drawn([5, 9], temperature, interleaved=interleaved, seed=3)[0] for _ in range(2))
        assert (one == two).all()
        assert (one != drawn([5, 9], temperature, interleaved=interleaved, seed=4)[0]).any()
