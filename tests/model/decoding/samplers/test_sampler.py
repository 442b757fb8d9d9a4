"""The rows of the table of samplers: the history they see, and settings that contradict each other."""

import pytest
import torch

from model.decoding.samplers.chain import SAMPLERS, Sampling
from model.decoding.samplers.sampler import Draws
from stages.errors import UsageError

CPU = torch.device("cpu")


def history(*rows: list[int], capacity: int = 12, stop: int | None = None) -> Draws:
    """Rows that were drawn so far; behind them stands what must not be read."""
    codes_BT = torch.full((len(rows), capacity), 10**9)
    for row, codes in enumerate(rows):
        codes_BT[row, : len(codes)] = torch.tensor(codes, dtype=torch.int64)
    return Draws(codes_BT, torch.tensor([len(codes) for codes in rows]), stop, {})


def test_what_is_added_is_what_was_drawn() -> None:
    draws = Draws.allocate(2, 5, stop=None, state={}, device=CPU)
    codes_BT, lengths_B = draws.codes_BT, draws.lengths_B
    draws.add(torch.tensor([[3], [4]]))
    draws.add(torch.tensor([[5, 6], [7, 8]]))
    assert draws.codes_BT[:, :3].tolist() == [[3, 5, 6], [4, 7, 8]]
    assert draws.lengths_B.tolist() == [3, 3]
    assert draws.codes_BT is codes_BT
    assert draws.lengths_B is lengths_B, "a CUDA graph holds the buffers"
    assert draws.back().tolist() == [[3, 2, 1, 0, -1]] * 2


def test_the_order_is_fixed() -> None:
    assert [sampler.name for sampler in SAMPLERS] == [
        *("repetition-penalty", "dry", "length-penalty", "temperature", "top-n-sigma", "top-k", "top-p", "min-p"),
        *("repetition-aware", "mirostat"),
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"dry_base": 2.0}, "`dry_base` has no effect while `dry_multiplier` is 0"),
        ({"repetition_penalty_decay": 0.1}, "`repetition_penalty_decay` has no effect while `repetition_penalty` is 1"),
        ({"ras_threshold": 0.3}, "`ras_threshold` has no effect while `ras_window` is 0"),
        ({"mirostat_eta": 0.3}, "`mirostat_eta` has no effect while `mirostat_tau` is 0"),
        ({"mirostat_tau": 3, "top_k": 5}, "`mirostat_tau` can't go with top-k"),
        ({"mirostat_tau": 3, "min_p": 0.1}, "`mirostat_tau` can't go with min-p"),
        ({"mirostat_tau": 3, "temperature": 0}, "`mirostat_tau` can't go with temperature 0"),
        ({"min_temperature": 2.0}, r"`min_temperature` must be at most `temperature` \(1\), but is 2"),
        ({"min_temperature": -0.5}, "`min_temperature` must be -1"),
        ({"repetition_penalty": 0.9}, "`repetition_penalty` must be 1"),
        ({"repetition_penalty": 2, "repetition_penalty_decay": 1.0}, "`repetition_penalty_decay` must be 0 or more"),
        ({"length_penalty": float("nan")}, "`length_penalty` must be finite"),
        ({"dry_multiplier": -1}, "`dry_multiplier` must be 0"),
        ({"dry_multiplier": 1, "dry_base": 0.5}, "`dry_base` must be 1"),
        ({"dry_multiplier": 1, "dry_allowed_length": 0}, "`dry_allowed_length` must be 1"),
        ({"top_n_sigma": -1}, "`top_n_sigma` must be 0"),
        ({"min_p": 1.1}, "`min_p` must be 0"),
        ({"mirostat_tau": -1}, "`mirostat_tau` must be 0"),
        ({"mirostat_tau": 1, "mirostat_eta": 0}, "`mirostat_eta` must be above 0"),
        ({"ras_window": -1}, "`ras_window` must be 0"),
        ({"ras_window": 5, "ras_threshold": 1.0}, "`ras_threshold` must be 0"),
    ],
    ids=str,
)
def test_values_without_sense_are_refused(values: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Sampling(**values)
