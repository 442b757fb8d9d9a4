"""The delay pattern: what each step shows and predicts, by the figure of the paper."""

import numpy as np
import pytest

from model.sequences.delayed import begun_document, delayed, delayed_document, steps_read
from model.sequences.documents import ABSENT, Condition, document
from stages.records import Codes
from tests.model.conftest import TOKENIZER

STOP = 64
RNG = np.random.default_rng(0)


def codes(books: int, frames: int) -> Codes:
    return RNG.integers(0, 64, (books, frames)).astype(np.uint16)


def test_codebook_k_is_k_steps_late() -> None:
    found = delayed(np.array([[0, 1, 2], [10, 11, 12], [20, 21, 22], [30, 31, 32]], np.uint16))
    none = ABSENT
    assert found.tolist() == [
        [0, 1, 2, none, none, none],
        [none, 10, 11, 12, none, none],
        [none, none, 20, 21, 22, none],
        [none, none, none, 30, 31, 32],
    ]


@pytest.mark.parametrize("books", [1, 2, 4, 8])
@pytest.mark.parametrize("frames", [1, 2, 3, 9])
def test_each_code_is_predicted_once_from_the_step_before_it(books: int, frames: int) -> None:
    condition, response_KT = Condition("ab", "en", codes(books, 5)), codes(books, frames)
    item = delayed_document(TOKENIZER, condition, response_KT, STOP)
    marker = item.before - 1
    assert item.tokens_L[marker:].tolist() == [TOKENIZER.level(0)] * (1 + steps_read(books, frames))
    assert item.causal
    late_KS = delayed(response_KT)
    for step in range(steps_read(books, frames)):
        assert item.codes_LK[marker + 1 + step].tolist() == late_KS[:, step].tolist()
    asked = [(item.head, item.rows_M, item.targets_M), *item.more]
    assert [head for head, _, _ in asked] == [*range(books)]
    for codebook, (_, rows_M, targets_M) in enumerate(asked):
        own = [*response_KT[codebook].tolist(), *([STOP] if codebook == 0 else [])]
        assert targets_M.tolist() == own
        # The step that shows the code of frame t is t + codebook; the position before it predicts it.
        assert (rows_M - marker).tolist() == [frame + codebook for frame in range(len(own))]
    assert max(rows_M.max() for _, rows_M, _ in asked) == len(item) - 1, "nothing is read for nothing"


def test_what_comes_before_the_response_is_as_in_any_document() -> None:
    condition, response_KT = Condition("ab", "en", codes(8, 5)), codes(8, 9)
    late, plain = (
        delayed_document(TOKENIZER, condition, response_KT, STOP),
        document(TOKENIZER, condition, response_KT, 0, STOP),
    )
    assert late.before == plain.before
    for name in ("tokens_L", "codes_LK", "positions_L"):
        assert np.array_equal(getattr(late, name)[: late.before], getattr(plain, name)[: late.before])
    assert late.aligned == plain.aligned


@pytest.mark.parametrize("begun", [0, 1, 3, 12])
def test_decoding_begins_with_what_training_shows(begun: int) -> None:
    response_KT = codes(8, 12)
    condition = Condition("ab", "en", codes(8, 5), begun_KT=response_KT[:, :begun])
    whole, part = delayed_document(TOKENIZER, condition, response_KT, STOP), begun_document(TOKENIZER, condition)
    assert len(part) == part.before + begun
    for name in ("tokens_L", "codes_LK", "positions_L"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[: len(part)])
