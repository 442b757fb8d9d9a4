"""DRY, against the rule read letter by letter."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from model.decoding.samplers.dry import LONGEST, dry_penalised, matches
from tests.model.decoding.samplers.test_sampler import history


def by_the_rule(row: list[int], multiplier: float, base: float, allowed: int, size: int) -> list[float]:
    """What is subtracted from each code, by comparing every two places."""
    penalties = [0.0] * size
    for at, code in enumerate(row):
        match = 0
        while match < min(at, LONGEST) and row[at - 1 - match] == row[-1 - match]:
            match += 1
        if match >= allowed:
            penalties[code] = max(penalties[code], multiplier * base ** (match - allowed))
    return penalties


@given(
    st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=4),
    st.floats(0.1, 2),
    st.floats(1, 2),
    st.integers(1, 4),
)
def test_it_is_the_rule(rows: list[list[int]], multiplier: float, base: float, allowed: int) -> None:
    logits = torch.zeros(len(rows), 4)
    found = dry_penalised(logits, history(*rows), multiplier, base, allowed)
    wanted = torch.tensor([by_the_rule(row, multiplier, base, allowed, 4) for row in rows])
    torch.testing.assert_close(-found, wanted)


def test_worked_numbers() -> None:
    # ... 1 2 3 5, then again 1 2 3: to go on with 5 would repeat after a match of three codes
    found = dry_penalised(torch.zeros(1, 6), history([1, 2, 3, 5, 1, 2, 3]), 0.8, 1.75, 2)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -0.8 * 1.75]]))
    assert matches(history([1, 2, 3, 5, 1, 2, 3]))[0, :7].tolist() == [0, 0, 0, 3, 0, 0, 0]


def test_a_long_loop_stays_finite() -> None:
    found = dry_penalised(torch.zeros(1, 2), history([1] * 300, capacity=400), 5.0, 3.0, 1)
    assert found.isfinite().all()
    assert found[0, 1] <= -1e4
