from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from model.bench.decoding.samplers import SETTINGS
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.noise import draw, keys_of
from model.decoding.samplers.sampler import Draws
from model.decoding.samplers.top_k import top_k_only
from model.decoding.samplers.top_p import top_p_only
from stages.errors import UsageError

LOGITS_BV = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)) * 3


def keys(count: int, seed: int = 0) -> torch.Tensor:
    return keys_of(torch.tensor([seed]), torch.arange(count))


@pytest.mark.parametrize("k", [1, 5, 49, 50, 90])
def test_top_k_equals_transformers(k: int) -> None:
    from transformers import TopKLogitsWarper

    assert torch.equal(top_k_only(LOGITS_BV, k), TopKLogitsWarper(top_k=k)(None, LOGITS_BV))


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9, 0.999])
def test_top_p_equals_transformers(p: float) -> None:
    from transformers import TopPLogitsWarper

    assert torch.equal(top_p_only(LOGITS_BV, p), TopPLogitsWarper(top_p=p)(None, LOGITS_BV))


@given(st.integers(1, 12))
def test_top_k_keeps_exactly_k_among_equals(k: int) -> None:
    kept = top_k_only(torch.zeros(3, 12), k).isfinite()
    assert kept.sum(-1).tolist() == [k] * 3


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=20), st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_reach_p(values: list[float], p: float) -> None:
    logits = torch.tensor([values], dtype=torch.float64)
    kept = top_p_only(logits, p)[0].isfinite()
    probabilities = logits.softmax(-1)[0]
    assert all(probabilities[kept].min() >= probability - 1e-9 for probability in probabilities[~kept])
    assert probabilities[kept].sum() >= p - 1e-9
    assert probabilities[kept].sum() - probabilities[kept].min() < p + 1e-9


def test_draws_follow_the_distribution() -> None:
    logits_V = torch.tensor([0.0, 1.0, 2.0, -torch.inf])
    counts = draw(logits_V.expand(20_000, -1), keys(20_000, seed=1)).bincount(minlength=4)
    assert counts[3] == 0
    torch.testing.assert_close(counts / 20_000, logits_V.softmax(-1), atol=0.012, rtol=0)


def test_the_order_and_the_seed() -> None:
    assert torch.equal(sample(LOGITS_BV, GREEDY), LOGITS_BV.argmax(-1))
    assert torch.equal(sample(LOGITS_BV, Sampling(1.0, top_k=1), keys(6)), LOGITS_BV.argmax(-1))
    plan = Sampling(0.7, top_k=20, top_p=0.9)
    one, two = (sample(LOGITS_BV, plan, keys(6, seed=3)) for _ in range(2))
    assert torch.equal(one, two)
    allowed = top_p_only(top_k_only(LOGITS_BV / 0.7, 20), 0.9).isfinite()
    assert all(allowed[range(6), sample(LOGITS_BV, plan, keys(6, seed=seed))].all() for seed in range(50))


class Apart(TorchDispatchMode):
    """Raises where the host would read from the device, or a shape would depend on the data."""

    READS = (
        torch.ops.aten._local_scalar_dense.default,
        torch.ops.aten.nonzero.default,
        torch.ops.aten.lift_fresh.default,
    )

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert op not in self.READS, op
        masks = (
            [part for part in args[1] if part is not None and part.dtype == torch.bool] if "index" in str(op) else []
        )
        assert not (op == torch.ops.aten.index.Tensor and masks), op
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("sampling", SETTINGS.values(), ids=SETTINGS)
def test_no_sampler_reads_from_the_device(sampling: Sampling) -> None:
    draws = Draws.allocate(6, 30, stop=49, state=sampling.begin(6, LOGITS_BV.device), device=LOGITS_BV.device)
    keys_B = keys(6)
    with Apart():
        for _ in range(3):
            draws.add(sample(LOGITS_BV, sampling, keys_B, draws)[:, None])
    assert draws.lengths_B.tolist() == [3] * 6
    with pytest.raises(AssertionError), Apart():
        LOGITS_BV[0, 0].item()


@pytest.mark.parametrize("sampling", SETTINGS.values(), ids=SETTINGS)
def test_a_row_is_drawn_as_if_alone(sampling: Sampling) -> None:
    def drawn(rows: slice) -> torch.Tensor:
        logits = LOGITS_BV[rows]
        size, device = len(logits), logits.device
        draws = Draws.allocate(size, 30, stop=49, state=sampling.begin(size, device), device=device)
        for _ in range(20):
            keys_B = keys_of(torch.arange(6)[rows], draws.lengths_B)
            draws.add(sample(logits, sampling, keys_B, draws)[:, None])
        return draws.codes_BT[:, :20]

    together = drawn(slice(0, 6))
    for row in range(6):
        assert torch.equal(drawn(slice(row, row + 1))[0], together[row])


def test_a_draw_without_what_it_needs_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="needs keys"):
        sample(LOGITS_BV, Sampling())
    with pytest.raises(ValueError, match="what was drawn before"):
        sample(LOGITS_BV, Sampling(repetition_penalty=2), keys(6))


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_values_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"`{next(iter(wrong))}` must be"):
        Sampling(**wrong)
