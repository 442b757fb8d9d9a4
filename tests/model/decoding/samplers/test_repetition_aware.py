"""Repetition-aware sampling: which codes are drawn again, and from what."""

import torch

from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import again, draw, keys_of
from model.decoding.samplers.repetition_aware import redrawn
from model.decoding.samplers.sampler import Drawn
from tests.model.decoding.samplers.test_sampler import history


def keys(count: int) -> torch.Tensor:
    return keys_of(torch.zeros(count, dtype=torch.int64), torch.arange(count))


def test_a_code_is_drawn_again_if_its_share_of_the_window_is_above_the_threshold() -> None:
    other = torch.tensor([[-torch.inf, -torch.inf, 0.0]])  # a second draw shows itself as code 2
    rows = [[0] * 5, [1, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0], [], [0, 0, 0, 1, 1, 1, 1, 1]]

    def found(window: int, threshold: float) -> list[bool]:
        logits = other.expand(len(rows), -1)
        drawn = Drawn(logits, logits, history(*rows), keys(len(rows)))
        return (redrawn(torch.zeros(len(rows), dtype=torch.int64), drawn, window, threshold) == 2).tolist()

    # shares of code 0 in the last 5: 1, 2/5, 2/5, 1/5, 0, 0
    assert found(5, 0.0) == [True, True, True, True, False, False]
    assert found(5, 0.2) == [True, True, True, False, False, False]
    assert found(5, 0.4) == [True, False, False, False, False, False]
    # in the last 2: 1, 1/2, 0, 1/2 (of a window of two), 0, 0
    assert found(2, 0.4) == [True, True, False, True, False, False]
    assert found(8, 0.3) == [True, False, False, False, False, True], "3/8 of the longest row, 5/8 of the first"


def test_the_second_draw_is_the_models_own_and_independent() -> None:
    count = 20_000
    logits = torch.tensor([[1.0, 0.0, 0.5]]).expand(count, -1)
    draws = history(*[[0] * 10] * count, capacity=10)
    code = sample(logits, Sampling(0.0, ras_window=10), keys(count), draws)
    torch.testing.assert_close(code.bincount() / count, logits[0].softmax(-1), atol=0.012, rtol=0)
    assert torch.equal(code, draw(logits, again(keys(count))))
    untouched = sample(logits, Sampling(0.0, ras_window=10), keys(count), history(*[[1] * 10] * count, capacity=10))
    assert (untouched == 0).all()
