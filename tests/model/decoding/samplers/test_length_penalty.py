import torch

from model.decoding.samplers.length_penalty import length_penalised
from tests.model.decoding.samplers.test_sampler import history


def test_it_multiplies_the_odds_of_the_stop_code_by_a_power_of_the_length() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.5, -1.0, -2.0], [0.5, -1.0, 2.0]])
    draws = history([0] * 9, [0] * 4, [], stop=2)
    for penalty in (0.5, -2.0):
        found = length_penalised(logits, draws, penalty)
        odds = (found[:, 2] - logits[:, 2]).exp()
        torch.testing.assert_close(odds, torch.tensor([10.0**penalty, 5.0**penalty, 1.0]))
        assert torch.equal(found[:, :2], logits[:, :2])


def test_a_stop_that_is_ruled_out_stays_so_and_none_is_needed() -> None:
    logits = torch.tensor([[0.5, -torch.inf]])
    assert torch.equal(length_penalised(logits, history([0, 0], stop=1), 3.0), logits)
    assert torch.equal(length_penalised(logits, history([0, 0]), 3.0), logits)
