"""Finds dates in digits and with the names of months."""

import re
from collections.abc import Callable, Mapping, Sequence

from stages.text.spoken.european.numbers import LEFT, alternatives, join
from stages.text.spoken.european.quantities import ended
from stages.text.spoken.rules import Rule, rule

SayDate = Callable[[re.Match[str], int, int, str], str | None]
"""The match, day, month from 1, and the digits of the year (empty without one) to words."""


def dates(months: Mapping[str, int], say: SayDate, *, between: str = "", behind: str = "") -> tuple[Rule, ...]:
    """Returns the rules for dates: day first, or year first; the month before the day where it can't be the month.

    Args:
        months: Names and abbreviations of months, in small letters, with their number from 1.
        say: Says a date.
        between: Pattern of what stands between a day and the name of its month, besides a point and spaces.
        behind: Pattern of what stands between the name of a month and its year.
    """

    def checked(match: re.Match[str], day: int, month: int, year: str) -> str | None:
        if month > 12 and day <= 12:
            day, month = month, day
        return say(match, day, month, year) if 1 <= day <= 31 and 1 <= month <= 12 else None

    def in_digits(match: re.Match[str]) -> str | None:
        return checked(match, int(match["day"]), int(match["month"]), match.groupdict().get("year") or "")

    def named(match: re.Match[str]) -> str | None:
        month = months[match["month"].lower().rstrip(".")]
        return checked(match, int(match["day"]), month, match.groupdict().get("year") or "")

    day, month, year = r"(?P<day>\d{1,2})", r"(?P<month>\d{1,2})", r"(?P<year>\d{4})"
    end = r"(?![\w/])(?![.,:-]\d)"
    names = rf"(?P<month>(?i:{alternatives(months)}))(?!\w)"
    patterns: Sequence[tuple[str, Callable[[re.Match[str]], str | None]]] = (
        (
            rf"{LEFT}{day}(?P<sign>[./-]){month}(?P=sign)(?P<year>\d{{4}}|(?<=/)\d\d|(?<=\d\d\.\d\d\.)\d\d){end}",
            in_digits,
        ),
        # A fraction has no zero in front.
        (rf"{LEFT}(?=0|\d\d/0){day}/{month}(?![\w/])(?![.,:-]\d)", in_digits),
        (rf"{LEFT}{year}(?P<sign>[./-]){month}(?P=sign){day}{end}", in_digits),
        (
            rf"{LEFT}{day}\.?(?:[ -]|{between})*{names}(?:\.(?=[\s-]*\d))?(?:(?:\s|-|{behind})*(?<!\w){year}(?!\w"
            rf"|[.,:]\d))?",
            named,
        ),
    )
    return tuple(rule("date", pattern, say) for pattern, say in patterns)


SayTime = Callable[[int, int, int | None, str], str | None]
"""Hour, minute, second where there is one, and the word behind them to words."""


def times(say: SayTime, *, words: str, to: str, zones: Callable[[str], str], more: str = "") -> Rule:
    """Returns the rule for times of day in digits, ranges of them included.

    Args:
        say: Says a time.
        words: Pattern of the words for the hour that may follow; a point between hour and minute needs one.
        to: Between the ends of a range.
        zones: Says the letters of a time zone.
        more: Time zones besides the usual ones, as a pattern.
    """
    one = r"\d{1,2}(?:[:.]\d\d){1,2}"
    zone = rf"(?:GMT|UTC|CES?T|MES?Z|[EPC][SD]T|BRT|МСК|gmt|utc|cet{more})(?!\w)(?:\s?[+-]\d{{1,2}}(?::\d\d)?)?"
    pattern = (
        rf"(?<![\w/+-])(?<!\d[.,:])(?:(?P<first>{one})\s?[-–—]\s?)?(?P<last>{one})(?![\d:/%])(?![.,]\d)"
        rf"(?:\s?(?P<word>(?i:{words}))(?!\w))?(?:\s?(?P<zone>{zone}))?"
    )

    def clock(text: str, word: str) -> str | None:
        hour, minute, *rest = map(int, re.split("[:.]", text))
        if hour > 24 or minute > 59 or any(second > 59 for second in rest):
            return None
        return say(hour, minute, rest[0] if rest else None, word)

    def said(match: re.Match[str]) -> str | None:
        word = match["word"] or ""
        if "." in match["last"] + (match["first"] or "") and not (word or match["zone"]):
            return None
        last, first = clock(match["last"], word), clock(match["first"], "") if match["first"] else ""
        if last is None or first is None:
            return None
        zone = f" {zones(match['zone'])}" if match["zone"] else ""
        return ended(match, f"{join(first, to, last)}{zone}" if first else f"{last}{zone}", capitals=True)

    return rule("time", pattern, said)


def month_numbers(*spellings: str) -> dict[str, int]:
    """Returns the numbers of months by name, from twelve strings of spellings with spaces between."""
    return {name: number for number, names in enumerate(spellings, 1) for name in names.split()}
