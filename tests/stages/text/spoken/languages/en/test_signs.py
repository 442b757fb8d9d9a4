"""Signs by their names."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("salt & pepper", "salt and pepper"),
        ("3+4=7", "three plus four equals seven"),
        ("8-5=3", "eight minus five equals three"),
        ("#3", "number three"),
        ("~40", "about forty"),
        ("5 × 6", "five times six"),
        ("and/or", "and or"),
        ("C#", "C sharp"),
        ("§ 12", "section twelve"),
        ("±3", "plus or minus three"),
        ("≥ 5", "greater than or equal to five"),
        ("π", "pi"),
        ("a_b", "a underscore b"),
        ("_so_ it is", "so it is"),
        ("**so** it is", "so it is"),
        ("x²", "x squared"),
        ("10⁻⁶", "ten to the power of minus six"),
        ("<unk> it", "<unk> it"),
        ("② left", "two left"),
        ("H₂O", "H two O"),
        ("Acme™", "Acme"),
        ("6e4", "six times ten to the power of four"),
        ("C*", "C star"),
    ],
)
def test_signs_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
