"""Tests that all three forms of retention agree with the paper's equations."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.architecture import ModelConfig
from model.network import retention
from model.network.attention import Packed
from model.network.cache import Cached, KVCache
from model.network.layers import Retention, rotary_angles
from model.network.padding import Padded
from model.network.retention import chunkwise, parallel, recurrent

CPU = torch.device("cpu")
HEADS, WIDTH = 4, 8


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(one: Tensor, two: Tensor) -> None:
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)


def published(x_LD: Tensor, layer: Retention, *, causal: bool) -> Tensor:
    """Equations 5, 7 and 8 of the paper, with all that section 2.1 says on normalisation, head by head.

    Rotations are products with e^(i n theta), where pair (i, i + H/2) is one complex number.
    """
    length, width = x_LD.shape
    size = width // layer.heads
    places = torch.arange(length, dtype=torch.float64)
    theta = 10_000.0 ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
    turn = torch.polar(torch.ones(1, dtype=torch.float64), places[:, None] * theta)
    w_q, w_k, w_v, w_g = layer.qkvg.weight.double().T.chunk(4, dim=1)
    heads = []
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)

        def projected(weight: Tensor, part: slice = part) -> Tensor:
            return x_LD.double() @ weight[:, part]

        q, k = (torch.complex(*projected(w).chunk(2, dim=1)) * turn for w in (w_q, w_k))
        scores = torch.einsum("nh,mh->nm", q, k.conj()).real / size**0.5
        gamma = 1 - 2.0 ** (-5 - head)
        d = torch.tensor([[gamma ** abs(n - m) * (n >= m or not causal) for m in range(length)] for n in range(length)])
        d = d.double() / d.double().sum(1, keepdim=True).sqrt()
        r = scores * d
        r = r / r.sum(1, keepdim=True).abs().clamp_min(1)
        out = r @ projected(w_v)
        heads.append((out - out.mean(1, keepdim=True)) / out.std(1, keepdim=True, correction=0))
    gate = x_LD.double() @ w_g
    return (gate * gate.sigmoid() * torch.cat(heads, 1)) @ layer.out.weight.double().T


@pytest.mark.parametrize("causal", [True, False])
def test_it_is_what_the_paper_says(causal: bool) -> None:
    config = ModelConfig(arch="retnet", width=HEADS * WIDTH, heads=HEADS, norm_eps=1e-12)
    layer, x_LD = Retention(config), random(50, config.width)
    angles = rotary_angles(torch.arange(50), WIDTH, 10_000.0)
    with torch.no_grad():
        found = layer(x_LD, angles, 0, Packed([50], int(causal), CPU))
        wanted = published(x_LD, layer, causal=causal).float()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert wanted.std() > 0.1


@given(st.lists(st.sampled_from([1, 2, 3, 7, 8, 9, 16, 17, 40]), min_size=1, max_size=6), st.booleans())
@settings(max_examples=40)
def test_chunks_of_packed_documents_give_what_all_pairs_give(lengths: list[int], causal: bool) -> None:
    q, k, v = random(3, sum(lengths), HEADS, WIDTH)
    bounds = torch.tensor([0, *lengths]).cumsum(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "CHUNK", 8)
        found = chunkwise(q, k, v, bounds, causal=causal)
    for start, end in pairwise(bounds.tolist()):
        seen = torch.ones(1, 1, end - start, end - start, dtype=torch.bool)
        seen = seen.tril() if causal else seen
        close(found[start:end], parallel(*(x[None, start:end] for x in (q, k, v)), seen)[0])


@pytest.mark.parametrize("causal", [True, False])
def test_chunks_of_a_long_document_give_its_gradients(causal: bool) -> None:
    gradients = []
    for packed in (True, False):
        q, k, v = (x.requires_grad_() for x in random(3, 700, HEADS, WIDTH).unbind(0))
        if packed:
            out = Packed([500, 200], 2 * causal, CPU).retain(0, q, k, v)
        else:
            rows = [torch.stack([x[:500], torch.cat([x[500:], x.new_ones(300, HEADS, WIDTH)])]) for x in (q, k, v)]
            wide = Padded(torch.tensor([500, 200]), torch.tensor([causal, causal]), 500).retain(0, *rows)
            out = torch.cat([wide[0], wide[1, :200]])
        (out * random(700, HEADS, WIDTH, seed=1)).sum().backward()
        gradients.append((out.detach(), q.grad, k.grad, v.grad))
    for one, two in zip(*gradients, strict=True):
        close(one, two)


def test_step_by_step_gives_what_all_pairs_give() -> None:
    q, k, v = random(3, 2, 300, HEADS, WIDTH)
    state, read_B = torch.zeros(2, HEADS, WIDTH, WIDTH), torch.zeros(2, dtype=torch.int64)
    found = []
    for place in range(300):
        parts = (x[:, place : place + 1] for x in (q, k, v))
        out, state = recurrent(*parts, state, read_B=read_B, new_B=torch.ones_like(read_B))
        found.append(out)
        read_B = read_B + 1
    close(torch.cat(found, 1), parallel(q, k, v, torch.ones(1, 1, 300, 300, dtype=torch.bool).tril()))


def test_rows_of_different_lengths_are_read_into_the_state_without_their_padding() -> None:
    config = ModelConfig(arch="retnet", layers=1, width=HEADS * WIDTH, heads=HEADS)
    lengths_B, more = torch.tensor([30, 1, 17]), 20
    q, k, v = random(3, 3, 30 + more, HEADS, WIDTH)
    cache = KVCache.allocate(config, 3, 0, device=CPU, dtype=torch.float32)
    size = cache.kv.numel()
    padding_BL11 = (torch.arange(30) >= lengths_B[:, None])[..., None, None]
    prefix = (x[:, :30].masked_fill(padding_BL11, 1e6) for x in (q, k, v))  # a look at padding would be seen
    found = [Cached(cache, 30, lengths_B).retain(0, *prefix)]
    cache.advance(lengths_B, 30)
    for step in range(more):
        at_B = lengths_B + step
        parts = (x[torch.arange(3), at_B][:, None] for x in (q, k, v))
        found.append(Cached(cache, 1).retain(0, *parts))
        cache.advance(1, 1)
    assert cache.kv.numel() == size == 3 * HEADS * WIDTH * WIDTH, "it doesn't grow with what was read"
    causal = torch.ones(1, 1, 50, 50, dtype=torch.bool).tril()
    wanted = parallel(q, k, v, causal)
    for row, length in enumerate(lengths_B.tolist()):
        close(found[0][row, :length], wanted[row, :length])
        close(torch.stack([out[row, 0] for out in found[1:]]), wanted[row, length : length + more])


def test_distant_positions_count_less_and_each_head_has_its_own_reach() -> None:
    q = k = torch.ones(1, 400, 16, 2)
    v = torch.zeros(1, 400, 16, 2)
    v[0, 0] = 1
    out = parallel(q, k, v, torch.ones(1, 1, 400, 400, dtype=torch.bool).tril())[0, :, :, 0]
    assert (out[1:].diff(dim=0) < 0).all()
    share = out[-1] / out[0]
    assert (share.diff() > 0).all()
    assert share[0] < 1e-4
