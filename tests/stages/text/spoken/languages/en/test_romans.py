"""Roman numbers."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Louis XV was", "Louis the fifteenth was"),
        ("Henry IV's son", "Henry the fourth's son"),
        ("King George I", "King George the first"),
        ("World War I", "World War one"),
        ("WWII", "World War two"),
        ("Chapter IX", "Chapter nine"),
        ("Act II, Scene I", "Act two, Scene one"),
        ("Type I error", "Type one error"),
        ("the XVIII century", "the eighteenth century"),
        ("Rocky III", "Rocky three"),
        ("MMXIX", "twenty nineteen"),
        ("John F. Smith III", "John F Smith the third"),
        ("Then I went", "Then I went"),
        ("As for Edward, I know", "As for Edward, I know"),
        ("the chapter I read", "the chapter I read"),
        ("I.", "I."),
        ("an IV line", "an I V line"),
        ("a CD", "a CD"),
        ("MIX it", "MIX it"),
        ("No. I am", "No. I am"),
    ],
)
def test_roman_numbers_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
