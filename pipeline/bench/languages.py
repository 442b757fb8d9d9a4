"""Measures how often the language of a short text is detected wrongly."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.errors import TextError
from stages.text.languages import LANGUAGES, detect, is_spaced

_WORDS = (1, 2, 3, 4, 8)
_CODE = re.compile(r"(?:^|-)([a-z]{2})(?=-|$)")
_MIXED = "longform"
"""A group in several languages."""
_FEWEST = 3
"""Pieces of a language; fewer aren't counted."""


def languages(bench: Bench) -> Iterator[Figure]:
    """Cuts transcripts into pieces of a few words, and measures the share whose language is detected wrongly."""
    texts = _texts(bench.recordings)
    ways: dict[str, Callable[[str], list[str] | None]] = {
        "no candidates": lambda _: None,
        "its own first": lambda code: [code, _other(code)],
        "its own last": lambda code: [_other(code), code],
    }
    for words in _WORDS:
        pieces = {code: _pieces(said, words) for code, said in sorted(texts.items()) if is_spaced(code)}
        pieces = {code: found for code, found in pieces.items() if len(found) >= _FEWEST}
        total = sum(map(len, pieces.values()))
        yield Figure(f"pieces of {words} words, in {len(pieces)} languages", total)
        for way, candidates in ways.items():
            wrong = sum(_found(text, candidates(code)) != code for code, found in pieces.items() for text in found)
            yield Figure(f"  wrong: {way}", 100 * wrong / total if total else 0.0, "%")


def _other(code: str) -> str:
    return "de" if code == "en" else "en"


def _found(text: str, candidates: list[str] | None) -> str:
    """Returns the detected language; "" where the text is rejected."""
    try:
        return detect(text, candidates)
    except TextError:
        return ""


def _texts(speech: Path) -> dict[str, set[str]]:
    """Returns the transcripts by language: the code in the group's name (`kerstin-de`), else English."""
    texts: dict[str, set[str]] = defaultdict(set)
    for path in sorted(speech.rglob("*.txt")):
        group = path.relative_to(speech).parts[0]
        if group != _MIXED:
            codes = [code for code in _CODE.findall(group) if code in LANGUAGES]
            texts[codes[-1] if codes else "en"].add(path.read_text(encoding="utf-8").strip())
    return texts


def _pieces(texts: set[str], words: int) -> list[str]:
    """Returns the distinct pieces of exactly so many words; what is left at a text's end is dropped."""
    split = [text.split() for text in texts]
    return sorted({" ".join(said[at : at + words]) for said in split for at in range(0, len(said) - words + 1, words)})


LANGUAGES_BENCH = StageBench("languages", languages, 75, needs_speech=True)
