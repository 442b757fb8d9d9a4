"""Rows in buffers that stay where they are."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from model.decoding.engine.rows import Rows

COUNTS = st.lists(st.integers(0, 4), max_size=4)


def new(first: int, count: int, length: int) -> dict[str, torch.Tensor]:
    numbers_B = torch.arange(first, first + count)
    return {"number": numbers_B, "codes": numbers_B[:, None].expand(count, length).clone()}


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 7), st.randoms(use_true_random=False)), max_size=6))
def test_rows_follow_what_is_added_and_taken(changes: list) -> None:  # type: ignore[type-arg]
    rows = Rows(number=torch.zeros(0, dtype=torch.int64), codes=torch.zeros(0, 0, dtype=torch.int64))
    held: list[tuple[int, int]] = []
    for first, (count, length, random) in enumerate(changes):
        rows.add(**new(10 * first, count, length))
        held += [(10 * first + row, length) for row in range(count)]
        order = random.choices(range(len(held)), k=random.randint(0, len(held) + 1))
        rows.take(torch.tensor(order, dtype=torch.int64))
        held = [held[row] for row in order]
        assert len(rows) == len(held)
        assert rows["number"].tolist() == [number for number, _ in held]
        for codes_T, (number, known) in zip(rows["codes"].tolist(), held, strict=True):
            assert codes_T[:known] == [number] * known
            assert not any(codes_T[known:])


def test_buffers_stay_while_they_are_large_enough() -> None:
    rows = Rows(number=torch.zeros(0, dtype=torch.int64), codes=torch.zeros(0, 0, dtype=torch.int64))
    rows.add(**new(0, 4, 5))
    addresses, moves = [rows[name].data_ptr() for name in rows.names], rows.moves
    rows.take(torch.tensor([3, 0]))
    rows.add(**new(7, 2, 3))
    rows["number"].add_(1)
    assert rows["number"].tolist() == [4, 1, 8, 9]
    assert [rows[name].data_ptr() for name in rows.names] == addresses
    assert rows.moves == moves
    rows.add(**new(7, 1, 6))
    assert rows.moves == moves + 2
    assert rows["codes"].tolist()[0] == [3, 3, 3, 3, 3, 0]
