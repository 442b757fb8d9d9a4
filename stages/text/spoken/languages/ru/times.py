"""Times of day in Russian."""

import re

from stages.text.spoken.european.calendar import times
from stages.text.spoken.european.numbers import LEFT
from stages.text.spoken.european.quantities import ended
from stages.text.spoken.european.signs import zone_said
from stages.text.spoken.european.tongue import Quantity
from stages.text.spoken.languages.ru.words import HOUR, NUMBERS, SECOND, UNITS
from stages.text.spoken.rules import rule


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = [NUMBERS.counted(Quantity(hour), HOUR) or ""]
    if minute or second:
        words.append(NUMBERS.counted(Quantity(minute), UNITS["мин"]) or "")
    if second is not None:
        words.append(NUMBERS.counted(Quantity(second), SECOND) or "")
    return " ".join(words)


def _hours(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    return ended(match, _clock(hour, minute, None, ""), capitals=True) if hour <= 24 and minute <= 59 else None


def _since(match: re.Match[str]) -> str | None:
    """Returns a time behind a preposition of the genitive."""
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or minute > 59:
        return None
    words = f"{match['before']} {NUMBERS.counted(Quantity(hour), HOUR, 'g')}"
    return f"{words} {NUMBERS.counted(Quantity(minute), UNITS['мин'], 'g')}" if minute else words


TIMES = (
    rule("time", rf"{LEFT}(?P<hour>\d\d?)\s?ч\.?\s?(?P<minute>\d\d?)\s?мин(?:\.|(?!\w))", _hours),
    rule(
        "time",
        r"(?<!\w)(?P<before>(?i:с|до|после|около|от)) (?P<hour>\d\d?):(?P<minute>\d\d)"
        r"(?![\w:/%]|[.,]\d|\s?[-–—]\s?\d)",
        _since,
    ),
    times(_clock, words="ч\\.?|час(?:ов|а)?", to="", zones=zone_said(NUMBERS)),
)
