from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.hearing.asr.activity import Region, Stretch
from stages.hearing.asr.decoding import Decoded
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.placing import (
    Piece,
    Placed,
    Placer,
    as_segments,
    repeats,
    to_pauses,
    without,
    without_words,
)


def stretch(*times: tuple[float, float]) -> Stretch:
    speech = tuple(Region(round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in times)
    return Stretch(speech[0].start, speech[-1].end, speech)


def test_a_pause_gets_the_border_of_words_that_is_nearest():
    words = [(0.0, 0.5), (0.5, 1.15), (1.15, 1.9), (1.9, 2.4)]
    assert to_pauses(words, [(0.1, 1.0), (1.4, 2.5)]) == [(0.1, 0.5), (0.5, 1.0), (1.4, 1.9), (1.9, 2.5)]


def test_a_short_pause_moves_nothing():
    words = [(0.1, 0.5), (0.5, 1.0)]
    assert to_pauses(words, [(0.1, 0.45), (0.6, 1.0)]) == words


@given(
    st.lists(st.floats(0, 20), min_size=2, max_size=30),
    st.lists(st.floats(0, 20), min_size=2, max_size=12, unique=True),
)
def test_words_stay_in_order_and_no_pause_lies_within_its_words(times, edges):
    words = list(pairwise(sorted(times)))
    borders = sorted(edges)[: len(edges) // 2 * 2]
    speech = list(zip(borders[::2], borders[1::2], strict=True))
    found = to_pauses(words, speech)
    flat = [time for span in found for time in span]
    assert len(found) == len(words)
    assert flat == sorted(flat)
    assert speech[0][0] <= flat[0]
    assert flat[-1] <= speech[-1][1]


@pytest.mark.parametrize(
    ("spans", "lost"),
    [
        ([(0.0, 0.4), (0.5, 1.9), (3.0, 3.6)], []),
        ([(0.0, 0.4), (0.5, 1.9)], [(3.0, 4.0)]),
        ([(3.0, 3.3), None, (3.4, 3.8)], [(0.0, 2.0)]),
        ([(0.0, 4.0)], [(3.0, 4.0)]),
        ([], [(0.0, 2.0), (3.0, 4.0)]),
    ],
)
def test_speech_without_words_is_found(spans, lost):
    whole = stretch((0.0, 2.0), (3.0, 4.0))
    found = without_words(whole, spans)
    assert [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in found] == lost
    left = without(whole, found)
    gone = sum(b - a for a, b in found)
    if len(found) < 2:
        assert sum(b - a for a, b in left.speech) == sum(b - a for a, b in whole.speech) - gone
    else:
        assert left == whole


def test_a_first_word_that_attention_begins_with_the_sound_covers_no_lost_speech():
    spans = [(0.0, 4.0), (4.0, 6.0), (6.0, 6.4), (6.4, 7.0)]
    found = without_words(stretch((0.0, 7.0)), spans)
    assert [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in found] == [(0.0, pytest.approx(4.95))]


@pytest.mark.parametrize(
    ("text", "whole", "repeated"),
    [
        ("in 1465.", "And so, In 1465, they began", True),
        ("in 1466.", "And so, In 1465, they began", False),
        ("began", "they began", False),  # one word may be said twice
        ("", "they began", False),
    ],
)
def test_a_part_of_a_text_is_told(text, whole, repeated):
    assert repeats(text, whole) == repeated


class Ears:
    """Stands for whisper: hears the same text in whatever it hears again, and places words where it is told."""

    def __init__(self, text: str, logprob: float, spans: list[tuple[float, float]]) -> None:
        self.again = Decoded(text, (1,), logprob, 0.0)
        self.spans = spans
        self.heard: list[int] = []

    def hear(self, sounds, _language):
        self.heard += [len(sound) for sound in sounds]
        return [self.again] * len(sounds)

    def words(self, sounds, texts, _language):
        def placed(sound, text):
            words = text.text.split()
            inside = self.spans if len(words) == len(self.spans) else [(0.0, len(sound) / SAMPLE_RATE)] * len(words)
            return [{"word": word, "start": a, "end": b} for word, (a, b) in zip(words, inside, strict=True)]

        return list(map(placed, sounds, texts))


SECOND_HALF = [(5.0, 5.5), (5.5, 6.0), (6.0, 7.0), (7.0, 8.0)]


@pytest.mark.parametrize(
    ("again", "logprob", "texts", "unheard"),
    [
        ("Schon gut.", -0.3, ["Schon gut.", "eins zwei drei vier."], []),
        ("Schon gut.", -1.2, ["eins zwei drei vier."], [Region(0, 4 * SAMPLE_RATE)]),
        ("", 0.0, ["eins zwei drei vier."], [Region(0, 4 * SAMPLE_RATE)]),
    ],
)
def test_speech_of_a_short_recording_that_its_text_lacks_is_heard_again_or_told(again, logprob, texts, unheard):
    ears = Ears(again, logprob, SECOND_HALF)
    piece = Piece(stretch((0.0, 4.0), (5.0, 8.0)), Decoded("eins zwei drei vier.", (1,), -0.1, 0.0))
    placer = Placer("auto", 20.0, {}, "cpu")
    placed = placer.place([piece], ("de", "de"), np.zeros(8 * SAMPLE_RATE, np.float32), ears)
    assert [segment["text"] for segment in placed.segments] == texts
    assert placed.segments[-1]["start"] == 5.0
    assert list(placed.unheard) == unheard
    assert ears.heard


def test_a_short_recording_with_all_of_its_text_is_left_as_it_is():
    for text in (
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn",
        "eins zwei",
    ):
        ears = Ears("nichts", 0.0, [(0.0, 2.0), (2.0, 4.0)])
        piece = Piece(stretch((0.0, 4.0)), Decoded(text, (1,), -0.1, 0.0))
        placed = Placer("auto", 20.0, {}, "cpu").place(
            [piece], ("de", "de"), np.zeros(4 * SAMPLE_RATE, np.float32), ears
        )
        assert placed == Placed(as_segments([piece]), "", [piece], [])
        assert not ears.heard
