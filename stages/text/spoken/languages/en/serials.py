"""Names with numbers in them, ranges, and digits to dial."""

import re

from stages.text.spoken.languages.en.numbers import (
    NUMBER,
    START,
    counted,
    digits,
    pairs,
    plural,
    spoken,
    year,
)
from stages.text.spoken.languages.en.spelling import LETTER_A, spelled
from stages.text.spoken.rules import gated, rule

_VOWEL = re.compile("[aeiouyAEIOUY]")
_SEPARATORS = re.compile("[ ,'’]")
_JOINED = r"(?:[A-Za-z\d]|(?<=\d)\.(?=\d))+"
"""Letters and digits, with points only between digits."""
_PIECE = re.compile(r"(\d+(?:\.\d+)*)")


def _phone(match: re.Match[str]) -> str:
    return ("plus " if match[0][0] == "+" else "") + " ".join(digits(part) for part in re.findall(r"\d+", match[0]))


def _address(match: re.Match[str]) -> str:
    """Returns numbers with three points or more: of a machine, or of a version."""
    return " dot ".join(pairs(part) for part in match[0].split("."))


def _version(match: re.Match[str]) -> str:
    said = " point ".join(spoken(part) for part in match[0].lstrip("vV").split("."))
    return f"version {said}" if match[0][0] in "vV" else said


def _range(match: re.Match[str]) -> str | None:
    """Returns numbers from a smaller to a larger one; a result of a game, such as 3-1, without `to`."""
    first, last = match["first"], match["last"]
    if match["dash"] == "-" and last[0] == "0" and len(last) > 1:
        return None
    ascends = float(_SEPARATORS.sub("", first)) < float(_SEPARATORS.sub("", last)) or (first, last) == ("9", "5")
    return f"{counted(first)}{' to ' if ascends else ' '}{counted(last)}"


def _retirement(match: re.Match[str]) -> str:
    letter = match["letter"]
    return f"{pairs(match['number'])} {LETTER_A if letter in 'Aa' else letter}"


def _serial(match: re.Match[str]) -> str | None:
    """Returns letters and digits, the letters as a word or spelt, the digits as in names."""
    said: list[str] = []
    for piece in re.split(r"[-/ ]", match[0]):
        parts = [part for part in _PIECE.split(piece) if part]
        said += [_piece(part, alone=part == piece) for part in parts]
        if len(parts) > 1 and parts[-1] == "s" and parts[-2].isdecimal():
            said[-2:] = [plural(said[-2])]
    return " ".join(said)


def _piece(part: str, *, alone: bool) -> str:
    if part[0].isdecimal():
        whole, *more = part.split(".")
        return " point ".join([pairs(whole) if len(whole) < 6 else digits(whole), *map(_behind_point, more)])
    if part in ("A", "a"):
        return part if alone and part == "a" else LETTER_A
    if len(part) < 4 and not alone and (part.isupper() or not _VOWEL.search(part)):
        return spelled(part)
    return part


def _behind_point(part: str) -> str:
    """Returns a part of a version: one or two digits as a number, else digit by digit."""
    return spoken(part) if len(part) < 3 else digits(part)


def _standard(match: re.Match[str]) -> str:
    return f"{spelled(match['letter'])} {pairs(match['number'])}"


def _with_word(match: re.Match[str]) -> str:
    return f"{counted(match['number'])}{match['dash']}"


def _aircraft(match: re.Match[str]) -> str:
    return f"{match['maker']} {pairs(match['number'])}{' ' + pairs(match['more']) if match['more'] else ''}"


def _apart(match: re.Match[str]) -> str:
    return " ".join(spoken(part) for part in match[0].split("/"))


def _model(match: re.Match[str]) -> str:
    return year(int(match[0]))


DIALLED = (
    *gated(
        r"[a-z] \d{3}",
        rule(
            "serial",
            r"(?<!\w)(?P<maker>Boeing|Airbus|Porsche|Peugeot|Route|Highway|Interstate|Area|Room|Flight)"
            r" (?P<number>\d{3})(?:-(?P<more>\d+))?(?!\w|[.,]\d)",
            _aircraft,
        ),
    ),
    *gated(
        r"(?:all|ial) \d",
        rule("telephone", r"(?:(?<=call )|(?<=dial )|(?<=Call )|(?<=Dial ))\d{3}(?!\w|[-.,/: ]\d)", _phone),
    ),
    *gated(r"\.\d{1,3}\.", rule("link", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", _address)),
    *gated(
        r"\d(?:[- .]\d{4}|-\d| \d\d)|\+\d",
        rule(
            "telephone",
            r"(?<![\w.,])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\) ?|(?:1[- ])?\d{3}[- .])\d{3}[- .]\d{4}(?![\w-]|[.,]\d)"
            r"|(?<![\w.,])\+\d{1,3}(?:[ -]?\(?\d{1,5}\)?){2,6}(?![\w-])"
            r"|(?<![\w.,-])\d{3}-\d{4}(?![\w-]|[.,]\d)"
            r"|(?<![\w.,-])\d{3}-\d{2}-\d{4}(?![\w-])"
            r"|(?<![\w.,-])(?<!\d )0\d{1,5}(?: \d{2,8}){1,3}(?![\w-]|[.,]\d)"
            r"|(?<![\w.,-])\d+(?:-\d+){3,}(?![\w-])",
            _phone,
        ),
    ),
)
RANGES = (
    rule("serial", r"(?<![\w.,/])\d+(?:/\d+){2,}(?![\w/])", _apart),
    rule("range", r"(?<=[\ue000-\uf8ff]) ?[-–—] ?(?=[\ue000-\uf8ff])", lambda _: " to "),
    rule("serial", r"(?<![\w.,])(?:\d{1,4}(?:\.\d{1,4}){2,}|[vV]\d{1,4}(?:\.\d{1,4})+)(?!\w|\.\d)", _version),
    rule(
        "range",
        rf"{START}(?<!-)(?P<first>{NUMBER})(?:(?P<dash>[-–—])| (?:[–—]) )(?P<last>{NUMBER})(?!\w|[-–—]\w| ?=)",
        _range,
    ),
)
RULES = (
    *gated(
        r"[A-Z]\.\d\d", rule("serial", r"(?<![\w.'’])(?P<letter>[A-Z])\.(?P<number>\d{2,4})(?![\w-]|\.\d)", _standard)
    ),
    *gated("[A-Z] [1-9]", rule("serial", r"(?<=[A-Z]{2} )[1-9]\d{3}(?!\w|[.,]\d)", _model)),
    *gated(
        "0[13][(kbc]",
        rule("serial", r"(?<![\w.])(?P<number>401|403|501)\(?(?P<letter>k|b|c)\)?(?!\w)", _retirement),
    ),
    *gated(
        r"\d[A-Za-z-]|[A-Za-z/-]\d",
        rule(
            "serial",
            r"(?<![\w.'’])(?<!\d,)(?=[A-Za-z\d/-]*\d)(?=[A-Za-z\d/-]*[A-Za-z])"
            rf"{_JOINED}(?:[-/]{_JOINED})*(?!\w|['’]\w)",
            _serial,
        ),
    ),
)
