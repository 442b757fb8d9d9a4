"""Times of the day, and durations written as such."""

import re

from stages.text.spoken.languages.en.numbers import cardinal
from stages.text.spoken.languages.en.sentences import ends_after
from stages.text.spoken.languages.en.spelling import spelled
from stages.text.spoken.rules import rule

_HALF = r"(?P<half>[ap]\.m\.?|[ap]m|A\.M\.?|P\.M\.?|AM|PM|Am|Pm)"
_NUMBER_ENDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "ty",
    "teen",
    "o'clock",
]
_FULL = ("hundred hours", "o'clock")
_ZONE = r"(?: ?(?P<zone>(?:[ECMP][SD]?T|GMT|UTC|BST|CET|CEST|IST|JST)\b|[ecmp]\.?[sd]?\.?t\b\.?))?"


def _after(match: re.Match[str]) -> str:
    """Returns the half of the day and the time zone as they are said, with the full stop that they may end in."""
    found = match.groupdict()
    said = [spelled(found[name]) for name in ("half", "zone") if found.get(name)]
    stop = "." if match[0].endswith(".") and ends_after(match) else ""
    return f"{' ' if said else ''}{' '.join(said)}{stop}"


def _clock(match: re.Match[str]) -> str | None:
    hours, minutes = int(match["hours"]), int(match["minutes"])
    if minutes:
        said = f"{cardinal(hours)} {'oh ' if minutes < 10 else ''}{cardinal(minutes)}"
    elif match.groupdict().get("half"):
        said = cardinal(hours)
    else:
        said = f"{cardinal(hours)} {_FULL[0 < hours < 13] if hours < 25 else 'minutes'}"
    return f"{said}{_after(match)}"


def _hour(match: re.Match[str]) -> str | None:
    return f"{cardinal(int(match['hours']))}{_after(match)}" if int(match["hours"]) < 25 else None


def _to_hour(match: re.Match[str]) -> str | None:
    """Returns the first of two times that share the half of the day: `9-11am`, `9:30–11 a.m.`."""
    first, minutes = int(match["first"]), match["minutes"]
    if first > 24:
        return None
    return f"{cardinal(first)}{f' {_minutes(minutes)}' if minutes and int(minutes) else ''} to "


def _minutes(written: str) -> str:
    return f"{'oh ' if int(written) < 10 else ''}{cardinal(int(written))}"


def _duration(match: re.Match[str]) -> str | None:
    hours, minutes, seconds = (int(match[name]) for name in ("hours", "minutes", "seconds"))
    if minutes > 59 or seconds > 59:
        return None
    said = [_counted(hours, "hour"), _counted(minutes, "minute"), "and", _counted(seconds, "second")]
    return f"{' '.join(said)}{_after(match)}"


def _counted(number: int, unit: str) -> str:
    return f"{cardinal(number)} {unit}{'' if number == 1 else 's'}"


def _ratio(match: re.Match[str]) -> str:
    return f"{cardinal(int(match['first']))} to {cardinal(int(match['second']))}"


def _verse(match: re.Match[str]) -> str:
    """Returns a place in a book of the Bible."""
    to = f" to {cardinal(int(match['last']))}" if match["last"] else ""
    return f"{match['book']} {cardinal(int(match['first']))} {cardinal(int(match['second']))}{to}"


def _morning(match: re.Match[str]) -> str:
    return spelled(match[0])


_BOOKS = (
    "Genesis|Exodus|Leviticus|Numbers|Deuteronomy|Joshua|Judges|Ruth|Samuel|Kings|Chronicles|Ezra|Nehemiah|Esther|Job|"
    "Psalms?|Proverbs|Ecclesiastes|Isaiah|Jeremiah|Lamentations|Ezekiel|Daniel|Hosea|Joel|Amos|Obadiah|Jonah|Micah|"
    "Nahum|Habakkuk|Zephaniah|Haggai|Zechariah|Malachi|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|"
    "Ephesians|Philippians|Colossians|Thessalonians|Timothy|Titus|Philemon|Hebrews|James|Peter|Jude|Revelation"
)
_RAW = (
    (r"(?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d)(?!\d|[.,:]\d)(?: ?" + _HALF + ")?" + _ZONE, _duration),
    (
        r"(?P<first>\d\d?)(?::(?P<minutes>[0-5]\d))? ?[-–—] ?"
        rf"(?=\d\d?(?::[0-5]\d)? ?{_HALF.replace('?P<half>', '?:')}(?![a-z]))",
        _to_hour,
    ),
    (rf"(?P<hours>\d\d?)[:.](?P<minutes>[0-5]\d) ?{_HALF}(?![a-z]){_ZONE}", _clock),
    (rf"(?P<hours>\d\d?):(?P<minutes>[0-5]\d)(?!\w|[:]\d){_ZONE}", _clock),
    (rf"(?P<hours>\d\d?) ?{_HALF}(?![a-z]){_ZONE}", _hour),
)
RULES = (
    rule(
        "ratio",
        rf"\b(?P<book>{_BOOKS}) (?P<first>\d{{1,3}}):(?P<second>\d{{1,3}})(?:[-–](?P<last>\d{{1,3}}))?(?![\w:]|\.\d)",
        _verse,
    ),
    *(rule("time", rf"(?<![\w.:])(?<!\d,){pattern}", say) for pattern, say in _RAW),
    rule("ratio", r"(?<![\w.:])(?P<first>\d{1,5}):(?P<second>\d{1,5})(?![\w:]|\.\d)", _ratio),
)
"""Of numbers."""
LETTERS = (rule("time", f"(?:{'|'.join(f'(?<={end} )' for end in _NUMBER_ENDS)})AM(?!\\w)", _morning),)
"""After a number in words."""
