"""Divides a text into parts that are spoken one after the other, and says how long to pause between them.

A part is a sentence. Very short sentences of a paragraph are joined, and one that is longer than the utterances of the
training set is divided: at semicolons, colons and dashes, else at commas, else between words. `[pause 0.5s]` in the
text is a pause of that length, in place of the usual one. A blank line begins a paragraph.

Sentences are found by sentencex, which knows the abbreviations of each language: https://github.com/wikimedia/sentencex.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from model.sequences.lengths import Lengths
from stages.errors import TextError, UsageError
from stages.records import count_phonemes
from stages.text.languages import CLOSING_MARKS, SENTENCE_ENDS, is_spaced

PARAGRAPH_S = 0.8
"""Pause after a paragraph, in seconds."""
SENTENCE_S = 0.4
"""Pause after a sentence."""
CLAUSE_S = 0.2
"""Pause where a sentence is divided at a semicolon, colon, dash or comma."""
WORD_S = 0.05
"""Pause where a sentence is divided between words."""
LONGEST_PAUSE_S = 60.0
"""The longest pause that a text may ask for."""

PAUSE = re.compile(r"\[\s*pause\b([^\]]*)\]", re.IGNORECASE)
"""Marks a pause in a text."""
_SECONDS = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(ms|s)?\s*", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n\s*\n")
_AFTER = f"[{re.escape(CLOSING_MARKS)}]*"
_BREAKS = (
    (re.compile(rf"(?:[;:]{_AFTER}\s+|\s[–-]\s+|[—…]{_AFTER}\s*|[；：]{_AFTER})"), CLAUSE_S),
    (re.compile(rf"(?:,{_AFTER}\s+|[，、]{_AFTER})"), CLAUSE_S),
    (re.compile(r"\s+"), WORD_S),
    (re.compile(r""), WORD_S),
)
"""Where a sentence may be divided, best places first, with the pause there."""
_MAY_GO_ON = re.compile(r"(?<!\w)(?:\w{1,6}|\d+)\.$")
"""The end of what may be an abbreviation or an ordinal."""
_GIVEN = re.compile(r"\[\[[^\[\]]*\]\]")
"""Phonemes in a text, which aren't divided."""
_LEAST_SHARE = 0.2
"""A sentence isn't divided nearer to its ends than this share of its characters, except between words."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is spoken in one go."""

    text: str
    phonemes: str
    pause_s: float
    """Silence after it, in seconds."""
    opens: bool = False
    """Whether it begins a paragraph."""
    joins: bool = True
    """Whether the pause after it may be left out, to join it with the next part."""


@dataclass(frozen=True, slots=True)
class Script:
    """A text, divided."""

    parts: tuple[Part, ...]
    sentences: int
    """Number of sentences in the text."""
    lead_s: float = 0.0
    """Silence before the first part, in seconds."""


def divide(text: str, language: str, lengths: Lengths, read: Callable[[str], str]) -> Script:
    """Divides a text into parts.

    Args:
        text: Any length.
        language: Its ISO 639-1 code.
        lengths: How long the utterances are that the model was trained on.
        read: Returns the phonemes of a text.

    Returns:
        At least one part. Each fits `lengths`, unless it is a single character.

    Raises:
        TextError: if there is nothing to say.
        UsageError: if a pause isn't written as `[pause 0.5s]`, or is longer than `LONGEST_PAUSE_S`.
    """
    read = lru_cache(maxsize=None)(read)
    between = _between(language)
    lead_s, sentences = _sentences(text, language, read)
    if not sentences:
        raise TextError("`text` must hold something to say, but is empty or holds only marks.")
    parts: list[Part] = []
    for part in (piece for sentence in sentences for piece in _pieces(sentence, lengths, read)):
        joined = _joined(parts[-1], part, between, read) if parts and _belong(parts[-1], part, lengths) else None
        if joined and lengths.fits(len(joined.phonemes)):
            parts[-1] = joined
        else:
            parts.append(part)
    return Script(tuple(parts), len(sentences), lead_s)


def _between(language: str) -> str:
    return " " if is_spaced(language) else ""


