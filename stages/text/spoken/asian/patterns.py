"""Patterns of numbers, and tables of words, of the languages that write no spaces around numbers."""

import re
from collections.abc import Callable, Iterable

SAID = "\ue000-\uf8ff"
"""What earlier rules said, for use in the brackets of a regular expression."""
INTEGER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
AMOUNT = rf"{INTEGER}(?:\.[0-9]+)?"
START = "(?<![0-9])(?<![0-9][.,])"
"""Where a number may begin."""
END = r"(?![0-9]|[.,][0-9])"
"""Where a number has ended."""
ALONE = rf"(?<![0-9A-Za-z)\]+#{SAID}-])"
"""Before a sign that belongs to the number after it: nothing stands there that it could join."""
WAVE = "[~～〜]"

DIGITS = "0-9０-９①-⑳Ⅰ-Ⅻⅰ-ⅻ½⅓⅔¼¾"
"""What `narrow` makes digits of, for use in the brackets of a regular expression."""

_WIDE: dict[int, str] = {
    wide: chr(wide - 0xFEE0) for wide in (*range(0xFF10, 0xFF1A), 0xFF05, 0xFF0B, 0xFF0D, 0xFF0E, 0xFF0F, 0xFF1D)
}

_WIDE |= {ord(sign): f" {above}/{below}" for sign, above, below in ("½12", "⅓13", "⅔23", "¼14", "¾34")}
_WIDE |= {
    first + value: str(value + 1)
    for first, count in ((0x2460, 20), (0x2160, 12), (0x2170, 12))
    for value in range(count)
}


def narrow(text: str) -> str:
    """Returns a text with full-width digits and arithmetic signs, ①, Ⅲ and ½ as ASCII."""
    return text.translate(_WIDE)


def pairs(*lines: str) -> dict[str, str]:
    """Returns a table from lines such as `km キロメートル, m メートル`; a sign ends at the first space."""
    cells = (cell.strip().partition(" ") for line in lines for cell in line.split(","))
    return {sign: name.strip() for sign, _, name in cells}


def either(signs: Iterable[str]) -> str:
    """Returns a pattern of any of some signs, the longest first."""
    return "|".join(sorted(map(re.escape, signs), key=len, reverse=True))


def amount(digits: str, whole: Callable[[int], str], each: Callable[[str], str], point: str, longest: int) -> str:
    """Returns the words of a match of `AMOUNT`; one with a zero before it, or too long, is said digit by digit.

    Args:
        digits: The match.
        whole: Says a whole number.
        each: Says digits one by one.
        point: Says the decimal point.
        longest: Most digits of a number that `whole` says.
    """
    integer, _, decimals = digits.replace(",", "").partition(".")
    zeros = len(integer) > 1 and integer.startswith("0")
    words = each(integer) if zeros or len(integer) > longest else whole(int(integer))
    return f"{words}{point}{each(decimals)}" if decimals else words
