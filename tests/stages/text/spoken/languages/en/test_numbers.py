"""Numbers as English says them."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("7 cats", "seven cats"),
        ("We saw 1,305 geese.", "We saw one thousand three hundred and five geese."),
        ("2 000 000 bees", "two million bees"),
        ("agent 007", "agent zero zero seven"),
        ("-12", "minus twelve"),
        ("0.75", "zero point seven five"),
        (".5", "point five"),
        ("3.4 million", "three point four million"),
        ("the 3rd and 22nd", "the third and twenty second"),
        ("a 101st try", "a one hundred first try"),
        ("½", "one half"),
        ("2¾", "two and three quarters"),
        ("5/8 of it", "five eighths of it"),
        ("1 1/2 hours", "one and a half hours"),
        ("in 1987", "in nineteen eighty seven"),
        ("in 1704 and 2004", "in seventeen oh four and two thousand four"),
        ("12345678901", "one two three four five six seven eight nine zero one"),
        ("24/7", "twenty four seven"),
        ("1'250'000", "one million two hundred fifty thousand"),
        ("He is 8.", "He is eight."),
        ("(6)", "(six)"),
        ("3,4", "three four"),
    ],
)
def test_numbers_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