def _sentences(text: str, language: str, read: Callable[[str], str]) -> tuple[float, list[Part]]:
    """Returns the pause before the first sentence, and the sentences; what can't be spoken is left out."""
    from sentencex import segment

    found: list[Part] = []
    asked_s: dict[int, float] = {}
    """The pauses asked for, by the number of sentences before them."""
    for passage, pause_s in _passages(text):
        for number, paragraph in enumerate(_BLANK_LINE.split(passage)):
            opens = number > 0 or not found
            lines = [" ".join(line.split()) for line in paragraph.splitlines()]
            for plain in _whole(segment(language, _between(language).join(lines)), _between(language), read):
                if plain and _is_said(phonemes := read(plain)):
                    found.append(Part(plain, phonemes, SENTENCE_S, opens))
                    opens = False
        if pause_s is not None:
            asked_s[len(found)] = asked_s.get(len(found), 0.0) + pause_s
    opening = [part.opens for part in found[1:]]
    for at, opens in enumerate(opening):
        if opens:
            found[at] = replace(found[at], pause_s=PARAGRAPH_S, joins=False)
    if found:
        found[-1] = replace(found[-1], pause_s=0.0, joins=False)
    for count in asked_s.keys() - {0}:
        found[count - 1] = replace(found[count - 1], pause_s=asked_s[count], joins=False)
    return asked_s.get(0, 0.0), found


def _is_said(symbols: str) -> bool:
    """Returns whether phonemes, or the characters of a text, have anything to say: a letter or a digit."""
    return count_phonemes(symbols) > 0 or any(map(str.isnumeric, symbols))


def _whole(segments: Iterable[str], between: str, read: Callable[[str], str]) -> list[str]:
    """Joins what was divided after an abbreviation or an ordinal: read together, it has one mark fewer than apart."""
    found: list[str] = []
    for sentence in map(str.strip, segments):
        if found and _MAY_GO_ON.search(found[-1]):
            together = f"{found[-1]}{between}{sentence}"
            first, second = _ends(read(found[-1])), _ends(read(sentence))
            if first == 0 < second or _ends(read(together)) < first + second:
                found[-1] = together
                continue
        found.append(sentence)
    return found


def _ends(phonemes: str) -> int:
    return sum(map(phonemes.count, SENTENCE_ENDS))


def _passages(text: str) -> Iterator[tuple[str, float | None]]:
    """Yields what stands before each mark of a pause with its length, and last what follows them, with None."""
    passages = PAUSE.split(text)
    for passage, asked in zip(passages[:-1:2], passages[1::2], strict=True):
        yield passage, _pause_s(asked)
    yield passages[-1], None


def _pause_s(asked: str) -> float:
    found = _SECONDS.fullmatch(asked)
    if not found:
        raise UsageError(f"A pause must be written as `[pause 0.5s]` or `[pause 500ms]`, but is `[pause{asked}]`.")
    seconds = float(found[1]) / (1000 if (found[2] or "").lower() == "ms" else 1)
    if seconds > LONGEST_PAUSE_S:
        raise UsageError(f"A pause must be at most {LONGEST_PAUSE_S:g} s long, but `[pause{asked}]` is {seconds:g} s.")
    return seconds


def _pieces(part: Part, lengths: Lengths, read: Callable[[str], str]) -> Iterator[Part]:
    """Yields a sentence, divided until each piece fits."""
    cut = None if lengths.fits(len(part.phonemes)) else _best_break(part.text, read)
    if cut is None:
        yield part
        return
    at, pause_s = cut
    first, second = part.text[:at].strip(), part.text[at:].strip()
    yield from _pieces(Part(first, read(first), pause_s, part.opens), lengths, read)
    yield from _pieces(replace(part, text=second, phonemes=read(second), opens=False), lengths, read)


def _best_break(text: str, read: Callable[[str], str]) -> tuple[int, float] | None:
    """Returns where to divide a sentence, as near to its middle as the best kind of place allows, and the pause."""
    for pattern, pause_s in _BREAKS:
        least = 1 if pause_s == WORD_S else max(1, round(_LEAST_SHARE * len(text)))
        given = [range(found.start() + 1, found.end()) for found in _GIVEN.finditer(text)]
        ends = [found.end() for found in pattern.finditer(text) if least <= found.end() <= len(text) - least]
        places = [end for end in ends if not any(end in phonemes for phonemes in given)]
        for at in sorted(places, key=lambda place: abs(2 * place - len(text))):
            if all(_is_said(read(half)) for half in (text[:at].strip(), text[at:].strip())):
                return at, pause_s
    return None


def _belong(before: Part, after: Part, lengths: Lengths) -> bool:
    """Returns whether two parts are better spoken together, because one of them is short."""
    return before.joins and any(lengths.is_short(len(part.phonemes)) for part in (before, after))


def _joined(before: Part, after: Part, between: str, read: Callable[[str], str]) -> Part:
    text = f"{before.text}{between}{after.text}"
    return Part(text, read(text), after.pause_s, before.opens, after.joins)
