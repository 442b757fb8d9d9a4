"""Fits the words of a segment to its text, and places those without times."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.records import Word


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as a transcript tells it."""

    text: str
    start_s: float | None
    end_s: float | None


def fitted(words: Sequence[TimedWord], text: str) -> list[tuple[TimedWord, int, int]] | None:
    """Finds each word in the text.

    Punctuation that only the text has goes to the word that it touches. Upper and lower case may differ.

    Returns:
        The words with the start and end of their place in the text; None if they spell another text.
    """
    found: list[tuple[TimedWord, int, int]] = []
    folded = text.lower() if len(text.lower()) == len(text) else text
    at = 0
    for word in words:
        spelt = "".join(word.text.split())
        start = _find(folded, spelt.lower() if folded is not text else spelt, at)
        if start is None:
            return None
        begin, end = start
        found.append((word, begin, end))
        at = end
    borders = [0, *(end for _, _, end in found)]
    starts = [*(start for _, start, _ in found), len(text)]
    if any(any(map(str.isalnum, text[end:start])) for end, start in zip(borders, starts, strict=True)):
        return None
    return [
        (word, _left(text, before, start), _right(text, end, after))
        for (word, start, end), before, after in zip(found, borders, starts[1:], strict=False)
    ]


def _find(text: str, spelt: str, at: int) -> tuple[int, int] | None:
    """Returns where a word is spelt next; white space within it doesn't count."""
    start = text.find(spelt, at)
    if start >= 0:
        return start, start + len(spelt)
    while at < len(text) and text[at].isspace():
        at += 1
    place, letters = at, 0
    while place < len(text) and letters < len(spelt):
        if text[place] == spelt[letters]:
            letters += 1
        elif not text[place].isspace():
            return None
        place += 1
    return (at, place) if letters == len(spelt) else None


def _left(text: str, before: int, start: int) -> int:
    """Returns where the punctuation before a word begins: all that touches it, after a space."""
    touching = start
    while touching > before and not text[touching - 1].isspace():
        touching -= 1
    return touching if touching > before or before == 0 else start


def _right(text: str, end: int, after: int) -> int:
    """Returns where the punctuation after a word ends: all that touches it."""
    while end < after and not text[end].isspace():
        end += 1
    return end


def placed(words: Sequence[TimedWord], start: int, end: int, sample_rate: int) -> tuple[Word, ...]:
    """Returns the words with times in order. Words without times share the gap around them by number of letters.

    Args:
        words: The words of a segment.
        start: First sample of the segment.
        end: One past its last sample.
        sample_rate: Hz.
    """
    given: list[tuple[int, int] | None] = []
    reached = start
    for word in words:
        if word.start_s is None or word.end_s is None:
            given.append(None)
            continue
        left = min(max(round(word.start_s * sample_rate), reached), end)
        reached = min(max(round(word.end_s * sample_rate), left), end)
        given.append((left, reached))
    gaps: list[tuple[int, int]] = []
    gap_end, letters = end, 0
    for word, border in zip(reversed(words), reversed(given), strict=True):
        gap_end, letters = (border[0], 0) if border else (gap_end, letters + len(word.text))
        gaps.append((gap_end, letters))
    found: list[Word] = []
    reached = start
    for word, border, (gap_end, letters) in zip(words, given, reversed(gaps), strict=True):
        left, right = border or (reached, reached + (gap_end - reached) * len(word.text) // letters)
        found.append(Word(word.text.strip(), left, right))
        reached = right
    return tuple(found)
