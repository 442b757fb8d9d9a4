"""Compares the text of a cut with what a second model heard in it, so that spelling isn't taken for a mistake.

Both are compared in up to three forms: as letters, in English with whisper's normaliser (`twenty-one` is `21`, `Mr.`
is `mister`), and as phonemes (`colour` is `color`, `7` is `sieben`, kana are kanji). The form with the fewest errors
counts.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from stages.records import HeardAgain

_EDGE = 3
"""Letters. Shorter words at the ends of a text are judged together with their neighbour: `a` is easily misheard."""
_LONGEST_EDGE = 8
"""Letters of a long word, or of a text without spaces, that are judged."""


def compared(text: str, heard: str, language: str) -> HeardAgain:
    """Compares a text with what was heard in its cut.

    Args:
        text: The text of the row.
        heard: What a second model heard; "" for nothing.
        language: ISO 639-1 code of both.

    Returns:
        The character error rates: edit distance per letter of the text, spaces left out, and the same for the text's
        first and last word, with what was heard before and after it.
    """
    found = [_rates(ours, theirs) for ours, theirs in _forms(text, heard, language) if any(ours)]
    if not found:  # nothing that can be said: all that was heard is too much
        rate = float(any(map(str.isalnum, heard)))
        return HeardAgain(heard, rate, rate, rate)
    rates, firsts, lasts = zip(*found, strict=True)
    return HeardAgain(heard, round(min(rates), 4), round(min(firsts), 4), round(min(lasts), 4))


def _forms(text: str, heard: str, language: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yields the words of both texts, in one form after the other."""
    yield _words(text), _words(heard)
    if language == "en":
        normalise = _english()
        yield _words(normalise(text)), _words(normalise(heard))
    from stages.text.phonemes import phonemize  # reads whole languages, for cuts that are heard again

    ours, theirs = phonemize([text, heard], language, stress=False, punctuation=False)
    yield _words(ours), _words(theirs)


def _words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without marks; accents are kept."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter if _is_said(letter) else " " for letter in plain if letter not in "'’ʼ")
    return kept.split()


def _is_said(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")  # vowel signs of Devanagari


@cache
def _english() -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    normalise = EnglishTextNormalizer({})
    return lambda text: str(normalise(text.replace("’", "'")))


def _rates(ours: Sequence[str], theirs: Sequence[str]) -> tuple[float, float, float]:
    """Returns the error rates of the whole, of its first and of its last word."""
    from rapidfuzz.distance import Levenshtein

    text, heard = "".join(ours), "".join(theirs)
    errors = [(one.tag, one.src_pos) for one in Levenshtein.editops(text, heard)]
    first, last = _edge(ours), _edge([word[::-1] for word in reversed(ours)])
    end = len(text) - last
    at_first = sum(at < first for _, at in errors)
    at_last = sum(at > end or (at == end and kind != "insert") for kind, at in errors)
    return len(errors) / len(text), _share(at_first, text[:first]), _share(at_last, text[end:])


def _share(errors: int, edge: str) -> float:
    """Returns the error rate of an edge; 1 for a wrong number, of which one digit may be a word."""
    return float(errors > 0) if any(map(str.isdecimal, edge)) else min(1.0, errors / len(edge))


def _edge(words: Sequence[str]) -> int:
    """Returns how many letters of the text's first words are judged."""
    letters = 0
    for word in words:
        letters += len(word)
        if letters >= _EDGE:
            break
    return min(letters, _LONGEST_EDGE)
