"""Sliding windows: what is seen, in documents as step by step, and what the cache keeps of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.architecture import ModelConfig
from model.decoding.autoregressive import Lane
from model.decoding.engine import Quantization
from model.decoding.engine.step import laid_out
from model.decoding.options import Decoding
from model.decoding.samplers.chain import Sampling
from model.decoding.steps import Steps
from model.network import attention, window
from model.network.attention import Packed, sdpa
from model.network.cache import Cached, KVCache, Window
from model.network.packing import collate
from model.network.window import chunks
from model.sequences.documents import document
from tests.model.decoding.test_ahead import ask_of, both_ways, guessing, prompted, spoken
from tests.model.decoding.test_autoregressive import CONDITIONS, decisive, without_cache
from tests.model.network.test_decoder import CPU, TOKENIZER, documents, network, run

SHAPES = pytest.mark.parametrize(
    "shape", [{"window": 1}, {"window": 6}, {"window": 7, "group": 2}, {"window": 5, "kv_heads": 2}], ids=str
)


def seen(length: int, before: int, size: int) -> Tensor:
    """The definition, position by position."""
    return torch.tensor(
        [[j <= i and (j < before or i < before or j > i - size) for j in range(length)] for i in range(length)]
    )


@pytest.mark.parametrize(("before", "size"), [(7, 20), (40, 3), (1, 1), (5, 900), (0, 4)])
@pytest.mark.parametrize("least", [1, 128])
def test_documents_are_attended_to_as_defined(
    monkeypatch: pytest.MonkeyPatch, before: int, size: int, least: int
) -> None:
    monkeypatch.setattr(window, "LEAST_CHUNK", least)
    lengths, befores, causal = (300, 30, before + size, 50), (before, 12, before, 0), 3
    found: list[list[Tensor]] = []
    for packed in (True, False):
        qkv = torch.randn(3, sum(lengths), 2, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
        if packed:
            out = Packed(lengths, causal, CPU, window=size, before=befores)(0, *qkv)
        else:
            parts = zip(lengths, befores, *(torch.split(x, lengths) for x in qkv), strict=True)
            masks = [
                (seen(length, start or length, size) if number < causal else torch.ones(length, length).bool(), part)
                for number, (length, start, *part) in enumerate(parts)
            ]
            out = torch.cat([sdpa(*(x[None] for x in part), mask=mask)[0] for mask, part in masks])
        (out * torch.linspace(-1, 1, out.shape[0])[:, None, None]).sum().backward()
        assert qkv.grad is not None
        found.append([out.detach(), qkv.grad])
    for one, wanted in zip(*found, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-5, atol=1e-5)


def test_where_flash_attention_computes_the_rest_a_window_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, befores = (200, 30, 50), (9, 12, 0)
    qkv = torch.randn(3, sum(lengths), 2, 8, generator=torch.Generator().manual_seed(0))
    wanted = Packed(lengths, 3, CPU, window=20, before=befores)(0, *qkv)
    monkeypatch.setattr(attention, "flash_takes", lambda *_: True)
    torch.testing.assert_close(Packed(lengths, 3, CPU, window=20, before=befores)(0, *qkv), wanted)


def test_chunks_cover_each_position_once_and_have_few_keys() -> None:
    for length, before, size in ((1000, 40, 75), (1000, 300, 10), (130, 1, 1), (90, 40, 75), (115, 40, 75)):
        parts = list(chunks(length, before, size))
        assert [place for start, end in parts for place in range(start, end)] == list(range(before + size, length))
        for start, end in parts[:-1]:
            assert before + size + (end - start) <= 3 * (end - start)


@SHAPES
def test_only_the_condition_and_the_last_frames_are_seen(shape: dict[str, Any]) -> None:
    """In one layer: what a position says depends on all of the condition and on the window, and on nothing else."""
    net = network(layers=1, **shape).eval()
    group, size = net.config.group, net.config.window_positions or 0
    item = documents(group)[0]
    assert item.before < len(item) - size - 3

    def heard(place: int) -> list[bool]:
        """Which positions of the response a changed token is heard at."""
        tokens = item.tokens_L.copy()
        tokens[place] = (tokens[place] + 1) % 5
        results = [run(net, collate([one], 8))[0] for one in (item, replace(item, tokens_L=tokens))]
        one, other = (logits.view(len(item.rows_M), -1) for logits in results)
        return (one != other).any(1).tolist()

    frames = len(item) - item.before
    for place in (0, item.before // 2, item.before - 1):
        assert heard(place) == [True] * (1 + frames)
    for frame in (0, 2):
        reached = [frame <= later < frame + size for later in range(frames)]
        assert heard(item.before + frame) == [False, *reached]


@SHAPES
def test_steps_say_what_whole_documents_say_and_the_cache_stays_small(shape: dict[str, Any]) -> None:
    net = decisive(**shape)
    group, frames = net.config.group, 80
    codes_BT = np.random.default_rng(2).integers(0, 64, (3, frames))
    rows: list[Tensor] = []
    with torch.inference_mode():
        steps = Steps(net, TOKENIZER, CONDITIONS, most=100_000)
        for start in range(0, frames, group):
            rows.append(steps.logits(0))
            steps.take(torch.from_numpy(codes_BT[:, start : start + group]))
    found_BTV = torch.cat(rows, 1)
    for condition, codes_T, found_TV in zip(CONDITIONS, codes_BT, found_BTV, strict=True):
        wanted_TV = without_cache(net, condition, codes_T)[:frames]
        torch.testing.assert_close(found_TV, wanted_TV, rtol=1e-4, atol=1e-4)
    before = max(document(TOKENIZER, one, one.begun(), 0, 64, group=group).before for one in CONDITIONS)
    capacity = steps.cache.capacity
    assert capacity is not None
    assert capacity < before + (net.config.window_positions or 0) + 64, "rounded up, and no more"
    assert not torch.allclose(found_BTV[0], without_cache(network_like(net), CONDITIONS[0], codes_BT[0])[:frames])


def network_like(net: Any) -> Any:
    """The same weights without a window."""
    other = network(**net.config.model_copy(update={"window": None}).model_dump())
    other.load_state_dict(net.state_dict())
    return other.eval()


@pytest.mark.parametrize("begun", [0, 4, 30])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_what_a_response_begins_with_is_seen_as_its_frames(begun: int, guidance: float) -> None:
    net = decisive(window=6)
    codes_T = np.random.default_rng(4).integers(0, 64, begun + 20)
    begun_KT = np.zeros((8, begun), np.uint16)
    begun_KT[0] = codes_T[:begun]
    asked = [replace(CONDITIONS[0], begun_KT=begun_KT), CONDITIONS[1]]
    rows = []
    with torch.inference_mode():
        steps = Steps(net, TOKENIZER, asked, most=20, guidance=guidance)
        for code in codes_T[begun:]:
            rows.append(steps.logits(0)[0])
            steps.take(torch.tensor([[code], [3]]))
    wanted_TV = without_cache(net, CONDITIONS[0], codes_T)
    if guidance > 1:
        alone_TV = without_cache(net, CONDITIONS[0].dropped(), codes_T)
        wanted_TV = alone_TV + guidance * (wanted_TV - alone_TV)
    torch.testing.assert_close(torch.cat(rows), wanted_TV[begun:-1], rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("shape", [{"window": 6}, {"window": 1}, {"window": 4, "group": 2}], ids=str)
@pytest.mark.parametrize("context", [None, 3])
def test_wrong_proposals_hide_nothing(
    monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], context: int | None
) -> None:
    """With heads ahead, the codes are those of single steps, also once the ring has gone round."""
    net = guessing(**shape)
    saved = 0
    for number in range(3):
        ask = ask_of(number, most=48, least=40, ar=Sampling(0.8), max_ar_context=context)
        plain, ahead = both_ways(net, ask)
        assert plain.codes_T.tolist() == ahead.codes_T.tolist()
        longer = spoken(net, replace(ask, most_frames=57), ahead=False)
        with monkeypatch.context() as patch:
            prompted(patch, longer.codes_T, net.config.group)
            helped = spoken(net, ask)
        assert plain.codes_T.tolist() == helped.codes_T.tolist()
        saved += (plain.passes or 0) - (helped.passes or 0)
    assert saved > 0


def test_responses_that_enter_and_leave_find_their_past() -> None:
    net = decisive(window=6)
    asks = [ask_of(number, most=most, least=most, ar=Sampling(0.9)) for number, most in enumerate((12, 40, 25))]
    alone = [spoken(net, ask).codes_T.tolist() for ask in asks]
    lane = Lane(net, TOKENIZER, like=asks[0])
    found = lane.enter(asks[:2])
    for _ in range(9):
        lane.advance()
    found += lane.enter(asks[2:])
    while len(lane):
        lane.advance()
    assert [one.codes_T.tolist() for one in found] == alone


def test_a_cache_without_a_ring_does_the_same() -> None:
    net = decisive(window=5)
    item = documents()[0]
    inputs = [torch.from_numpy(x)[None] for x in (item.tokens_L, item.codes_LK, item.positions_L)]
    cache = KVCache.allocate(net.config, 1, len(item), device=CPU, dtype=torch.float32)
    limit, at, found = Window(torch.tensor([item.before]), 5), 0, []
    with torch.inference_mode():
        for step in (item.before, 1, 3, len(item) - item.before - 4):
            part = [x[:, at : at + step] for x in inputs]
            found.append(net.hidden(*part, Cached(cache, step, window=limit))[0])
            cache.advance(step, step)
            at += step
        batch = collate([item], 8)
        attend = Packed(batch.lengths, 1, CPU, window=5, before=batch.before)
        wanted = net.hidden(batch.tokens_L, batch.codes_LK, batch.positions_L, attend)
    torch.testing.assert_close(torch.cat(found), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [{"window": 6}, {"window": 1}, {"window": 4, "group": 2, "kv_heads": 2}], ids=str)
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_single_steps_laid_out_see_the_same(shape: dict[str, Any], guidance: float) -> None:
    net = decisive(**shape)
    group = net.config.group
    codes_BLG = torch.from_numpy(np.random.default_rng(5).integers(0, 64, (3, 24, group)))
    found, rounded, wanted = [], [], []
    with torch.inference_mode():
        for rows, quantization in ((wanted, None), (found, "none"), (rounded, "int8")):
            step = None if quantization is None else laid_out(net, quantization)
            steps = Steps(net, TOKENIZER, CONDITIONS, most=24, guidance=guidance, step=step)
            for place in range(24):
                steps.take(codes_BLG[:, place])
                rows.append(steps.logits(0))
    torch.testing.assert_close(torch.cat(found), torch.cat(wanted), rtol=1e-4, atol=2e-4)
    assert 0 < (torch.cat(rounded) - torch.cat(wanted)).norm() < 0.1 * torch.cat(wanted).norm()


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_single_steps_laid_out_know_no_batch_and_no_wrong_proposal(
    monkeypatch: pytest.MonkeyPatch, quantization: Quantization
) -> None:
    net = guessing(window=6)
    step = laid_out(net, quantization)
    asks = [ask_of(number, most=40, least=35, ar=Sampling(0.9)) for number in range(3)]
    alone = [spoken(net, ask, step, ahead=False) for ask in asks]
    lane = Lane(net, TOKENIZER, like=replace(asks[0], decoding=replace(asks[0].decoding, ahead=False)), step=step)
    together = lane.enter(asks)
    while len(lane):
        lane.advance()
    assert [one.codes_T.tolist() for one in together] == [one.codes_T.tolist() for one in alone]
    longer = spoken(net, replace(asks[0], most_frames=50), step, ahead=False)
    prompted(monkeypatch, longer.codes_T, 1)
    helped = spoken(net, asks[0], step)
    assert helped.codes_T.tolist() == alone[0].codes_T.tolist()
    assert (helped.passes or 0) < (alone[0].passes or 0)


def test_steps_that_end_early_see_the_window_too() -> None:
    """Steps that never end early give the same codes; those that always do go round the ring as well."""
    net = decisive(window=6)
    step = laid_out(net, "none")
    sure = {"layer_skip_entropy_threshold": 99.0, "layer_skip_varentropy_threshold": 99.0}
    plain, never, soon = (
        spoken(net, ask_of(1, most=30, least=30, ar=Sampling(0.9), **more), step)
        for more in ({}, {"layer_skip": True, "layer_skip_entropy_threshold": 0.0}, {"layer_skip": True, **sure})
    )
    assert plain.codes_T.tolist() == never.codes_T.tolist()
    assert len(soon.codes_T) == 30
    assert soon.codes_T.tolist() != plain.codes_T.tolist()


def test_retention_has_no_window() -> None:
    with pytest.raises(ValueError, match="`window` must not be set if `arch` is `retnet`, but is 5"):
        ModelConfig(arch="retnet", window=5)


def test_modes_that_read_a_response_at_once_see_all_of_it() -> None:
    limited, whole = network(window=2), network()
    others = [item for item in documents() if item.head]
    assert all(not item.before for item in others)
    for one, two in zip(run(limited, collate(others, 8)), run(whole, collate(others, 8)), strict=True):
        assert torch.equal(one, two)


def test_a_decoding_context_may_narrow_the_window_but_not_widen_it() -> None:
    net = decisive(window=6)
    ask = ask_of(0, most=30, least=30, ar=Sampling(0.9))
    same, wide, narrow = (
        spoken(net, replace(ask, decoding=Decoding(ar=Sampling(0.9), max_ar_context=frames))).codes_T.tolist()
        for frames in (None, 50, 2)
    )
    assert same == wide != narrow
