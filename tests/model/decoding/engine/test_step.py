"""Steps with the weights laid out for them give what the network gives."""

from typing import Any

import pytest
import torch

from model.decoding.engine import Quantization
from model.decoding.engine.step import Step
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.steps import Steps
from tests.model.decoding.firsts import generate_first
from tests.model.decoding.test_autoregressive import CONDITIONS, decisive, vocabulary

SHAPES = pytest.mark.parametrize(
    "shape", [{}, {"kv_heads": 2}, {"kv_heads": 1}, {"group": 2}, {"experts": 4}, {"text_spacing": "aligned"}], ids=str
)


@SHAPES
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_logits_are_the_networks(shape: dict[str, Any], guidance: float, rows: int) -> None:
    net = decisive(**shape)
    with torch.inference_mode():
        plain, laid_out = (
            Steps(net, vocabulary(net), CONDITIONS[:rows], most=9, guidance=guidance, step=step)
            for step in (None, Step(net))
        )
        for _ in range(8):
            expected = plain.logits(0)
            torch.testing.assert_close(laid_out.logits(0), expected, rtol=1e-4, atol=1e-4)
            for steps in (plain, laid_out):
                steps.take(expected[..., :64].argmax(-1))


@SHAPES
@pytest.mark.parametrize("sampling", [GREEDY, Sampling(0.8, top_k=20)], ids=str)
def test_the_codes_are_the_networks(shape: dict[str, Any], sampling: Sampling) -> None:
    net = decisive(**shape)
    how = {"max_frames": 12, "decoding": Decoding(ar=sampling), "seeds": [1, 2, 3]}
    plain = generate_first(net, vocabulary(net), CONDITIONS, **how)
    laid_out = generate_first(net, vocabulary(net), CONDITIONS, **how, step=Step(net))
    assert [row.tolist() for row in laid_out] == [row.tolist() for row in plain]


@SHAPES
def test_8_bit_weights_stay_close_and_know_no_batch(shape: dict[str, Any]) -> None:
    net = decisive(**shape)
    step = Step(net, quantization="int8")
    how = {"max_frames": 12, "decoding": Decoding(ar=GREEDY)}
    together = generate_first(net, vocabulary(net), CONDITIONS, **how, step=step)
    alone = [generate_first(net, vocabulary(net), [one], **how, step=step)[0] for one in CONDITIONS]
    assert [row.tolist() for row in together] == [row.tolist() for row in alone]
    with torch.inference_mode():
        plain, rounded = (
            Steps(net, vocabulary(net), CONDITIONS, most=9, guidance=1.0, step=one) for one in (None, step)
        )
        for steps in (plain, rounded):
            steps.take(torch.zeros(3, net.config.group, dtype=torch.int64))
        expected, found = plain.logits(0), rounded.logits(0)
        assert 0 < (found - expected).norm() < 0.1 * expected.norm()


def test_only_what_it_is_written_for_is_laid_out() -> None:
    assert Step.fits(decisive())
    assert not any(Step.fits(decisive(arch=arch)) for arch in ("retnet", "mamba"))
    assert not Step.fits(decisive().bfloat16())


@SHAPES
@pytest.mark.parametrize(("quantization", "tolerance"), [("none", 1e-4), ("int8", 0.0)])
@pytest.mark.parametrize(("rows", "guidance"), [(1, 1.0), (1, 2.0), (3, 1.0)])
@torch.inference_mode()
def test_several_positions_at_once_are_as_many_steps(
    shape: dict[str, Any], quantization: Quantization, tolerance: float, rows: int, guidance: float
) -> None:
    """In 8 bits to the last bit, as rounding would make more of it."""
    net = decisive(**shape)
    step = Step(net, quantization=quantization)
    codes_BLG = torch.randint(0, 64, (rows, 4, net.config.group), generator=torch.Generator().manual_seed(0))
    single, at_once = (
        Steps(net, vocabulary(net), CONDITIONS[:rows], most=9, guidance=guidance, step=step) for _ in range(2)
    )
    for group in range(4):
        single.take(codes_BLG[:, group])
    at_once.read(codes_BLG.flip(1))  # is overwritten, as it isn't kept
    hidden_ALD = at_once.read(codes_BLG)
    at_once.keep(hidden_ALD, 4)
    torch.testing.assert_close(at_once.logits(0), single.logits(0), rtol=tolerance, atol=tolerance)
    for row, length in enumerate(single.cache.lengths_B.tolist()):
        found, wanted = (one.cache.kv[:, :, row, :, :length] for one in (at_once, single))
        torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)
