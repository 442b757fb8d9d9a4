"""Mixed prompts: the sum of embeddings that the network reads, and what comes of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.decoding.codes import generate
from model.decoding.options import FIRST_MODES, Decoding, FirstMode, Unmasking
from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY
from model.sequences.documents import Condition, canvas, document
from stages.records import Codes
from tests.model.decoding.test_autoregressive import CONDITIONS, RNG, SHAPES, TOKENIZER, decisive

ONE = CONDITIONS[0]
OTHER_KP = RNG.integers(0, 64, ONE.prompt_KP.shape).astype(np.uint16)
MODES = pytest.mark.parametrize("mode", FIRST_MODES)


def mixed(first: float, second: float, other_KP: Codes = OTHER_KP) -> Condition:
    return replace(ONE, mixed=((first, ONE.prompt_KP), (second, other_KP)))


def spoken(conditions: list[Condition], mode: FirstMode = "ar", guidance: float = 1.0, **shape: Any) -> list[Codes]:
    decoding = Decoding(mode, GREEDY, Unmasking(4, sampling=GREEDY), guidance=guidance)
    return generate(decisive(**shape), TOKENIZER, conditions, max_frames=16, min_frames=8, decoding=decoding)


@SHAPES
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@MODES
def test_the_whole_weight_of_one_voice_is_that_voice(mode: FirstMode, guidance: float, shape: dict[str, Any]) -> None:
    plain, whole = (spoken([item], mode, guidance, **shape)[0] for item in (ONE, mixed(1.0, 0.0)))
    np.testing.assert_array_equal(whole, plain)


@MODES
def test_a_mixture_is_another_voice_and_a_voice_mixed_with_itself_is_itself(mode: FirstMode) -> None:
    one, other, itself = (
        spoken([item], mode)[0] for item in (ONE, replace(ONE, prompt_KP=OTHER_KP), mixed(0.5, 0.5, ONE.prompt_KP))
    )
    np.testing.assert_array_equal(itself, one)
    between = [spoken([mixed(first, 1 - first)], mode)[0] for first in (0.5, 0.7, 0.9)]
    assert any(not np.array_equal(half, one) and not np.array_equal(half, other) for half in between)


@MODES
def test_a_batch_gives_what_its_singles_give(mode: FirstMode) -> None:
    conditions = [CONDITIONS[1], mixed(0.7, 0.3), CONDITIONS[2], mixed(0.2, 0.8)]
    together = spoken(conditions, mode, 2.0)
    for condition, codes_KT in zip(conditions, together, strict=True):
        np.testing.assert_array_equal(spoken([condition], mode, 2.0)[0], codes_KT)


def test_the_network_reads_the_weighted_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    net, read = decisive(), []
    real = net.read

    def watched(embedded: Tensor, *given: Any) -> Tensor:
        read.append(embedded.clone())
        return real(embedded, *given)

    monkeypatch.setattr(net, "read", watched)
    item = mixed(0.7, 0.3)
    response_KT = np.zeros((8, 4), np.uint16)
    documents = [
        document(TOKENIZER, CONDITIONS[1], response_KT, 3, 64),
        document(TOKENIZER, item, response_KT, 3, 64),
        canvas(TOKENIZER, CONDITIONS[2], response_KT[0], np.ones(4, bool)),
    ]
    with torch.inference_mode():
        Reading(net, documents).hidden()
        table = net.code_embedding.weight

        def prompt(codes_KP: Codes) -> Tensor:
            rows = torch.from_numpy(codes_KP.astype(np.int64)) + 64 * torch.arange(8)[:, None]
            return table[rows].sum(0) + net.token_embedding.weight[TOKENIZER.prompt]

        wanted = 0.7 * prompt(ONE.prompt_KP) + 0.3 * prompt(OTHER_KP)
        start = len(documents[0]) + 1 + 1 + len(ONE.phonemes) + 1 + 1
        torch.testing.assert_close(read[0][start : start + 20], wanted)
        batch = torch.cat([net.embed(torch.from_numpy(d.tokens_L), torch.from_numpy(d.codes_LK)) for d in documents])
        elsewhere = np.r_[0:start, start + 20 : len(batch)]
        assert torch.equal(read[0][elsewhere], batch[elsewhere])


def test_guidance_knows_nothing_of_the_mixture() -> None:
    assert mixed(0.7, 0.3).dropped().mixed == ()
