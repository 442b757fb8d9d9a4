"""Dates, years and decades."""

import re

from stages.text.spoken.languages.en.numbers import cardinal, ordinal, pairs, plural, value, year
from stages.text.spoken.languages.en.spelling import spelled
from stages.text.spoken.rules import gated, rule

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_SHORT = {month[:3].lower(): month for month in MONTHS} | {"sept": "September", "june": "June", "july": "July"}
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:{'|'.join(sorted(_SHORT, key=len, reverse=True))})\b\.?)"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[1-9]\d{3}|['’]\d\d)(?![\d.,]*\d)"
_NOT_A_DATE = r"(?![\w%]|[.,:/]\d| ?(?:%|percent\b|million\b|billion\b|thousand\b|a\.?m\b|p\.?m\b))"
_WEEKDAYS = {"mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday"} | {
    **{"thur": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday"}
}
_VERBS = ("may", "march")
"""In small letters these may be words: `you may 2 times`."""


def _month(written: str) -> str:
    """Returns a month's name in full; a name in full stays as it was written."""
    name = written.rstrip(".")
    return name if name.lower() in map(str.lower, MONTHS) else _SHORT[name.lower()]


def _years(written: str) -> str:
    """Returns a year in words, also `'98` and `98`."""
    figures = written.strip("'’")
    if len(figures) > 2:
        return year(int(figures))
    return f"{'oh ' if figures[0] == '0' else ''}{cardinal(int(figures))}"


def _in_words(month: str, day: str, written_year: str | None) -> str:
    return f"{month} {ordinal(int(day))}{f' {_years(written_year)}' if written_year else ''}"


def _month_first(match: re.Match[str]) -> str | None:
    if match["month"] in _VERBS and not (match["year"] or match["suffix"]):
        return None
    last = f" to {ordinal(int(match['last']))}" if match["last"] else ""
    after = f"{match['comma'] or ''} {_years(match['year'])}" if match["year"] else ""
    return f"{_month(match['month'])} {ordinal(int(match['day']))}{last}{after}"


def _day_first(match: re.Match[str]) -> str | None:
    if match["month"] in _VERBS and not match["year"]:
        return None
    last = f" to the {ordinal(int(match['last']))}" if match["last"] else ""
    after = f"{match['comma'] or ''} {_years(match['year'])}" if match["year"] else ""
    the = "The" if match["the"] == "The " else "the"
    return f"{the} {ordinal(int(match['day']))}{last} of {_month(match['month'])}{after}"


def _month_and_year(match: re.Match[str]) -> str:
    return f"{_month(match['month'])}{match['comma'] or ''} {_years(match['year'])}"


def _year_first(match: re.Match[str]) -> str | None:
    month, day = int(match["month"]), int(match["day"])
    return _in_words(MONTHS[month - 1], str(day), match["year"]) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _year_last(match: re.Match[str]) -> str | None:
    first, second = int(match["first"]), int(match["second"])
    if match["sign"] == "." and len(match["year"]) == 2:  # rather a version
        return None
    if 1 <= first <= 12 and 1 <= second <= 31:
        return _in_words(MONTHS[first - 1], str(second), match["year"])
    if 1 <= second <= 12 and 1 <= first <= 31:
        return f"the {ordinal(first)} of {MONTHS[second - 1]} {_years(match['year'])}"
    return None


def _decade(match: re.Match[str]) -> str:
    figures = match["figures"]
    if match["apostrophe"] and figures[-1] != "0":
        return f"{cardinal(int(figures))}{match['apostrophe']}s"
    if len(figures) == 4:
        return plural(year(int(figures)))
    return plural(pairs(figures))


def _span(match: re.Match[str]) -> str | None:
    first, last = match["first"], match["last"]
    whole = last if len(last) == 4 else first[: 4 - len(last)] + last
    if not 1000 < int(first) < int(whole) < 2100 or (len(last) < 4 and len(last) != 2):
        return None
    said = year(int(last)) if len(last) == 4 else _years(last)
    return f"{year(int(first))} to {said}"


def _short_year(match: re.Match[str]) -> str:
    return _years(match[0])


def _before_christ(match: re.Match[str]) -> str:
    last = f" to {_year_of_era(match['last'])}" if match["last"] else ""
    return f"{_year_of_era(match['year'])}{last} {_letters(match['era'])}"


def _anno_domini(match: re.Match[str]) -> str:
    return f"{_letters(match['era'])} {_year_of_era(match['year'])}"


def _year_of_era(figures: str) -> str:
    return year(value(figures))


def _letters(era: str) -> str:
    return spelled(era.replace(".", "").upper())


def _weekdays(match: re.Match[str]) -> str:
    return f"{_WEEKDAYS[match['first'].lower()]} to {_WEEKDAYS[match['last'].lower()]}"


def _weekday(match: re.Match[str]) -> str:
    return _WEEKDAYS[match["day"].lower()]


_DAYS = "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun"
RULES = (
    *gated(
        r"[MTWFS](?<=\b.)(?:on|ues?|ed|hu(?:rs?)?|ri|at|un)\b",
        rule("date", rf"(?<!\w)(?P<first>{_DAYS})\b\.?[-–](?P<last>{_DAYS})\b\.?", _weekdays),
        rule(
            "date",
            r"(?<!\w)(?P<day>Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?(?=,? (?:\d|[A-Z][a-z]{2,8}\.? \d))",
            _weekday,
        ),
    ),
    *gated(
        r"\d[-/.]\d",
        rule(
            "date",
            r"(?<![\w/.-])(?P<year>[12]\d{3})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)(?![\w/-]|\.\d)",
            _year_first,
        ),
        rule(
            "date",
            r"(?<![\w/.-])(?P<first>\d\d?)(?P<sign>[-/.])(?P<second>\d\d?)(?P=sign)(?P<year>[12]\d{3}|\d\d)(?![\w/-]|\.\d)",
            _year_last,
        ),
    ),
    *gated(
        r"[JFMASONDjfmasond](?<=\b.)(?i:an|eb|ar|pr|ay|u[nlg]|ep|ct|ov|ec)"
        r"(?:(?<=\d[ -]...)|(?<=\d(?i:st|nd|rd|th)[ -]...)|(?<=(?i:of)[ -]...)|[A-Za-z]*\.?,?[ -]['’]?\d)",
        rule(
            "date",
            rf"(?<!\w)(?P<the>the )?{_DAY}(?:[-–](?P<last>[12]?\d|3[01])(?:st|nd|rd|th)?)?(?: of)?[ -]{_MONTH}(?![\w])"
            rf"(?:(?P<comma>,)?[ -]{_YEAR})?",
            _day_first,
            ignore_case=True,
        ),
        rule(
            "date",
            rf"(?<!\w){_MONTH}[ -](?P<day>0?[1-9]|[12]\d|3[01])(?P<suffix>st|nd|rd|th)?"
            rf"(?:[-–](?P<last>[12]?\d|3[01])(?:st|nd|rd|th)?)?(?:(?P<comma>,)? {_YEAR})?{_NOT_A_DATE}",
            _month_first,
            ignore_case=True,
        ),
        rule("date", rf"(?<!\w){_MONTH}(?P<comma>,)?[ -]{_YEAR}(?!\w)", _month_and_year, ignore_case=True),
    ),
    *gated(
        r"BC|AD|CE|B\.C|A\.D|C\.E",
        rule("date", r"(?<!\w)(?P<era>AD|A\.D\.) ?(?P<year>\d{1,4})(?!\w|[.,]\d)", _anno_domini),
        rule(
            "date",
            r"(?<![\w.,])(?P<year>\d{1,4}|\d{1,3},\d{3})(?:[-–](?P<last>\d{1,4}))?"
            r" ?(?P<era>BCE?|AD|CE|B\.C\.(?:E\.)?|A\.D\.|C\.E\.)(?!\w)",
            _before_christ,
        ),
    ),
    *gated(
        r"\d['’]?s",
        rule(
            "date",
            r"(?<![\w.,$])(?<!\d['’])(?:['’](?=\d0s))?(?P<figures>[1-9]\d\d0|[1-9]0|\d{1,3})(?P<apostrophe>['’])?s(?!\w)",
            _decade,
        ),
    ),
    *gated(
        r"\d{4} ?[-–—/]",
        rule(
            "range",
            r"(?<![\w.,$/-])(?P<first>1\d{3}|20\d\d)(?:[-–—/]| [–—-] )(?P<last>\d{4}|\d\d)(?![\w%/]|-\d|[.,]\d)",
            _span,
        ),
    ),
    *gated(
        r"['’]\d\d",
        rule("date", r"(?<!\w)['’]\d\d(?![\w'’]|[.,]\d)", _short_year),
    ),
)
