"""Names with numbers, ranges, digits to dial."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("A3 paper", "eh three paper"),
        ("an F-15", "an F fifteen"),
        ("COVID-19", "COVID nineteen"),
        ("Boeing 767", "Boeing seven sixty seven"),
        ("A350", "eh three fifty"),
        ("MP3", "M P three"),
        ("CO2", "C O two"),
        ("in 3D", "in three D"),
        ("555-0199", "five five five zero one nine nine"),
        ("(202) 555-0143", "two zero two five five five zero one four three"),
        ("pages 4-7", "pages four to seven"),
        ("won 4-2", "won four two"),
        ("10.0.0.1", "ten dot zero dot zero dot one"),
        ("v3.1.4", "version three point one point four"),
        ("a 401(k)", "a four oh one k"),
        ("Route 128", "Route one twenty eight"),
        ("a 50-50 chance", "a fifty fifty chance"),
        ("x86", "X eighty six"),
    ],
)
def test_serials_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
