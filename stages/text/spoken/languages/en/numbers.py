"""Numbers in English words: cardinals, ordinals, decimals, years, fractions."""

import re
from functools import lru_cache

from num2words import num2words

from stages.text.spoken.languages.en.spelling import apart
from stages.text.spoken.rules import gated, rule

START = r"(?<!\w)(?<!\d[.,:])"
"""Where a number may begin: not inside a word or another number."""
INTEGER = r"(?:\d{1,3}(?:[,'’]\d{3})+(?![,'’]?\d)|[1-9]\d{0,2}(?: \d00|(?: \d{3}){2,})(?![\d,]|[ -]\d)|\d+)"
"""An integer, its thousands perhaps separated by commas or spaces."""
NUMBER = rf"(?:{INTEGER}(?:\.\d+)?|\.\d+)"
SCALE = r"(?:hundred|thousand|million|billion|trillion)"
MINUS = r"(?:(?<![\w)\]%°])[-−])"

_LONG = 10
"""A number of so many digits, not separated, is read digit by digit: it is a number to dial or to copy."""
_LARGEST = 10**36
_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters"), 100: ("hundredth", "hundredths")}
_VULGAR = {
    **{"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5)},
    **{"⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8)},
    **{"⅑": (1, 9), "⅒": (1, 10)},
}
VULGAR = "".join(_VULGAR)
"""Fractions of one letter, for the brackets of a regular expression."""


@lru_cache(4096)
def cardinal(number: int) -> str:
    """Returns a number in words, without commas or hyphens; `and` only before its last two digits."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= _LARGEST:
        return digits(str(number))
    high, low = number - number % 1000, number % 1000
    if not high:
        return _plain(num2words(low))
    words = _plain(num2words(high)).replace(" and ", " ")
    if not low:
        return words
    return f"{words}{' and' if low < 100 and high // 1000 % 1000 else ''} {_plain(num2words(low))}"


@lru_cache(4096)
def ordinal(number: int) -> str:
    """Returns an ordinal in words, without commas, hyphens or `and`."""
    return _plain(num2words(number, to="ordinal")).replace(" and ", " ") if number < _LARGEST else f"{number}th"


def digits(text: str) -> str:
    """Returns the digits of a text, one by one."""
    return " ".join(_DIGITS[int(digit)] for digit in text if digit.isdecimal())


def _plain(words: str) -> str:
    return words.replace(",", "").replace("-", " ")


def value(text: str) -> int:
    """Returns the value of an integer as `INTEGER` finds it."""
    return int(re.sub(r"[^\d]", "", text))


def spoken(text: str) -> str:
    """Returns a number as `NUMBER` finds it in words: `007` and long numbers by their digits."""
    whole, point, decimals = text.partition(".")
    if not whole:
        words = ""
    elif (whole[0] == "0" and len(whole) > 1) or (whole.isdecimal() and len(whole) >= _LONG):
        words = digits(whole)
    else:
        words = cardinal(value(whole))
    return f"{words} point {digits(decimals)}".strip() if point else words


def scaled(text: str, scale: str) -> str:
    """Returns a number of millions, or of what else the scale is, in words."""
    return f"{spoken(text).replace(' and ', ' ')} {scale}"


def year(number: int) -> str:
    """Returns a year in words: nineteen ninety, nineteen oh five, two thousand six, twenty twelve."""
    century, rest = divmod(number, 100)
    if number < 1000 or number >= 10000 or number % 1000 < 10:
        return cardinal(number).replace(" and ", " ")
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def is_year(text: str) -> bool:
    """Returns whether four digits without a separator are likely said as a year: 1001 to 2099."""
    return len(text) == 4 and text.isdecimal() and 1000 < int(text) < 2100


def counted(text: str) -> str:
    """Returns a number as it stands in a text: as a year if it may be one, else as a number."""
    return year(int(text)) if is_year(text) else spoken(text)


def pairs(text: str) -> str:
    """Returns digits as in the names of things: 747 seven forty seven, 16 sixteen, 2145 one by one."""
    number = int(text)
    if (len(text) > 1 and text[0] == "0") or (len(text) > 3 and number % 1000):
        return digits(text)
    if len(text) < 3 or not number % 100:
        return cardinal(number)
    rest = number % 100
    return f"{cardinal(number // 100)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def plural(words: str) -> str:
    """Returns the plural of a number in words: nineties, sixes."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}{'es' if words.endswith('x') else 's'}"


def fraction(above: int, below: int) -> str:
    """Returns a fraction in words: three quarters, one half, thirty one thirty seconds."""
    one, more = _DENOMINATORS.get(below) or (ordinal(below), plural(ordinal(below)))
    return f"{cardinal(above)} {one if above == 1 else more}"


def _mixed(match: re.Match[str]) -> str | None:
    whole, above, below = match["whole"], int(match["above"]), int(match["below"])
    if below < 2 or len(match["above"]) > 4 or len(match["below"]) > 4 or match["below"][0] == "0":
        return None
    if whole:
        return _with_whole(whole, above, below)
    if above == below or (above, below) in ((24, 7), (9, 11)):
        return f"{cardinal(above)} {cardinal(below)}"
    if above > below > 10:
        return f"{cardinal(above)} over {cardinal(below)}"
    return fraction(above, below)


def _with_whole(whole: str, above: int, below: int) -> str:
    part = fraction(above, below)
    return f"{spoken(whole)} and {f'a {part[4:]}' if (above, below) in ((1, 2), (1, 4)) else part}"


def _vulgar(match: re.Match[str]) -> str:
    above, below = _VULGAR[match["sign"]]
    return _with_whole(match["whole"], above, below) if match["whole"] else fraction(above, below)


def _ordinal(match: re.Match[str]) -> str:
    number, suffix = value(match["number"]), match["suffix"].lower()
    fits = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return ordinal(number) if suffix == fits else f"{cardinal(number)} {suffix}"


def _scaled(match: re.Match[str]) -> str:
    return f"{'minus ' if match['minus'] else ''}{scaled(match['number'], match['scale'])}"


def _bare(match: re.Match[str]) -> str:
    text = match["number"]
    if match["minus"]:
        return f"minus {spoken(text)}"
    return counted(text)


FRACTIONS = (
    rule("fraction", rf"(?:{START}(?P<whole>{INTEGER}) ?)?(?P<sign>[{VULGAR}])", _vulgar),
    rule(
        "fraction",
        rf"{START}(?P<above>\d{{1,3}}\.\d{{1,2}})/(?P<below>\d{{1,3}})(?![\w/]|[.,]\d)",
        lambda match: f"{spoken(match['above'])} out of {spoken(match['below'])}",
    ),
    rule(
        "fraction",
        rf"{START}(?<!/)(?:(?P<whole>\d+)(?: |-|(?: and ))(?=\d{{1,2}}/\d{{1,2}}\b))?(?P<above>\d+)[/⁄]"
        r"(?P<below>\d+)(?:th|rd|nd|st|ths|rds|nds)?(?![\w/]|\.\d)",
        _mixed,
        ignore_case=True,
    ),
)
ORDINALS = (
    rule(
        "cardinal", r"(?<![\w.,])1(?:,000)+s(?!\w)", lambda match: f"{cardinal(value(match[0])).removeprefix('one ')}s"
    ),
    rule(
        "ordinal",
        rf"{START}(?P<number>\d{{1,3}}(?:,\d{{3}})+|\d+)(?P<suffix>st|nd|rd|th)(?![\w])",
        _ordinal,
        ignore_case=True,
    ),
)
_SCALES = {"mn": "million", "bn": "billion", "tn": "trillion"}


def _short_scale(match: re.Match[str]) -> str:
    return f"{'minus ' if match['minus'] else ''}{scaled(match['number'], _SCALES[match['scale']])}"


SHORT_SCALES = (
    rule("cardinal", rf"(?<!\w)(?P<minus>{MINUS})?(?P<number>{NUMBER}) ?(?P<scale>[mbt]n)(?!\w|['’]\w)", _short_scale),
)
"""`1.5bn people`; money has its own."""
CARDINALS = (
    *gated(
        rf"\d (?i:{SCALE})",
        rule(
            "cardinal",
            rf"{START}(?P<minus>{MINUS})?(?P<number>{NUMBER}) (?P<scale>{SCALE})\b",
            _scaled,
            ignore_case=True,
        ),
    ),
    *gated(
        r"\.\d",
        rule(
            "decimal",
            rf"(?<!\w)(?P<minus>{MINUS})?(?P<number>{INTEGER}?\.\d+)(?P<letter>[A-Za-z](?!\w))?(?!\w)",
            lambda match: " ".join(filter(None, (_bare(match), match["letter"]))),
        ),
    ),
    rule("cardinal", rf"(?<!\w)(?P<minus>{MINUS})?(?P<number>{INTEGER})(?!\w)", _bare),
    rule("cardinal", r"\d+(?:\.\d+)?", lambda match: apart(match, spoken(match[0]))),
)
"""What is left after all other rules."""
