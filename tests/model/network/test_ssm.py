"""Tests that all forms of the state space agree with the paper's definition and with transformers' Mamba-2."""

from itertools import pairwise
from typing import cast

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.architecture import ModelConfig
from model.network import ssm
from model.network.attention import Packed
from model.network.cache import Cached, KVCache
from model.network.layers import Mamba
from model.network.padding import Padded
from model.network.ssm import CHUNK, Scan

CPU = torch.device("cpu")
CONFIG = ModelConfig(arch="mamba", width=16, heads=4, layers=1, state=5)


def layer_of(dtype: torch.dtype = torch.float64, seed: int = 0) -> Mamba:
    """A layer with large weights, whose heads forget within a few positions to a few hundred."""
    made, generator = Mamba(CONFIG), torch.Generator().manual_seed(seed)
    for weight in (made.inputs.weight, made.out.weight):
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    for way in made.ways:
        cast("Scan", way).initialise(generator)
    return made.to(dtype).requires_grad_()


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def run(layer: Mamba, x: Tensor, attend: Packed | Padded | Cached) -> Tensor:
    out: Tensor = layer(x, (x, x), 0, attend)
    return out


def defined(way: Scan, features_LE: Tensor, steps_LN: Tensor) -> Tensor:
    """Computes the outputs of a document as the paper defines them, pair by pair, `[L, N, H]`."""
    length, inner = len(features_LE), way.heads * way.head_width
    taps = way.conv_weight[:, 0]
    convolved = torch.stack(
        [
            way.conv_bias + sum(taps[:, 3 - back] * features_LE[at - back] for back in range(min(4, at + 1)))
            for at in range(length)
        ]
    )
    x, b, c = (convolved * convolved.sigmoid()).split((inner, way.state, way.state), 1)
    x_LNH, out = x.view(length, way.heads, -1), []
    widths = (1 + (steps_LN + way.step_bias).exp()).log()
    for t in range(length):
        y = way.skip[:, None] * x_LNH[t]
        for s in range(t + 1):
            left = (-way.forgetting.exp() * widths[s + 1 : t + 1].sum(0)).exp()
            y = y + (left * (c[t] @ b[s]) * widths[s])[:, None] * x_LNH[s]
        out.append(y)
    return torch.stack(out)


@pytest.mark.parametrize("causal", [True, False])
def test_it_is_what_the_paper_says(causal: bool) -> None:
    layer, lengths = layer_of(), [1, 70, 3]
    x = random(sum(lengths), CONFIG.width)
    with torch.no_grad():
        found = run(layer, x, Packed(lengths, 3 * causal, CPU))
        gate, features, steps = layer.inputs(x).split(layer.sizes, -1)
        parts = []
        for start, end in pairwise([0, 1, 71, 74]):
            part = features[start:end], steps[start:end]
            y = defined(cast("Scan", layer.ways[0]), *part)
            if not causal:
                y = y + defined(cast("Scan", layer.ways[1]), *(one.flip(0) for one in part)).flip(0)
            parts.append(y.flatten(1))
        y = torch.cat(parts) * F.silu(gate)
        wanted = layer.out(y / (y.square().mean(-1, keepdim=True) + CONFIG.norm_eps).sqrt())
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    assert wanted.std() > 0.1


def test_it_is_the_mamba_2_of_transformers_in_its_parallel_and_in_its_step_form() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Model

    config = transformers.Mamba2Config(
        **{"vocab_size": 4, "hidden_size": 16, "num_heads": 4, "head_dim": 8, "state_size": 5, "n_groups": 1},
        **{"num_hidden_layers": 1, "chunk_size": 16, "layer_norm_epsilon": CONFIG.norm_eps, "conv_kernel": 4},
    )
    theirs, ours = Mamba2Model(config).eval(), layer_of(torch.float32)
    mixer, way, x = theirs.layers[0].mixer, cast("Scan", ours.ways[0]), random(1, 150, 16, dtype=torch.float32)
    with torch.no_grad():
        for their, our in (
            *((mixer.in_proj.weight, ours.inputs.weight), (mixer.out_proj.weight, ours.out.weight)),
            *((mixer.conv1d.weight, way.conv_weight), (mixer.conv1d.bias, way.conv_bias)),
            *((mixer.dt_bias, way.step_bias), (mixer.A_log, way.forgetting), (mixer.D, way.skip)),
        ):
            their.copy_(our)
        torch.testing.assert_close(run(ours, x[0], Packed([150], 1, CPU)), mixer(x)[0], rtol=1e-4, atol=1e-5)
        read = transformers.DynamicCache(config=config)
        cache = KVCache.allocate(CONFIG, 1, 0, device=CPU, dtype=torch.float32)
        for start, end in ((0, 40), *((at, at + 1) for at in range(40, 60))):
            wanted = mixer(x[:, start:end], cache_params=read)
            found = run(ours, x[:, start:end], Cached(cache, end - start))
            cache.advance(end - start, end - start)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@given(st.lists(st.sampled_from([1, 2, 3, 4, 63, 64, 65, 130]), min_size=1, max_size=6), st.booleans())
