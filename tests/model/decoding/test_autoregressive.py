"""Decoding: the cache, batches, stops and seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from model.architecture import ARCHS
from model.decoding.autoregressive import CHECK_EVERY
from model.decoding.codes import generate
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.network.attention import Packed
from model.network.cache import Cached, KVCache
from model.network.decoder import Decoder
from model.sequences.documents import Condition, document
from model.sequences.heads import group_columns
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes
from tests.model.decoding.firsts import generate_first
from tests.model.network.test_decoder import CPU, TOKENIZER, network

RNG = np.random.default_rng(0)
CONDITIONS = [
    Condition(text, "en", RNG.integers(0, 64, (8, frames)).astype(np.uint16))
    for text, frames in (("həlˈoʊ", 20), ("h", 37), ("wɜːld əlˈoʊ", 0))
]


SHAPES = pytest.mark.parametrize(
    "shape",
    [
        *({"arch": arch} for arch in ARCHS),
        *({"kv_heads": 2}, {"group": 2}, {"group": 4, "arch": "retnet"}, {"experts": 4}, {"text_spacing": "aligned"}),
    ],
    ids=str,
)


PACED = TOKENIZER.spaced(0.0, names_said=True).paced({"h": 4.0, "l": 6.0, "ə": 3.0, "": 5.0})
"""Tells frames what they say, for networks that read it."""


def vocabulary(net: Decoder) -> Tokenizer:
    """What a network is given its texts by."""
    return PACED if net.config.names_said else TOKENIZER


GUIDANCE = pytest.mark.parametrize("guidance", [1.0, 2.0])


def decisive(**shape: Any) -> Decoder:
    """A network whose logits are far apart, so that rounding can't turn a choice."""
    net = network(**shape)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(4 if weight.dim() > 1 else 1)
    return net.eval()


def without_cache(net: Decoder, condition: Condition, codes_T: Sequence[int]) -> Tensor:
    """Returns the logits of each frame and of what follows the last whole group, from one pass over everything."""
    response = np.zeros((8, len(codes_T)), np.uint16)
    response[0] = codes_T
    item = document(vocabulary(net), condition, response, 0, 64, group=net.config.group)
    tensors = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
    with torch.inference_mode():
        attend = Packed([len(item)], 1, CPU, window=net.config.window_positions, before=[item.before])
        return net.logits(net.hidden(*tensors, attend)[item.rows_M], 0)


@SHAPES
def test_cached_logits_equal_uncached(shape: dict[str, Any]) -> None:
    net = decisive(**shape)
    condition = CONDITIONS[0]
    codes = RNG.integers(0, 64, 30)
    wanted = without_cache(net, condition, codes)
    response = np.zeros((8, 30), np.uint16)
    response[0] = codes
    item = document(vocabulary(net), condition, response, 0, 64, group=net.config.group)
    inputs = [torch.from_numpy(x)[None] for x in (item.tokens_L, item.codes_LK, item.positions_L)]
    cache = KVCache.allocate(net.config, 1, len(item), device=CPU, dtype=torch.float32)
    found, at = [], 0
    with torch.inference_mode():
        steps = (item.rows_M[0] + 1, 1, 1, 3, 1)  # the prefix, single frames or groups, several at once
        for step in (*steps, len(item) - sum(steps)):
            part = [x[:, at : at + step] for x in inputs]
            found.append(net.hidden(*part, Cached(cache, step))[0])
            cache.advance(step, step)
            at += step
        logits = net.logits(torch.cat(found)[item.rows_M], 0)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)


@GUIDANCE
@SHAPES
def test_greedy_decoding_is_what_full_passes_choose(shape: dict[str, Any], guidance: float) -> None:
    net = decisive(**shape)
    for condition in CONDITIONS:
        (codes,) = generate_first(
            net, vocabulary(net), [condition], max_frames=25, decoding=Decoding(ar=GREEDY, guidance=guidance)
        )
        logits = without_cache(net, condition, codes[0])
        if guidance > 1:
            alone = without_cache(net, condition.dropped(), codes[0])
            logits = alone + guidance * (logits - alone)
        chosen = [int(logits[0, :64].argmax()), *logits[1:].argmax(-1).tolist()]
        frames = codes.shape[1]
        assert chosen[:frames] == codes[0].tolist()
        assert frames == 25 or chosen[frames] == 64


@GUIDANCE
@SHAPES
def test_a_batch_gives_what_its_singles_give(shape: dict[str, Any], guidance: float) -> None:
    net = decisive(**shape)
    greedy = Decoding(ar=GREEDY, guidance=guidance)
    together = generate(net, vocabulary(net), CONDITIONS, max_frames=25, decoding=greedy)
    for condition, codes in zip(CONDITIONS, together, strict=True):
        (alone,) = generate(net, vocabulary(net), [condition], max_frames=25, decoding=greedy)
        assert np.array_equal(alone, codes)


