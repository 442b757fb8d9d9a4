"""Dates, years and decades."""

import pytest

from stages.text.spoken.table import speak


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("2021-02-09", "February ninth twenty twenty one"),
        ("June 2, 1875", "June second, eighteen seventy five"),
        ("on 4 July 1996", "on the fourth of July nineteen ninety six"),
        ("Oct. 9", "October ninth"),
        ("the 5th of May", "the fifth of May"),
        ("04/18/2015", "April eighteenth twenty fifteen"),
        ("18/04/2015", "the eighteenth of April twenty fifteen"),
        ("the 1970s", "the nineteen seventies"),
        ("the '20s", "the twenties"),
        ("in '85", "in eighty five"),
        ("1939–45", "nineteen thirty nine to forty five"),
        ("1910-1915", "nineteen ten to nineteen fifteen"),
        ("323 BC", "three hundred twenty three B C"),
        ("AD 98", "eh D ninety eight"),
        ("March 1848", "March eighteen forty eight"),
        ("you may 3 times", "you may three times"),
        ("June 7-9", "June seventh to ninth"),
        ("Fri., Aug. 6", "Friday, August sixth"),
        ("Tue–Thu at 8:30", "Tuesday to Thursday at eight thirty"),
    ],
)
def test_dates_are_said(written: str, spoken: str) -> None:
    assert speak(written, "en").text == spoken