@settings(max_examples=15, deadline=None)
def test_packed_documents_are_what_each_is_alone(lengths: list[int], causal: bool) -> None:
    layer, x = layer_of(), random(sum(lengths), CONFIG.width)
    with torch.no_grad():
        together = run(layer, x, Packed(lengths, len(lengths) * causal, CPU))
        alone = [run(layer, part, Packed([len(part)], int(causal), CPU)) for part in torch.split(x, lengths)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("causal", [0, 1, 3])
def test_packing_is_padding_in_gradients_too(causal: int) -> None:
    """More chunks than are passed on at once, with borders of documents in and between them."""
    lengths, gradients = [20 * CHUNK, 3 * CHUNK + 7, 30], []
    longest = max(lengths)
    for packed in (True, False):
        layer, x = layer_of(), random(sum(lengths), CONFIG.width).requires_grad_()
        if packed:
            out = run(layer, x, Packed(lengths, causal, CPU))
        else:
            rows = torch.stack([F.pad(part, (0, 0, 0, longest - len(part)), value=9) for part in x.split(lengths)])
            wide = Padded(torch.tensor(lengths), torch.arange(3) < causal, longest)
            out = torch.cat([row[:length] for row, length in zip(run(layer, rows, wide), lengths, strict=True)])
        (out * random(*out.shape, seed=1)).sum().backward()
        weights = {name: weight.grad for name, weight in layer.named_parameters()}
        gradients.append({"x": x.grad, "out": out.detach(), **weights})
    for name, value in gradients[0].items():
        assert value is not None, f"{name} has no gradient, for which several devices would wait"
        torch.testing.assert_close(value, gradients[1][name], rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_different_lengths_are_read_at_once_and_then_step_by_step(dtype: torch.dtype) -> None:
    layer, lengths_B, more, first = layer_of(dtype), torch.tensor([100, 1, 64, 2]), 9, 100
    x = random(4, first + more, CONFIG.width, dtype=dtype)
    cache = KVCache.allocate(CONFIG, 4, 0, device=CPU, dtype=dtype)
    size = cache.kv.numel()
    padding_BL1 = (torch.arange(first) >= lengths_B[:, None])[..., None]
    with torch.no_grad():
        found = [run(layer, x[:, :first].masked_fill(padding_BL1, 1e6), Cached(cache, first, lengths_B))]
        cache.advance(lengths_B, first)
        for step in (0, 1, 2):  # one by one, then several at once
            found.append(run(layer, x[torch.arange(4), lengths_B + step][:, None], Cached(cache, 1)))
            cache.advance(1, 1)
        rest = torch.stack([row[length + 3 : length + more] for row, length in zip(x, lengths_B, strict=True)])
        found.append(run(layer, rest, Cached(cache, more - 3)))
        assert cache.kv.numel() == size, "it doesn't grow with what was read"
        for row, length in enumerate(lengths_B.tolist()):
            wanted = run(layer, x[row, : length + more], Packed([length + more], 1, CPU))
            own = torch.cat([found[0][row, :length], *(out[row] for out in found[1:])])
            tolerance = 1e-9 if dtype == torch.float64 else 1e-4
            torch.testing.assert_close(own, wanted, rtol=tolerance, atol=tolerance)


def test_a_bidirectional_document_tells_before_from_after() -> None:
    layer, x = layer_of(), random(50, CONFIG.width)
    with torch.no_grad():
        plain, turned = (run(layer, one, Packed([50], 0, CPU)) for one in (x, x.flip(0)))
    assert not torch.allclose(plain, turned.flip(0), rtol=0.1)
    later = x.clone()
    later[-1] += 1
    with torch.no_grad():
        changed = run(layer, later, Packed([50], 0, CPU))
    assert (changed != plain).any(-1).all()


def test_states_of_strong_and_of_weak_forgetting_are_finite_and_right() -> None:
    """Sums of logarithms over a long document are large; only their differences count."""
    layer, length = layer_of(), 40 * CHUNK
    x = random(length, CONFIG.width)
    with torch.no_grad():
        for way in layer.ways:
            cast("Scan", way).forgetting.copy_(torch.tensor([-12.0, 0.0, 4.0, 8.0]))
        whole = run(layer, x, Packed([length], 1, CPU))
        cache = KVCache.allocate(CONFIG, 1, 0, device=CPU, dtype=torch.float64)
        run(layer, x[None, : length - 1], Cached(cache, length - 1))
        last = run(layer, x[None, -1:], Cached(cache, 1))[0, 0]
        near = run(layer.float(), x.float(), Packed([length], 1, CPU))
    assert whole.isfinite().all()
    torch.testing.assert_close(last, whole[-1], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(near.double(), whole, rtol=1e-3, atol=1e-4)


def test_groups_of_chunks_pass_states_on_as_all_chunks_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    left, log = random(150, 3, 4, 2), -random(150, 3).abs()
    goes_on = torch.rand(150, generator=torch.Generator().manual_seed(2)) > 0.1
    state, wanted = torch.zeros(3, 4, 2, dtype=torch.float64), []
    for one, fading, same in zip(left, log, goes_on, strict=True):
        state = one + state * fading.exp()[:, None, None] * same
        wanted.append(state)
    for together in (4, 16, 200):
        monkeypatch.setattr(ssm, "_TOGETHER", together)
        torch.testing.assert_close(ssm._carried(left, log, goes_on), torch.stack(wanted), rtol=1e-10, atol=1e-10)
