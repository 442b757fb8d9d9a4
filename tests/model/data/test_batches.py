"""Tests how utterances are put into batches."""

from functools import partial
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data import batches
from model.data.batches import buckets, packed, padding
from model.data.draw import Draw

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=120)


def drawn(lengths: list[int], number: int) -> Draw:
    """A draw that is as long as asked: its phonemes fill it."""
    return Draw(number, "tts", (), (), "nar", 1, "a" * lengths[number], 0)


def rows(found: list[list[Draw]]) -> list[list[int]]:
    return [[draw.row for draw in batch] for batch in found]


def flat(found: list[list[Draw]]) -> list[int]:
    return [draw.row for batch in found for draw in batch]


@given(LENGTHS, st.integers(1, 2000), st.floats(1.01, 4), st.integers(1, 40))
def test_buckets_hold_each_utterance_once_within_the_budget(
    lengths: list[int], budget: int, growth: float, pool: int
) -> None:
    with patch.object(batches, "POOL", pool):
        found = list(buckets(partial(drawn, lengths), len(lengths), budget, seed=(3,), growth=growth))
    assert sorted(flat(found)) == list(range(len(lengths)))
    for batch in found:
        computed = max(draw.length for draw in batch) * len(batch)
        assert computed == padding(batch) + sum(draw.length for draw in batch)
        assert computed <= budget or len(batch) == 1
        assert len({draw.row // pool for draw in batch}) == 1


@given(LENGTHS, st.integers(1, 2000), st.integers(1, 40), st.data())
def test_both_go_on_from_any_batch(lengths: list[int], budget: int, pool: int, data: st.DataObject) -> None:
    with patch.object(batches, "POOL", pool):
        for plan in (packed, partial(buckets, seed=(3, 1), growth=1.2)):
            whole = rows(list(plan(partial(drawn, lengths), len(lengths), budget)))
            at = data.draw(st.integers(0, len(whole)))
            start = sum(map(len, whole[:at]))
            assert rows(list(plan(partial(drawn, lengths), len(lengths), budget, start))) == whole[at:]


@given(LENGTHS, st.integers(0, 119))
@settings(max_examples=30)
def test_from_within_a_batch_nothing_comes_twice(lengths: list[int], start: int) -> None:
    """A changed budget makes other batches; what was used before stays used."""
    plan = partial(buckets, partial(drawn, lengths), len(lengths), 900, seed=(3,), growth=1.2)
    whole = flat(list(plan()))
    assert flat(list(plan(min(start, len(lengths))))) == whole[start:]


def test_padding_stays_small_and_the_order_isnt_sorted() -> None:
    lengths = np.random.default_rng(0).integers(50, 1500, 4000).tolist()
    shares = []
    for growth in (1.05, 1.1, 1.5):
        found = list(buckets(partial(drawn, lengths), len(lengths), 16_384, seed=(0,), growth=growth))
        computed = sum(max(draw.length for draw in batch) * len(batch) for batch in found)
        shares.append(sum(map(padding, found)) / computed)
        full = [len(batch) * max(draw.length for draw in batch) > 14_000 for batch in found]
        assert sum(full) >= len(full) - 1, "one batch takes what is left"
    assert shares[0] < shares[1] < shares[2]
    assert shares[1] < 0.06
    firsts = [batch[0].length for batch in found]
    assert abs(float(np.corrcoef(firsts, range(len(firsts)))[0, 1])) < 0.3
    other = list(buckets(partial(drawn, lengths), len(lengths), 16_384, seed=(1,), growth=1.5))
    assert rows(found) != rows(other)
