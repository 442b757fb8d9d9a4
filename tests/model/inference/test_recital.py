"""What each part of a text is asked with: its context, its limit and its seed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from model.inference.recital import Recital, Speaker, Turn
from model.inference.synthesizer import Speech
from model.inference.text.long_text import Part, Script
from model.sequences.lengths import Lengths

LENGTHS = Lengths(10, 200, 60, 1.0, 4.0, 9.0)
PROMPT_KP = np.full((8, 30), 7, np.uint16)
TEXTS = ("One is here", "two is here", "three is here")


def script(*opens: bool, pause_s: float = 0.4) -> Script:
    flags = opens or (True, False, False)
    parts = [Part(text, text, pause_s, first) for text, first in zip(TEXTS, flags, strict=True)]
    return Script(tuple(parts), len(parts))


def recital(
    given: Script,
    *,
    prompt_text: str | None = None,
    continues: bool = True,
    most_frames: int | None = None,
    seed: int = 5,
    **how: Any,
) -> Recital:
    voice = Speaker(PROMPT_KP, PROMPT_KP[:, :20], prompt_text, "en", "", continues, **how)
    return Recital(given, voice, lengths=LENGTHS, read=str, most_frames=most_frames, frame_rate=75.0, seed=seed)


def spoken(turn: Turn, frames: int, cut: bool = False) -> Speech:
    codes_KT = np.full((8, frames), frames, np.uint16)
    wave = np.full(frames * 320, 0.1, np.float32)
    return Speech(wave, 24_000, codes_KT, "en", turn.condition.phonemes, "z" if cut else "", cut, 1.0)


def play(one: Recital, frames: Callable[[int], int] = lambda _: 40, *, cut: bool = False) -> list[Turn]:
    """Speaks to the end; each part has the frames that its number gives."""
    turns = []
    while turn := one.turn():
        one.add(spoken(turn, frames(len(turns)), cut))
        turns.append(turn)
    return turns


def contexts(turns: list[Turn]) -> list[tuple[str, str, int]]:
    return [(turn.condition.task, turn.condition.phonemes, turn.condition.prompt_KP.shape[1]) for turn in turns]


def test_parts_of_a_voice_that_begins_its_responses_begin_with_what_was_spoken() -> None:
    one = recital(script(), prompt_text="Zero", continues=False, prefix=True, group=4, notes=("made of two",))
    turns = play(one, lambda number: 41 + number)
    assert contexts(turns) == [
        ("tts", "Zero One is here", 20),
        ("tts", "Zero One is here two is here", 20),
        ("tts", "Zero two is here three is here", 20),
    ]
    assert [turn.condition.begun().shape[1] for turn in turns] == [28, 68, 72], "whole groups of 4"
    assert all(turn.condition.phonemes.endswith(f" {turn.condition.unsaid}") for turn in turns)
    assert [turn.condition.unsaid for turn in turns] == [turn.phonemes for turn in turns]
    assert turns[1].condition.begun()[0].tolist() == [7] * 27 + [41] * 41
    assert [turn.most_frames for turn in turns[1:]] == [200 - 68, 200 - 72]
    assert one.speech().notes == ("made of two",)


def test_a_mixture_is_the_prompt_of_parts_that_open() -> None:
    mixed = ((0.5, PROMPT_KP), (0.5, PROMPT_KP + 1))
    turns = play(recital(script(), mixed=mixed))
    assert [(turn.condition.task, turn.condition.mixed) for turn in turns] == [("tts", mixed), *[("tts-c", ())] * 2]


def test_a_part_continues_the_one_before() -> None:
    one = recital(script())
    turns = play(one, lambda number: 40 + number)
    assert contexts(turns) == [
        ("tts", "One is here", 20),
        ("tts-c", "One is here two is here", 40),
        ("tts-c", "two is here three is here", 41),
    ]
    assert (turns[1].condition.prompt_KP == 40).all()
    assert [turn.most_frames for turn in turns] == [200, 160, 159], "with its context no longer than what was learnt"
    assert [said.continues for said in one.speech().parts] == [False, True, True]


def test_with_a_text_the_prompt_is_continued_too() -> None:
    turns = play(recital(script(), prompt_text="Zero"))
    assert contexts(turns) == [
        ("tts-c", "Zero One is here", 30),
        ("tts-c", "Zero One is here two is here", 70),
        ("tts-c", "Zero two is here three is here", 70),
    ]
    assert (turns[1].condition.prompt_KP[:, :30] == 7).all()
    long = "a prompt text that is too long to stand before two parts"
    assert contexts(play(recital(script(), prompt_text=long)))[1:] == contexts(play(recital(script())))[1:]


@pytest.mark.parametrize(
    ("given", "frames", "cut"),
    [
        ({"given": script(), "continues": False}, 40, False),
        ({"given": script(True, True, True)}, 40, False),
        ({"given": script()}, 160, False),
        ({"given": script()}, 40, True),
        ({"given": script()}, 5, False),
        ({"given": script()}, 120, False),
    ],
    ids=["not trained", "paragraphs", "too long together", "cut", "too fast", "too slow"],
)
def test_else_it_is_spoken_after_the_prompt_alone(given: dict, frames: int, cut: bool) -> None:
    turns = play(recital(**given), lambda _: frames, cut=cut)
    assert contexts(turns) == [("tts", text, 20) for text in TEXTS]
    assert {turn.most_frames for turn in turns} == {LENGTHS.longest_frames}


def test_seeds_differ_from_part_to_part_and_are_the_texts() -> None:
    seeds, again, others = ([turn.seed for turn in play(recital(script(), seed=seed))] for seed in (5, 5, 6))
    assert seeds[0] == 5
    assert len({*seeds, *others}) == 6
    assert seeds == again
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_longest_speech_ends_it_and_is_told() -> None:
    one = recital(script(), most_frames=100)  # a part of 40, a pause of 30, and 30 are left
    turns = play(one, lambda number: 40 if number == 0 else 30)
    assert [turn.most_frames for turn in turns] == [100, 30]
    speech = one.speech()
    assert (speech.cut, speech.unsaid, speech.sentences) == (True, "three is here", 3)
    assert speech.duration_s == pytest.approx(100 / 75)
    assert play(recital(Script(script().parts, 3, lead_s=9.0), most_frames=10))[0].most_frames == 1


def test_all_of_it_is_one_speech() -> None:
    one = recital(script())
    play(one, lambda number: 40 + number)
    speech = one.speech()
    assert speech.codes[0].tolist() == [40] * 40 + [41] * 41 + [42] * 42
    assert speech.phonemes == "One is here two is here three is here"
    assert len(speech.samples) == 123 * 320 + 3 * 0.4 * 24_000
    assert (speech.cut, speech.unsaid, speech.unseen, speech.sentences) == (False, "", "", 3)
    assert speech.compute_s == 3.0
    assert [(said.text, said.frames) for said in speech.parts] == list(zip(TEXTS, (40, 41, 42), strict=True))
    play(cut := recital(script()), cut=True)
    assert (cut.speech().cut, cut.speech().unseen) == (True, "z")
