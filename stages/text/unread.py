"""What can't be read of a text: letters of another script, and signs without a name."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from stages.text.languages import LANGUAGES, LATIN, MARKS, RARE_HAN, SCRIPTS

_SILENT = ("M", "P", "Z", "C", "Sk", "Lm", "Nd")
"""Categories of Unicode, or their beginnings, that nobody expects to hear, or that are read as digits."""


@cache
def _strange(code: str) -> re.Pattern[str]:
    """Returns a pattern of what isn't a letter of a language or an ordinary mark."""
    return re.compile(f"[{RARE_HAN}]|[^{LATIN}{MARKS}{SCRIPTS[LANGUAGES[code].script]}]")


def unread(text: str, code: str, named: Callable[[str], bool]) -> tuple[str, ...]:
    """Returns the letters and signs of a text that a language doesn't read, each once, in their order.

    Args:
        text: The text in words.
        code: Code of its language.
        named: Returns whether the voice has a name for a sign.
    """
    if text.isascii():
        return ()
    found = dict.fromkeys(_strange(code).findall(text))
    return tuple(sign for sign in found if _is_unread(sign, named))


def _is_unread(sign: str, named: Callable[[str], bool]) -> bool:
    category = unicodedata.category(sign)
    return not category.startswith(_SILENT) and (category.startswith("L") or not named(sign))
