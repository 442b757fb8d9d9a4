"""Decoding in the delay pattern: the cache, batches, ends, beginnings and seeds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model.architecture import ARCHS
from model.decoding.asks import Ask
from model.decoding.codes import generate, respond
from model.decoding.levels import generate_delayed
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.network.attention import Packed
from model.network.decoder import Decoder
from model.sequences.delayed import delayed_document
from model.sequences.documents import Condition
from stages.errors import UsageError
from stages.records import Codes
from tests.model.decoding.test_autoregressive import CONDITIONS, RNG, TOKENIZER, decisive, vocabulary
from tests.model.network.test_decoder import CPU

WARM = Sampling(0.9, top_k=20, repetition_penalty=1.1)
SHAPES = pytest.mark.parametrize(
    "shape", [*({"arch": arch} for arch in ARCHS), {"window": 6}, {"experts": 4}, {"text_spacing": "aligned"}], ids=str
)


def late(**shape: Any) -> Decoder:
    net = decisive(**shape)
    net.levels = "delay"
    return net


def logits_of(net: Decoder, condition: Condition, codes_KT: Codes, guidance: float) -> list[torch.Tensor]:
    """Returns the logits of each codebook at each frame, from one pass over everything."""
    found = []
    for one in (condition, condition.dropped()):
        item = delayed_document(vocabulary(net), one, codes_KT, 64)
        read = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
        attend = Packed([len(item)], 1, CPU, window=net.config.window_positions, before=[item.before])
        with torch.inference_mode():
            hidden_LD = net.hidden(*read, attend)
            asked = [(item.head, item.rows_M), *((head, rows_M) for head, rows_M, _ in item.more)]
            found.append([net.logits(hidden_LD[rows_M], head) for head, rows_M in asked])
    return [without + guidance * (with_ - without) for with_, without in zip(*found, strict=True)]


@SHAPES
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("begun", [0, 3, 11])
def test_the_likeliest_codes_are_those_of_one_pass_over_all(shape: dict[str, Any], guidance: float, begun: int) -> None:
    net, count = late(**shape), 14
    begun_KT = RNG.integers(0, 64, (8, begun)).astype(np.uint16)
    asks = [
        Ask(replace(one, begun_KT=begun_KT if place else None), count, Decoding(ar=GREEDY, guidance=guidance), count)
        for place, one in enumerate(CONDITIONS[:2])
    ]
    for ask, (first, codes_KT) in zip(asks, generate_delayed(net, vocabulary(net), asks), strict=True):
        assert codes_KT.shape == (8, count)
        assert codes_KT.dtype == np.uint16
        known = ask.condition.begun().shape[1]
        plain = replace(ask.condition, begun_KT=None)
        whole_KT = np.concatenate([ask.condition.begun().astype(np.uint16), codes_KT], axis=1)
        wanted = logits_of(net, plain, whole_KT, guidance)
        for codebook, logits_MV in enumerate(wanted):
            likeliest = logits_MV[known : known + count, :64].argmax(-1)
            assert likeliest.tolist() == codes_KT[codebook].tolist()
        told = wanted[0][known : known + count].clone()
        told[:-1, 64] = -torch.inf  # no response ends before its fewest frames
        told[-1, 64] = -torch.inf
        logprob = told.log_softmax(-1).gather(-1, torch.from_numpy(codes_KT[0].astype(np.int64))[:, None])
        assert first.mean_logprob == pytest.approx(float(logprob.mean()), rel=1e-4)
        assert first.end == "length"
        assert first.passes == count + 7


@SHAPES
def test_a_response_is_the_same_in_any_company(shape: dict[str, Any]) -> None:
    net = late(**shape)
    decoding = Decoding(ar=WARM, nar=Sampling(0.7), guidance=1.5)
    conditions = [*CONDITIONS, replace(CONDITIONS[0], begun_KT=RNG.integers(0, 64, (8, 4)).astype(np.uint16))]
    asks = [Ask(one, 16 - 4 * place, decoding, 1, seed=3 + place) for place, one in enumerate(conditions)]
    together = generate_delayed(net, vocabulary(net), asks)
    for ask, (first, codes_KT) in zip(asks, together, strict=True):
        ((alone, alone_KT),) = generate_delayed(net, vocabulary(net), [ask])
        assert np.array_equal(alone_KT, codes_KT)
        assert alone.mean_logprob == pytest.approx(first.mean_logprob, rel=1e-4)
        assert (alone.end, alone.passes) == (first.end, first.passes)
    assert len({codes_KT.shape[1] for _, codes_KT in together}) > 1
    again = generate_delayed(net, vocabulary(net), [replace(ask, seed=ask.seed + 9) for ask in asks])
    assert any(not np.array_equal(one[1], other[1]) for one, other in zip(together, again, strict=True))


def test_a_response_ends_by_its_stop_code_and_no_earlier_than_it_may() -> None:
    net, ends = late(), []
    ask = Ask(CONDITIONS[0], 20, Decoding(ar=GREEDY), 6)
    with torch.no_grad():
        net.heads[0].weight.zero_()  # all codes are as likely, and the first one is taken
        for sign in (0.0, 1.0, -1.0):
            net.heads[0].weight[64] = sign
            ((first, codes_KT),) = generate_delayed(net, vocabulary(net), [ask])
            assert not codes_KT[0].any()
            assert 6 <= codes_KT.shape[1] <= 20
            assert (first.end == "stop") == (codes_KT.shape[1] < 20)
            ends.append(first.end)
    assert ends[0] == "length"
    assert "stop" in ends


class _Stops:
    """A watch that stops at a length."""

    def __init__(self, kept: int) -> None:
        self.kept = kept

    def look(self, codes_BT: torch.Tensor, lengths_B: torch.Tensor) -> Any:
        from model.decoding.watch import Seen

        yes = lengths_B >= 32
        return Seen(yes, torch.zeros_like(yes), torch.full_like(lengths_B, self.kept))


@pytest.mark.parametrize(("kept", "frames"), [(10, 10), (31, 25)])
def test_a_watch_stops_a_response_and_not_the_others(kept: int, frames: int) -> None:
    net, decoding = late(), Decoding(ar=GREEDY)
    plain = Ask(CONDITIONS[0], 40, decoding, 1)
    watched: Any = replace(plain, condition=CONDITIONS[1], watch=_Stops(kept))
    with torch.no_grad():
        net.heads[0].weight[64] = 0
    (_, free_KT), (first, codes_KT) = generate_delayed(net, vocabulary(net), [plain, watched])
    assert (first.end, codes_KT.shape[1]) == ("loop", frames)
    assert free_KT.shape[1] == 40
    whole = respond(net, TOKENIZER, replace(watched, watch=None)).codes_KT
    assert np.array_equal(codes_KT, whole[:, :frames])


@pytest.mark.parametrize(
    "values",
    [{"beam_width": 2}, {"refine_on_stop": True}, {"max_ar_context": 5}, {"layer_skip": True}, {"ahead": True}],
    ids=str,
)
def test_what_it_cannot_do_is_refused(values: dict[str, Any]) -> None:
    name = next(iter(values))
    decoding = Decoding(ar=Sampling(), **values)
    with pytest.raises(
        UsageError, match=rf"`{name}` must be left out \(it is .*\): the model was trained with"
    ) as told:
        generate(late(), TOKENIZER, CONDITIONS, max_frames=5, decoding=decoding)
    assert "\n" not in str(told.value)
