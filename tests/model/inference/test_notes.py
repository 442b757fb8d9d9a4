"""What is told of a speech."""

from dataclasses import replace

import numpy as np

from model.decoding.exits import Layers
from model.inference.notes import notes
from model.inference.recital import Said
from model.inference.synthesizer import Speech

WHOLE = Speech(np.zeros(24_000, np.float32), 24_000, np.zeros((8, 75), np.uint16), "en", "a", "", False, 1.0)


def said(*cut: bool) -> tuple[Said, ...]:
    return tuple(Said(f"Sentence {number}.", "a", 75, one, False) for number, one in enumerate(cut, start=1))


def test_nothing_is_told_of_what_is_whole() -> None:
    assert notes(WHOLE, limited=True) == []
    assert notes(replace(WHOLE, parts=said(False, False)), limited=False) == []


def test_what_early_exit_left_out_is_told() -> None:
    (told,) = notes(replace(WHOLE, layers=Layers(1234, 4000)), limited=True)
    assert told == "early exit left out 1,234 of 4,000 layers (31%)"
    assert notes(replace(WHOLE, layers=Layers(0, 0)), limited=True) == []


def test_what_is_missing_is_told() -> None:
    assert notes(replace(WHOLE, unseen="zʒ"), limited=True) == [
        "the model guesses symbols that its training set lacks: z ʒ"
    ]
    single = replace(WHOLE, cut=True, parts=said(True))
    assert notes(single, limited=True) == ["cut at 1.00 s, before the model had finished: raise --max-s"]
    assert notes(single, limited=False) == ["cut at 1.00 s, before the model had finished: try another --seed"]
    (one,) = notes(replace(WHOLE, cut=True, parts=said(False, True, False)), limited=False)
    assert one == (
        'part 2 of 3 had no end within the longest length of the training set, and was cut ("Sentence 2."): try another'
        " --seed"
    )
    (two,) = notes(replace(WHOLE, cut=True, parts=said(True, True, False)), limited=True)
    assert two.startswith("parts 1, 2 of 3 had no end")
    assert two.endswith('and were cut ("Sentence 1."): try another --seed')
    (rest,) = notes(replace(WHOLE, cut=True, parts=said(False), unsaid="And " * 30), limited=True)
    assert rest.startswith("cut at 1.00 s: this wasn't said: \"And And")
    assert rest.endswith('…": raise --max-s')
