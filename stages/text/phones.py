"""Splits IPA into phones."""

import re
import unicodedata

_MODIFIERS = frozenset({"Mn", "Lm", "Sk"})


def phones(phonemes: str) -> list[str]:
    """Splits IPA into phones, each a letter with its length, tone or diacritics; drops spaces and stress.

    Example:
        >>> phones("həlˈoʊ wˈɜːld")
        ['h', 'ə', 'l', 'o', 'ʊ', 'w', 'ɜː', 'l', 'd']
    """
    found: list[str] = []
    for symbol in re.sub(r"[\sˈˌ]+", "", phonemes):
        if found and unicodedata.category(symbol) in _MODIFIERS:
            found[-1] += symbol
        else:
            found.append(symbol)
    return found
