"""Numbers with units."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("4.5 kg", "four point five kilograms"),
        ("1 km", "one kilometer"),
        ("90 km/h", "ninety kilometers per hour"),
        ("in km/h", "in kilometers per hour"),
        ("6'2\"", "six feet two inches"),
        ("-8 °C", "minus eight degrees Celsius"),
        ("a 90° turn", "a ninety degree turn"),
        ("12%", "twelve percent"),
        ("3–4 %", "three to four percent"),
        ("60 m²", "sixty square meters"),
        ("300 sq ft", "three hundred square feet"),
        ("a 7 mm screw", "a seven millimeter screw"),
        ("a 3-kg bag", "a three kilogram bag"),
        ("8-10 lbs", "eight to ten pounds"),
        ("2x4 m", "two by four meters"),
        ("16 GB", "sixteen gigabytes"),
        ("½ kg", "half a kilogram"),
        ("51°30′N", "fifty one degrees thirty minutes north"),
        ("12 oz. of it", "twelve ounces of it"),
        ("5 in 10", "five in ten"),
        ("3㎏", "three kilograms"),
        ("a 6-year-old", "a six year old"),
    ],
)
def test_measures_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
