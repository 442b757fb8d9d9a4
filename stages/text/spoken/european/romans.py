"""Finds Roman numbers: of kings, and behind the words that are numbered so."""

import re
from collections.abc import Callable, Container, Sequence

from stages.text.spoken.european.numbers import alternatives
from stages.text.spoken.european.tongue import Cardinal
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, rule

ROMAN = r"(?:(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3}))(?![\w’'])"
"""Pattern of Roman numbers up to 39. Greater ones are words or acronyms more often (CD, MIX, XL)."""


def reigns(
    names: Sequence[str], queens: Container[str], ordinal: Callable[[int, str], str], cardinal: Cardinal, *, up_to: int
) -> Rule:
    """Returns the rule for the numbers of kings and queens.

    Args:
        names: The names that they bear.
        queens: Those of women.
        ordinal: Number and ending (`a` for a woman, else `o`) to words.
        cardinal: Says the numbers above `up_to`.
        up_to: The greatest number that is an ordinal.
    """

    def say(match: re.Match[str]) -> str | None:
        number, ending = from_roman(match["roman"]), "a" if match["name"] in queens else "o"
        said = ordinal(number, ending) if number <= up_to else cardinal(number, "")
        return f"{match['name']} {said}" if number else None

    return rule("roman", rf"(?<!\w)(?P<name>{alternatives(names)}) (?P<roman>{ROMAN})", say)


def numbered(parts: str, cardinal: Cardinal, *, fewest: int = 1) -> Rule:
    """Returns the rule for a Roman number behind a word.

    Args:
        parts: Pattern of the words.
        cardinal: Says the numbers.
        fewest: Signs that the number has at least.
    """

    def say(match: re.Match[str]) -> str | None:
        number = from_roman(match["roman"])
        return f"{match['before']} {cardinal(number, '')}" if number else None

    return rule("roman", rf"(?<!\w)(?P<before>{parts}) (?P<roman>(?=[IVX]{{{fewest}}}){ROMAN})", say)
