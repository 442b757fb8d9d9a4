"""Abbreviations, initials and acronyms."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Dr. Lee met Mrs. Hill.", "Doctor Lee met Missus Hill."),
        ("St. Mark lives in Oak St.", "Saint Mark lives in Oak Street."),
        ("on 7th St. in town", "on seventh Street in town"),
        ("No. 8", "Number eight"),
        ("See p. 9 and pp. 10–12.", "See page nine and pages ten to twelve."),
        ("the U.S. Navy", "the U S Navy"),
        ("in the U.S.", "in the U S."),
        ("e.g. this, i.e. that", "for example this, that is that"),
        ("pens, etc.", "pens, et cetera."),
        ("pens, etc. and ink", "pens, et cetera and ink"),
        ("cats vs. dogs", "cats versus dogs"),
        ("Acme Inc. grew", "Acme Incorporated grew"),
        ("C. S. Lewis wrote", "C S Lewis wrote"),
        ("Vitamin C. Then", "Vitamin C. Then"),
        ("It is I. Then", "It is I. Then"),
        ("plan A is", "plan eh is"),
        ("give A book", "give A book"),
        ("DVDs", "D V D's"),
        ("an IQ test", "an I Q test"),
        ("NASA said IT is", "NASA said IT is"),
        ("a.k.a. Bob", "eh K eh Bob"),
        ("It is so long. then", "It is so long. then"),
        ("Washington, D.C.", "Washington, D C."),
        ("R&D", "R and D"),
        ("Jane Doe, Ph.D.", "Jane Doe, P H D."),
    ],
)
def test_abbreviations_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
