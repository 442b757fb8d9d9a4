"""Tests that packed documents without their conditions are those that decoding reads for guidance."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.network.packing import Batch, collate
from model.sequences.documents import Condition, Document, canvas, document, whole_canvas
from model.sequences.spelled import length_document
from model.sequences.tokenizer import Tokenizer
from model.training.step.unconditional import unconditional

K, SIZE = 4, 32
TOKENIZER = Tokenizer.default(K).with_tones(["calm"])
RNG = np.random.default_rng(0)


def codes(frames: int) -> np.ndarray:
    return RNG.integers(0, SIZE, (K, frames)).astype(np.uint16)


CONDITIONS = {
    "speech": Condition("həlˈoʊ.", "de", codes(5)),
    "no prompt, a tone": Condition("aɪ", "en", codes(0), tone="calm"),
    "nothing": Condition("", "en", codes(0)),
    "with an input": Condition("həl", "en", codes(3), "cse", codes(6), np.arange(6) < 2),
    "an input alone": Condition("", "en", codes(0), "ns", codes(6)),
}
RESPONSE = codes(7)
MASKED = np.arange(7) % 2 == 0


def laid_out(condition: Condition, kind: str, tokenizer: Tokenizer = TOKENIZER) -> Document:
    if kind == "nar":
        return document(tokenizer, condition, RESPONSE, 2, SIZE)
    if kind == "len":
        return length_document(tokenizer, condition, tokenizer.digits[:2], ended=True)
    if kind == "nar-len":
        return canvas(tokenizer, condition, RESPONSE[0].astype(np.int64), MASKED)
    if kind == "all":
        masked_KT = np.concatenate([MASKED[None], np.ones((K - 1, 7), bool)])
        return whole_canvas(tokenizer, condition, RESPONSE, masked_KT, masked_KT)
    return document(tokenizer, condition, RESPONSE, 0, SIZE, group=2 if kind == "grouped" else 1)


def assert_same(found: Batch, wanted: Batch) -> None:
    for name in ("tokens_L", "codes_LK", "positions_L"):
        assert torch.equal(getattr(found, name), getattr(wanted, name)), name
    assert (found.lengths, found.causal, found.given, found.before) == (
        wanted.lengths,
        wanted.causal,
        wanted.given,
        wanted.before,
    )
    for mine, theirs in zip(found.rows, wanted.rows, strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("kind", ["ar", "grouped", "nar-len", "all"])
@pytest.mark.parametrize("what", CONDITIONS)
def test_a_document_is_laid_out_as_the_dropped_condition_is(what: str, kind: str) -> None:
    condition = CONDITIONS[what]
    found = unconditional(collate([laid_out(condition, kind)], K), TOKENIZER)
    assert found is not None
    assert_same(found, collate([laid_out(condition.dropped(), kind)], K))


@pytest.mark.parametrize("kind", ["nar-len", "all"])
def test_nobody_is_told_what_a_frame_says(kind: str) -> None:
    tokenizer = TOKENIZER.spaced(0.0, names_said=True).paced({"a": 5.0, "": 4.0})
    batch = collate([laid_out(CONDITIONS["speech"], kind, tokenizer)], K)
    assert (batch.codes_LK[-7:, K] >= 0).all()
    found = unconditional(batch, tokenizer)
    assert found is not None
    wanted = collate([laid_out(CONDITIONS["speech"].dropped(), kind, tokenizer)], K)
    assert_same(replace(found, codes_LK=found.codes_LK[:, :K]), wanted)
    assert (found.codes_LK[:, K] < 0).all()
    assert (batch.codes_LK[-7:, K] >= 0).all(), "the batch itself stays as it is"


def test_of_many_documents_those_that_are_guided_stay_in_order() -> None:
    kinds = ["nar", "ar", "len", "nar-len", "all", "ar", "nar"]
    conditions = [list(CONDITIONS.values())[number % len(CONDITIONS)] for number in range(len(kinds))]
    batch = collate([laid_out(*pair) for pair in zip(conditions, kinds, strict=True)], K)
    kept = [
        laid_out(condition.dropped(), kind)
        for condition, kind in zip(conditions, kinds, strict=True)
        if kind in {"ar", "nar-len", "all"}
    ]
    found = unconditional(batch, TOKENIZER)
    assert found is not None
    assert_same(found, collate(kept, K))
    guided = [0, K + 1, K + 2]
    assert [len(found.rows[head]) for head in guided] == [len(batch.rows[head]) for head in guided]
    assert all(len(found.rows[head]) for head in guided)


def test_the_batch_itself_stays_as_it_is() -> None:
    batch = collate([laid_out(CONDITIONS["with an input"], "ar")], K)
    before = batch.tokens_L.clone(), batch.positions_L.clone()
    unconditional(batch, TOKENIZER)
    assert torch.equal(batch.tokens_L, before[0])
    assert torch.equal(batch.positions_L, before[1])


def test_without_a_guided_document_there_is_nothing() -> None:
    batch = collate([laid_out(CONDITIONS["speech"], kind) for kind in ("nar", "len")], K)
    assert unconditional(replace(batch, targets=()), TOKENIZER) is None
