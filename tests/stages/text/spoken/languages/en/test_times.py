"""Times of the day."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("at 8:45", "at eight forty five"),
        ("6:05 p.m. on Friday", "six oh five P M on Friday"),
        ("It began at 9 a.m.", "It began at nine eh M."),
        ("It began at 9 a.m. The end", "It began at nine eh M. The end"),
        ("4:00", "four o'clock"),
        ("16:00", "sixteen hundred hours"),
        ("11pm", "eleven P M"),
        ("7-9pm", "seven to nine P M"),
        ("02:03:04", "two hours three minutes and four seconds"),
        ("7:00 am", "seven eh M"),
        ("a score of 5:2", "a score of five to two"),
    ],
)
def test_times_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
