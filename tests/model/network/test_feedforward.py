"""Tests that mixtures of experts are what the papers say, drop nothing, and stay equally busy."""

from typing import Any

import pytest
import torch
from torch import Tensor

from model.architecture import ModelConfig
from model.network import feedforward
from model.network.feedforward import LIFT, Experts, SwiGLU, route


def mixture(
    experts: int = 6, per_token: int = 2, *, dtype: torch.dtype = torch.float64, spread: float = 1.0
) -> Experts:
    """A mixture with large weights, whose router prefers some experts to others."""
    config = ModelConfig(width=16, heads=4, feedforward=24, experts=experts, experts_per_token=per_token)
    made, generator = Experts(config), torch.Generator().manual_seed(0)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.4, generator=generator)
    with torch.no_grad():
        made.router.mul_(spread)
    return made.to(dtype)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(("experts", "per_token"), [(6, 2), (4, 1), (3, 3)])
def test_each_position_goes_through_its_likeliest_experts(experts: int, per_token: int) -> None:
    made, x = mixture(experts, per_token), random(2, 30, 16)
    with torch.no_grad():
        found = made(x)
        for x_D, found_D in zip(x.flatten(0, 1), found.flatten(0, 1), strict=True):
            share = (made.router @ x_D).softmax(0)
            best = sorted(range(experts), key=lambda e: -float(share[e]))[:per_token]
            wanted = sum(share[e] * made.experts[e](x_D) for e in best) / sum(share[e] for e in best)
            torch.testing.assert_close(found_D, wanted, rtol=1e-10, atol=1e-10)


def test_it_is_the_block_of_mixtral_in_transformers_with_its_gradients() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_local_experts": 6}
    theirs = MixtralSparseMoeBlock(transformers.MixtralConfig(**shape, num_experts_per_tok=2)).double()
    ours, x = mixture(), random(1, 200, 16)
    with torch.no_grad():
        theirs.gate.weight.copy_(ours.router)
        for number, expert in enumerate(ours.experts):
            assert isinstance(expert, SwiGLU)
            theirs.experts.gate_up_proj[number] = expert.gate_up.weight
            theirs.experts.down_proj[number] = expert.down.weight
    gradients = []
    for block, router in ((ours, ours.router), (theirs, theirs.gate.weight)):
        read = x.clone().requires_grad_()
        out = block(read)
        (out * random(1, 200, 16, seed=1)).sum().backward()
        gradients.append((out.detach(), read.grad, router.grad))
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)  # its shares are rounded to float32
    downs = torch.stack([expert.down.weight.grad for expert in ours.experts])
    torch.testing.assert_close(downs, theirs.experts.down_proj.grad, rtol=1e-5, atol=1e-6)


def test_a_position_knows_nothing_of_those_beside_it() -> None:
    made, x = mixture(), random(50, 16)
    with torch.no_grad():
        together, alone = made(x), torch.cat([made(one[None]) for one in x])
        crowd = made(torch.cat([x[:1].expand(500, -1), x]))[500:]
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(together, crowd, rtol=1e-12, atol=1e-12)


def test_few_positions_may_go_through_all_experts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA, so that the host needn't wait: what comes out is the same."""
    made, x = mixture().eval(), random(20, 16)
    with torch.no_grad():
        wanted = made(x)
        monkeypatch.setitem(feedforward.AT_ONCE, "cpu", 20)
        monkeypatch.setattr(made, "_through", None)
        torch.testing.assert_close(made(x), wanted, rtol=1e-12, atol=1e-12)
        with pytest.raises(TypeError, match="not callable"):
            made(random(21, 16))


def test_a_bias_counts_for_the_choice_but_not_for_the_weights() -> None:
    scores_ME = torch.tensor([[2.0, 1.9, 1.0, -3.0]])
    share_ME = scores_ME.softmax(-1)
    lifts_E = torch.zeros(4, dtype=torch.int64)
    assert route(scores_ME, lifts_E, 2)[1].tolist() == [[0, 1]]
    lifts_E[2] = int((share_ME[0, 1] - share_ME[0, 2]) / LIFT) + 1
    share_MA, chosen_MA = route(scores_ME, lifts_E, 2)
    assert set(chosen_MA[0].tolist()) == {0, 2}
    wanted = share_ME[0, chosen_MA[0]]
    torch.testing.assert_close(share_MA[0], wanted / wanted.sum())


def test_the_router_works_in_float32_whatever_the_precision() -> None:
    """In bfloat16 its scores would be rounded to steps of 1 / 64, and other experts chosen."""
    made, x = mixture(8, dtype=torch.float32, spread=0.05), random(400, 16, dtype=torch.bfloat16)
    made.train()
    with torch.no_grad():
        made.router.copy_(made.router.bfloat16())  # what bf16-true holds
        made(x.float())
        wanted = made.load_E
        with torch.autocast("cpu", torch.bfloat16):
            assert made(x).dtype == torch.bfloat16
        assert made.load_E is not None
        assert made.load_E.equal(wanted)
        made.bfloat16()(x)
    assert made.load_E.equal(wanted)


def test_experts_become_equally_busy_and_each_choice_counts_once() -> None:
    made, x = mixture(8, spread=0.3).train(), random(2000, 16) + random(16, seed=3)
    violations = []
    with torch.no_grad():
        for _ in range(600):
            made(x)
            assert made.load_E is not None
            assert int(made.load_E.sum()) == 2 * len(x)
            violations.append(float(made.load_E.max() / made.load_E.double().mean()) - 1)
            made.balance(made.load_E)
    assert violations[0] > 0.5
    assert violations[-1] < 0.1
    before = made.load_E
    made.eval()(x[:5])
    assert made.load_E is before, "in evaluation nothing is kept"


def test_an_expert_that_nobody_chooses_has_a_gradient_of_zeros() -> None:
    made = mixture()
    made.lifts_E[4] = -10_000
    made(random(30, 16)).sum().backward()
    grads = [expert.down.weight.grad for expert in made.experts]
    assert all(grad is not None for grad in grads)
    assert [bool(grad.any()) for grad in grads] == [True, True, True, True, False, True]
    assert made.router.grad is not None
    assert made.router.grad[[0, 1, 2, 3, 5]].any(1).all()
