"""What is told of a speech."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.decoding.engine.exits import Layers
from model.inference.notes import about, notes
from model.inference.recital import Said
from model.inference.speech import Speech
from tests.typed_json import quoted

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


def test_faults_are_told_with_what_was_done_about_them() -> None:
    part = Said("Hello there.", "a", 75, True, False, takes=3, faults=("loop",), discarded=("long", "loop"))
    (one,) = notes(replace(WHOLE, cut=True, parts=(part,), takes=3, faults=("loop",)), limited=False)
    assert one == 'it repeats itself, as each of 3 takes had a fault ("Hello there."): try another --seed'
    mended = Said("Hello there.", "a", 75, False, False, takes=2, discarded=("silence",))
    (two,) = notes(replace(WHOLE, parts=(mended, *said(False)), takes=3, discarded=("silence",)), limited=False)
    assert two == "1 of 3 takes had a fault (is silent, or a steady sound, for too long); others took their place"
    off = replace(part, takes=1, faults=("short",), discarded=(), cut=False)
    (three,) = notes(replace(WHOLE, parts=(*said(False), off), takes=2, faults=("short",)), limited=False)
    assert three == 'part 2 of 2 is shorter than its text can be ("Hello there."): try another --seed'


def test_what_is_told_in_json() -> None:
    found = about(replace(WHOLE, takes=3, faults=("loop",), discarded=("long",)), Path("a.wav"), Path("run"))
    assert (found["takes"], found["faults"], found["discarded"]) == (3, ["loop"], ["long"])
    assert not list(quoted(found))