def test_no_guidance_asks_for_no_second_row() -> None:
    net, shown = with_stop_in_place(1, 0, after=2, read=3)
    generate_first(net, vocabulary(net), CONDITIONS, max_frames=9, decoding=Decoding(ar=GREEDY, guidance=1.0))
    assert [len(step_BC) for step_BC in shown] == [1, 1, 1, 3, 3]
    net, shown = with_stop_in_place(1, 0, after=2, read=4)
    generate_first(net, vocabulary(net), CONDITIONS, max_frames=9, decoding=Decoding(ar=GREEDY, guidance=1.5))
    assert [len(step_AC) for step_AC in shown] == [1, 1, 1, 1, 6, 6], "that without text and prompt is read once"
    assert all((step_AC[::2] == step_AC[1::2]).all() for step_AC in shown[4:]), "both rows see what was drawn"


def test_a_device_is_seldom_asked_whether_all_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    net, shown = with_stop_in_place(1, 0, after=2)
    monkeypatch.setitem(CHECK_EVERY, "cpu", 5)
    (codes,) = generate_first(net, vocabulary(net), CONDITIONS[:1], max_frames=50, decoding=Decoding(ar=GREEDY))
    assert codes.tolist() == [[7, 7]]
    assert len(shown) == 5


EVERY = {
    **{"repetition_penalty": 1.3, "repetition_penalty_decay": 0.1, "dry_multiplier": 0.8, "dry_allowed_length": 1},
    **{"length_penalty": 0.5, "min_temperature": 0.3, "top_n_sigma": 4, "ras_window": 5},
}
SAMPLINGS = (
    Sampling(0.8, **EVERY, top_k=30, top_p=0.95, min_p=0.01),
    Sampling(0.8, **EVERY | {"top_n_sigma": 0}, mirostat_tau=3),
)
"""All samplers, in two lists, since mirostat leaves no other choice of codes beside it."""


def with_stop_logit(value: float) -> Decoder:
    """A network that says the same of the stop code wherever it is."""
    net = network().eval()

    def head(hidden: Tensor) -> Tensor:
        logits = torch.zeros(*hidden.shape[:-1], 65)
        logits[..., 64] = value
        return logits

    net.heads[0].forward = head  # type: ignore[method-assign]
    return net


def test_stop_and_limit() -> None:
    def lengths(net: Decoder) -> list[int]:
        return [codes.shape[1] for codes in generate(net, vocabulary(net), CONDITIONS, max_frames=20, seeds=[1, 2, 3])]

    assert lengths(with_stop_logit(1e9)) == [1, 1, 1], "a response has at least one frame"
    assert lengths(with_stop_logit(-1e9)) == [20, 20, 20]
    ragged = lengths(with_stop_logit(2.0))
    assert len(set(ragged)) > 1
    assert all(1 <= length <= 20 for length in ragged)


