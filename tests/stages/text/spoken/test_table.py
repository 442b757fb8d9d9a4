"""Properties of written text in words, of the engine and of English; capitals."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.phonemes import in_words, phonemize
from stages.text.spoken.table import speak, speaker_of

MARKS = re.compile(r"[.!?;:,…]")
PIECES = st.sampled_from(
    [
        *(
            "$5",
            "£3.20",
            "12:30",
            "3 kg",
            "5%",
            "1990s",
            "1/2",
            "3rd",
            "A4",
            "10-20",
            "#1",
            "1,000",
            "2.5",
            "May 5",
            "-3",
        ),
        *("Dr. Lee", "e.g.", "U.S.", "p. 3", "St.", "No.", "5 p.m.", "NASA", "IV", "Henry VIII", "I", "A", "a", "it."),
        *("was,", "and", "said", "&", "+", "=", "²", "½", "_", "*", "/", "20°C", "H₂O", "5'11\"", "007", "555-1234"),
        *("3:1", "1e5", "x@y.com", "1_000", "3.5xyz", "[", "<", "'", "…", "—"),
    ]
)


@given(st.one_of(st.integers(-(10**40), 10**40).map(str), st.floats(allow_nan=False, allow_infinity=False).map(str)))
@settings(max_examples=150, deadline=None)
def test_no_number_is_left_in_digits(number: str) -> None:
    for text in (number, f"It is {number}.", f"about {number} km"):
        assert not re.search(r"\d", speak(text, "en").text)


@given(st.lists(PIECES, min_size=1, max_size=8).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_reading_is_idempotent_and_adds_no_mark(text: str) -> None:
    spoken = speak(text, "en")
    assert speak(spoken.text, "en").text == spoken.text
    assert not re.search(r"\d", spoken.text)
    assert len(MARKS.findall(spoken.text)) <= len(MARKS.findall(text))
    assert all(change.written != change.spoken for change in spoken.changes)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read(text: str) -> None:
    once = in_words(text, "en")
    assert speak(once, "en").text == once


@pytest.mark.parametrize("text", ["WHO WAS IT THAT GAVE US THIS", "IS IT TRUE?", "HE SAID: I AM HERE", "GIVE US TIME"])
def test_a_text_in_capitals_is_read_as_in_small_letters(text: str) -> None:
    assert phonemize([text], "en") == phonemize([text.lower()], "en")


@pytest.mark.parametrize("text", ["NASA", "IT IS", "NHK TV", "A B C D", "A4"])
def test_few_words_in_capitals_may_be_names(text: str) -> None:
    assert "capitals" not in {change.kind for change in speak(text, "en").changes}


def test_real_texts_in_capitals_are_read_as_in_small_letters(speech: Path) -> None:
    texts = [path.read_text(encoding="utf-8-sig").strip() for path in sorted(speech.glob("librispeech*/**/*.txt"))]
    lower = [text.lower() for text in texts if len(text.split()) > 2]
    assert len(lower) > 50
    assert phonemize([text.upper() for text in lower], "en") == phonemize(lower, "en")


def test_words_alone_are_passed_by() -> None:
    speaker = speaker_of("en")
    assert speaker is not None
    for text in (
        "The cat sat on the mat, and I went home.",
        'Is it so? "Yes," he said; so it was!',
        "naïve café — oui",
    ):
        assert not speaker.needed.search(text)
        assert speak(text, "en").text == text
