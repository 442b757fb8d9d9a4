"""A predicted length that no text of its symbols takes is replaced by the usual one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.decoding.asks import Ask
from model.decoding.options import Decoding
from model.inference.speed import usual_frames
from model.sequences.documents import Condition
from model.sequences.lengths import Lengths
from tests.model.conftest import TOKENIZER

LENGTHS = Lengths(10, 500, 100, fewest_per_symbol=3.0, usual_per_symbol=4.0, most_per_symbol=6.0)
CONDITION = Condition("abba", "en", np.zeros((8, 0), np.uint16))


def _checkpoint(tokenizer: Any, lengths: Lengths | None) -> Any:
    return SimpleNamespace(tokenizer=tokenizer, meta=SimpleNamespace(lengths=lengths))


def test_the_usual_length_is_that_of_the_symbols() -> None:
    paced = TOKENIZER.paced({"a": 20.0, "b": 8.0, "": 4.0})
    assert usual_frames(_checkpoint(paced, LENGTHS), "abba") == (45, 60, 90)
    fewest, usual, most = usual_frames(_checkpoint(TOKENIZER, LENGTHS), "abba") or (0, 0, 0)
    assert (fewest, usual, most) == (LENGTHS.possible_frames(4)[0], 16, LENGTHS.possible_frames(4)[1])
    assert usual_frames(_checkpoint(TOKENIZER, None), "abba") is None


@pytest.mark.parametrize(("predicted", "taken"), [(2, 60), (44, 60), (45, 45), (70, 70), (90, 90), (91, 60), (900, 60)])
def test_an_impossible_length_is_replaced(predicted: int, taken: int) -> None:
    ask = Ask(CONDITION, 500, Decoding("all"), usual_frames=(45, 60, 90))
    assert ask.frames(predicted) == taken
    assert Ask(CONDITION, 50, Decoding("all"), usual_frames=(45, 60, 90)).frames(predicted) == min(taken, 50)
    assert Ask(CONDITION, 500, Decoding("all")).frames(predicted) == min(predicted, 500)
