"""Texts as characters: what a model of `data.text: characters` reads, and `phn` and `un-phn` read and write."""

import re
import unicodedata
from collections.abc import Collection, Iterator

_UNSPOKEN = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\U000e0100-\U000e01ef]+"
)
"""Characters to drop: soft hyphens, direction marks, lone surrogates, variation selectors of kanji."""
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_PLAIN = str.maketrans(
    {**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-"), "…": "..."}
)
"""Marks with a plain form on every keyboard."""


def composed(text: str) -> str:
    """Returns a text in one line, NFC-composed, without characters that nobody sees."""
    return unicodedata.normalize("NFC", _SPACE.sub(" ", _UNSPOKEN.sub("", text))).strip()


def characters(text: str) -> str:
    """Returns a text as its characters are read: `composed`, with single spaces. Twice is the same as once."""
    return " ".join(composed(text).split())


def in_known(text: str, known: Collection[str]) -> str:
    """Returns a text in the characters that a model has read, as far as there are such.

    A character that it hasn't read becomes, if all of the result was read: its compatible form (`ﬁ` fi, full width),
    its plain mark (`“` to `"`), its small or capital letter, or its letter without accents. Otherwise it stays.
    """
    if set(text) <= set(known):
        return text
    return "".join(char if char in known else _nearest(char, known) for char in text)


def _nearest(char: str, known: Collection[str]) -> str:
    found = (other for other in _forms(char) if other and all(part in known for part in other))
    return next(found, char)


def _forms(char: str) -> Iterator[str]:
    compatible = unicodedata.normalize("NFKC", char)
    for form in (compatible, compatible.translate(_PLAIN)):
        yield from (form, form.lower(), form.upper())
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    yield from (bare, bare.lower(), bare.upper())
