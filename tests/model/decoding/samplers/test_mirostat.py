"""Mirostat v2: worked numbers, its own limit for each row, and the surprise it keeps."""

import torch

from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.mirostat import LIMIT, limit_moved, little_surprise_only
from model.decoding.samplers.noise import keys_of
from model.decoding.samplers.sampler import Drawn, Draws

CPU = torch.device("cpu")


def begun(batch: int, tau: float) -> Draws:
    return Draws.allocate(batch, 2000, stop=None, state=Sampling(mirostat_tau=tau).begin(batch, CPU), device=CPU)


def test_the_limit_moves_by_what_the_surprise_is_above_the_target() -> None:
    logits = torch.tensor([[1 / 64, 63 / 64], [1 / 2, 1 / 2]]).log()
    draws, keys = begun(2, 9.95), torch.zeros(2, dtype=torch.int64)
    torch.testing.assert_close(draws.state[LIMIT], torch.tensor([19.9, 19.9]))
    code = limit_moved(torch.tensor([0, 0]), Drawn(logits, logits, draws, keys), 9.95, 1.0)
    assert code.tolist() == [0, 0]
    # 6 bits are 3.95 less than 9.95, 1 bit 8.95 less
    torch.testing.assert_close(draws.state[LIMIT], torch.tensor([23.85, 28.85]))


def test_codes_of_more_surprise_than_the_limit_are_ruled_out() -> None:
    logits = torch.tensor([[1 / 2, 1 / 4, 1 / 8, 1 / 8]]).log().repeat(3, 1)
    draws = begun(3, 1.0)
    draws.state[LIMIT].copy_(torch.tensor([2.5, 3.1, 0.2]))
    found = little_surprise_only(logits, draws, 1.0, 0.1)
    assert found.isfinite().tolist() == [[True, True, False, False], [True] * 4, [True, False, False, False]]


def test_the_mean_surprise_is_the_target_whatever_the_distribution() -> None:
    logits = -torch.arange(256) * torch.tensor([[0.08], [0.1], [0.12]])  # 5.1, 4.8 and 4.6 bits
    sampling = Sampling(mirostat_tau=4.0)
    draws, surprises = begun(3, 4.0), []
    for step in range(1500):
        code = sample(logits, sampling, keys_of(torch.arange(3), draws.lengths_B), draws)
        draws.add(code[:, None])
        surprises.append(-logits.softmax(-1).log2().gather(1, code[:, None])[:, 0] if step >= 500 else torch.zeros(3))
    torch.testing.assert_close(torch.stack(surprises)[500:].mean(0), torch.full((3,), 4.0), atol=0.1, rtol=0)
