"""Sums of money."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("$8", "eight dollars"),
        ("$1", "one dollar"),
        ("$7.30", "seven dollars thirty cents"),
        ("£4m", "four million pounds"),
        ("€2.5 billion", "two point five billion euros"),
        ("£3.01", "three pounds one penny"),
        ("35¢", "thirty five cents"),
        ("a $50 note", "a fifty dollar note"),
        ("$3-6", "three to six dollars"),
        ("$2-3 million", "two to three million dollars"),
        ("40 €", "forty euros"),
        ("USD 9", "nine US dollars"),
        ("15 CHF", "fifteen Swiss francs"),
        ("-$6", "minus six dollars"),
        ("$9/hr", "nine dollars per hour"),
        ("¥700", "seven hundred yen"),
        ("$80k", "eighty thousand dollars"),
        ("the $ sign", "the dollar sign"),
        ("$0.40", "forty cents"),
    ],
)
def test_sums_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