class Exchanges(TorchDispatchMode):
    """Counts what would pass between host and device: Python's numbers made a tensor, and a tensor's number read."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += op in {torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default}
        return op(*args, **(kwargs or {}))


@GUIDANCE
@SHAPES
@pytest.mark.parametrize("sampling", SAMPLINGS, ids=("filters", "mirostat"))
def test_a_step_exchanges_nothing_with_the_device(
    shape: dict[str, Any], guidance: float, sampling: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECK_EVERY, "cpu", 1000)
    net, counts = network(**shape).eval(), []
    for frames in (8, 24):
        with Exchanges() as exchanges:
            generate_first(
                *(net, vocabulary(net), CONDITIONS),
                **{"max_frames": frames, "min_frames": frames},
                decoding=Decoding(ar=sampling, guidance=guidance),
            )
        counts.append(exchanges.count)
    assert counts[0] == counts[1]


def with_stop_in_place(group: int, place: int, after: int, read: int = 1) -> tuple[Decoder, list[Tensor]]:
    """A network that stops in a place of a group after so many groups; and what it is shown, step by step.

    First it reads so many conditions, one after the other.
    """
    net = network(group=group).eval()
    shown: list[Tensor] = []
    hidden = net.hidden

    def head(last_BD: Tensor) -> Tensor:
        logits = torch.zeros(len(last_BD), group, 65)
        logits[..., 7] = 1
        if len(shown) == read + after:
            logits[:, place, 64] = 2
        return logits.flatten(1)

    def watched(tokens: Tensor, codes: Tensor, positions: Tensor, attend: Cached) -> Tensor:
        shown.append(torch.cat([positions[:, -1:], codes[:, -1]], 1))
        return hidden(tokens, codes, positions, attend)

    net.heads[0].forward = head  # type: ignore[method-assign]
    net.hidden = watched  # type: ignore[method-assign]
    return net, shown


@pytest.mark.parametrize("group", [1, 2, 4])
def test_groups_stop_at_the_first_stop_code(group: int) -> None:
    for place in range(group):
        net, shown = with_stop_in_place(group, place, after=3)
        (codes,) = generate_first(net, vocabulary(net), CONDITIONS[:1], max_frames=50, decoding=Decoding(ar=GREEDY))
        assert codes.tolist() == [[7] * (3 * group + place)]
        assert len(shown) == 1 + 3
        assert [int(step[0, 0]) for step in shown[1:]] == [1, 2, 3], "a group is one position"
        for step in shown[1:]:
            assert (step[0, 1:] == 7).nonzero()[:, 0].tolist() == group_columns(8, group)


@pytest.mark.parametrize(("group", "frames"), [(2, 7), (2, 8), (4, 7), (4, 8), (4, 9), (4, 1)])
def test_groups_take_no_more_steps_than_the_limit_asks_for(group: int, frames: int) -> None:
    net, shown = with_stop_in_place(group, 0, after=100)
    (codes,) = generate_first(net, vocabulary(net), CONDITIONS[:1], max_frames=frames, decoding=Decoding(ar=GREEDY))
    assert codes.shape == (1, frames)
    assert len(shown) == -(-frames // group)


@pytest.mark.parametrize("nar", [GREEDY, Sampling(0.8, top_k=10)])
def test_one_seed_gives_one_outcome(nar: Sampling) -> None:
    def spoken(seed: int) -> list[Codes]:
        seeds = [seed, seed + 10, seed + 20]
        return generate(net, vocabulary(net), CONDITIONS, max_frames=20, decoding=Decoding(nar=nar), seeds=seeds)

    net = network().eval()
    assert all(map(np.array_equal, spoken(5), spoken(5)))
    assert not all(map(np.array_equal, spoken(5), spoken(6)))
    for codes in spoken(5):
        assert codes.shape[0] == 8
        assert codes.dtype == np.uint16
        assert codes.max() < 64


def test_a_full_cache_is_refused() -> None:
    cache = KVCache.allocate(network().config, 1, 4, device=CPU, dtype=torch.float32)
    with pytest.raises(ValueError, match="must hold 5 positions"):
        Cached(cache, 5)


@GUIDANCE
@SHAPES
@pytest.mark.parametrize("sampling", SAMPLINGS, ids=("filters", "mirostat"))
def test_a_batch_gives_what_its_singles_give_when_drawn(
    shape: dict[str, Any], guidance: float, sampling: Sampling
) -> None:
    net, seeds = decisive(**shape), [5, 6, 5]
    warm = Decoding(ar=sampling, nar=Sampling(0.9, top_k=20), guidance=guidance)
    together = generate(net, vocabulary(net), CONDITIONS, max_frames=25, decoding=warm, seeds=seeds)
    for condition, seed, codes in zip(CONDITIONS, seeds, together, strict=True):
        (alone,) = generate(net, vocabulary(net), [condition], max_frames=25, decoding=warm, seeds=[seed])
        assert np.array_equal(alone, codes)


@GUIDANCE
@SHAPES
def test_refined_codes_are_the_likeliest_after_those_drawn(shape: dict[str, Any], guidance: float) -> None:
    net, seeds, ended = decisive(**shape), list(range(9)), 0
    for condition in CONDITIONS:
        drawn, refined = (
            generate_first(
                *(net, vocabulary(net), [condition] * len(seeds)),
                **{"max_frames": 30, "seeds": seeds},
                decoding=Decoding(ar=Sampling(1.5, length_penalty=2), guidance=guidance, refine_on_stop=refine),
            )
            for refine in (False, True)
        )
        for codes, new in zip(drawn, refined, strict=True):
            assert codes.shape == new.shape
            if codes.shape[1] == 30:
                assert np.array_equal(codes, new), "it was cut, not ended"
                continue
            logits = without_cache(net, condition, codes[0])
            if guidance > 1:
                alone = without_cache(net, condition.dropped(), codes[0])
                logits = alone + guidance * (logits - alone)
            assert new[0].tolist() == logits[: codes.shape[1], :64].argmax(-1).tolist()
            ended += not np.array_equal(codes, new)
    assert ended, "some have ended, and were drawn otherwise"
