"""Early exit: what a step that ends early gives, what it leaves to later steps, and what it spares."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from model.decoding.asks import Ask, Response
from model.decoding.continuous import Engine
from model.decoding.engine.exits import EarlyExit, Layers, spread
from model.decoding.engine.step import Step
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from model.network.layers import Attention, rotary_angles, rotate
from model.sequences.documents import Condition
from stages.errors import UsageError
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive

SHAPES = pytest.mark.parametrize("shape", [{}, {"kv_heads": 2}, {"group": 2}, {"experts": 4}], ids=str)
GUIDANCE = pytest.mark.parametrize("guidance", [1.0, 2.0])
ALWAYS, NEVER = EarlyExit(1, 1e9, 1e9), EarlyExit(1, 0.0, 0.0)


def deep(**shape: Any) -> Decoder:
    """A network of four layers that is sure of some codes, and not of others."""
    net = decisive(**{"layers": 4, **shape})
    with torch.no_grad():
        net.heads[0].weight.mul_(8)
    return net


def exiting(exits: EarlyExit, **settings: Any) -> Decoding:
    thresholds = {"layer_skip_entropy_threshold": exits.entropy, "layer_skip_varentropy_threshold": exits.varentropy}
    return Decoding(layer_skip=True, layer_skip_exit_layer=exits.exit_layer, **thresholds, **settings)


def responses(
    net: Decoder, decoding: Decoding, *, step: Step | None = None, only: Sequence[int] = (0, 1, 2)
) -> list[Response]:
    engine = Engine(net, TOKENIZER, step=step or Step(net))
    jobs = [engine.submit(Ask(CONDITIONS[row], 24, decoding, 1, row)) for row in only]
    while len(engine):
        engine.advance()
    return [cast("Response", job.response) for job in jobs]


def test_entropy_and_varentropy_are_the_formulas() -> None:
    even, sided = torch.zeros(2), torch.tensor([0.9, 0.1]).log()
    entropy, varentropy = spread(torch.stack([even, sided]))
    torch.testing.assert_close(entropy, torch.tensor([math.log(2), -0.9 * math.log(0.9) - 0.1 * math.log(0.1)]))
    torch.testing.assert_close(varentropy, torch.tensor([0.0, 0.09 * math.log(9) ** 2]))
    wide = torch.randn(5, 65, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(spread(wide)[0], torch.distributions.Categorical(logits=wide).entropy())
    assert EarlyExit(None, 0.4, 0.4).sure(torch.stack([even, sided])).tolist() == [False, False]
    assert EarlyExit(None, 0.4, 0.5).sure(torch.stack([even, sided])).tolist() == [False, True]
    assert EarlyExit(None, 0.7, 0.1).sure(torch.stack([even, sided])).tolist() == [True, False]


@SHAPES
@GUIDANCE
@pytest.mark.parametrize("sampling", [GREEDY, Sampling(0.8, top_k=20)], ids=str)
def test_thresholds_of_0_decode_as_without(shape: dict[str, Any], guidance: float, sampling: Sampling) -> None:
    net = deep(**shape)
    plain = responses(net, Decoding(ar=sampling, guidance=guidance))
    early = responses(net, exiting(NEVER, ar=sampling, guidance=guidance))
    for one, other in zip(plain, early, strict=True):
        assert other.codes_KT.tolist() == one.codes_KT.tolist()
        assert one.layers is None
        steps = -(-(one.codes_KT.shape[1] + (one.end == "stop")) // net.config.group) - 1
        assert other.layers == Layers(0, steps * (2 if guidance > 1 else 1) * 4)


@SHAPES
@GUIDANCE
@pytest.mark.parametrize("depth", [1, 3])
@torch.inference_mode()
def test_a_step_that_always_ends_there_is_that_of_the_first_layers(
    shape: dict[str, Any], guidance: float, depth: int
) -> None:
    net, shallow = deep(**shape), deep(**shape)
    shallow.blocks = nn.ModuleList(list(shallow.blocks)[:depth])
    shallow.config = shallow.config.model_copy(update={"layers": depth})
    found, wanted = (
        Steps(each, TOKENIZER, CONDITIONS, most=6, guidance=guidance, step=Step(each), exits=exits)
        for each, exits in ((net, replace(ALWAYS, exit_layer=depth)), (shallow, None))
    )
    codes_BG = torch.tensor([[5, 6], [7, 8], [9, 1]])[:, : net.config.group]
    for _ in range(4):
        found.take(codes_BG)
        wanted.take(codes_BG)
        torch.testing.assert_close(found.logits(0), wanted.logits(0), rtol=1e-4, atol=1e-3)


@SHAPES
@torch.inference_mode()
def test_layers_left_out_get_keys_and_values_of_the_last_output(shape: dict[str, Any]) -> None:
    """Of their own projections, by the network's own layers; nothing that a later step reads is undefined."""
    net = deep(**shape)
    step = Step(net)
    steps = Steps(net, TOKENIZER, CONDITIONS, most=6, step=step, exits=ALWAYS)
    cache, place_B = steps.cache, steps.cache.lengths_B.clone()
    cache.kv[:, :, torch.arange(3), :, place_B] = torch.nan
    outputs: list[Tensor] = []
    propagate = step._propagate

    def seen(x_MD: Tensor, *given: Any) -> None:
        outputs.append(x_MD.clone())
        propagate(x_MD, *given)

    step._propagate = seen  # type: ignore[method-assign]
    steps.take(torch.full((3, net.config.group), 3))
    (x_BD,) = outputs
    for layer, block in enumerate(net.blocks):
        attention = cast("Attention", block.attention)
        keys_BNH, values_BNH = cache.kv[layer][:, torch.arange(3), :, place_B].unbind(1)
        assert keys_BNH.isfinite().all()
        assert values_BNH.isfinite().all()
        if layer:
            heads = attention.qkv(cast("nn.Module", block.attention_norm)(x_BD)).unflatten(
                -1, (-1, attention.head_width)
            )
            _, k, v = heads.split((attention.heads, attention.kv_heads, attention.kv_heads), dim=-2)
            angles = rotary_angles(steps._position_A, attention.head_width, net.config.rope_theta)
            torch.testing.assert_close(keys_BNH, rotate(k, *angles)[..., step.order_H], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(values_BNH, v, rtol=1e-4, atol=1e-5)
    steps._exits = NEVER
    steps.take(torch.full((3, net.config.group), 4))
    assert steps.logits(0).isfinite().all()


@SHAPES
@pytest.mark.parametrize(("guidance", "quantization"), [(1.0, "none"), (2.0, "int8")])
def test_a_row_ends_where_it_would_alone(shape: dict[str, Any], guidance: float, quantization: Any) -> None:
    net = deep(**shape)
    step = Step(net, quantization=quantization)
    decoding = exiting(EarlyExit(1, 1.8, 2.0), ar=Sampling(0.9), guidance=guidance)
    together = responses(net, decoding, step=step)
    for row, one in enumerate(together):
        (alone,) = responses(net, decoding, step=step, only=[row])
        assert alone.codes_KT.tolist() == one.codes_KT.tolist()
        assert alone.layers == one.layers
    shares = [one.layers.saved / one.layers.of for one in together if one.layers]
    assert any(0.05 < share < 0.7 for share in shares), "some steps end early, and some don't"


def test_rows_that_go_on_arent_changed_by_those_that_end() -> None:
    """Every other row ends after the first layer, whatever it is sure of."""
    net = deep()
    conditions: list[Condition] = [*CONDITIONS, CONDITIONS[0]]
    with torch.inference_mode():
        plain, early = (
            Steps(net, TOKENIZER, conditions, most=6, step=Step(net), exits=exits) for exits in (None, NEVER)
        )
        early._sure = lambda logits, rows_A: rows_A % 2 == 1  # type: ignore[method-assign]
        for code in range(3):
            for steps in (plain, early):
                steps.take(torch.full((4, 1), code))
            found, wanted = early.logits(0), plain.logits(0)
            torch.testing.assert_close(found[::2], wanted[::2], rtol=1e-4, atol=1e-4)
            assert not torch.allclose(found[1::2], wanted[1::2], atol=1e-2)
        assert [early.layers(row, 3) for row in range(4)] == [Layers(9 * (row % 2), 12) for row in range(4)]


def test_what_cant_end_early_is_refused() -> None:
    def submit(net: Decoder, step: Step | None, decoding: Decoding) -> None:
        Engine(net, TOKENIZER, step=step).submit(Ask(CONDITIONS[0], 4, decoding))

    for net in (deep(arch="retnet"), deep(arch="mamba"), deep().bfloat16()):
        assert not Step.fits(net)
        with pytest.raises(UsageError, match="`layer_skip` must be left out: it is for models with"):
            submit(net, None, exiting(ALWAYS))
    net = deep()
    with pytest.raises(UsageError, match=r"`layer_skip_exit_layer` must be less than .* layers \(4\), but is 4"):
        submit(net, Step(net), exiting(replace(ALWAYS, exit_layer=4)))
    assert EarlyExit().first(12) == 6
    with pytest.raises(UsageError, match=r"layers \(1\), but is 1"):
        EarlyExit().first(1)


def test_the_entropy_is_that_of_the_guided_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    net = deep()
    judged: list[Tensor] = []
    sure = EarlyExit.sure

    def seen(self: EarlyExit, logits: Tensor) -> Tensor:
        judged.append(logits.clone())
        return sure(self, logits)

    monkeypatch.setattr(EarlyExit, "sure", seen)
    with torch.inference_mode():
        steps = Steps(
            net, TOKENIZER, CONDITIONS, most=6, guidance=3.0, step=Step(net), exits=replace(NEVER, exit_layer=3)
        )
        cut = deep()
        cut.blocks, cut.config = nn.ModuleList(list(cut.blocks)[:3]), cut.config.model_copy(update={"layers": 3})
        wanted = Steps(cut, TOKENIZER, CONDITIONS, most=6, guidance=3.0, step=Step(cut))
        for each in (steps, wanted):
            each.take(torch.tensor([[5], [6], [7]]))
        torch.testing.assert_close(judged[0], wanted.logits(0), rtol=1e-4, atol=1e-4)
    assert judged[0].shape[0] == 3
    assert F.softmax(judged[0], -1).isfinite().all()
