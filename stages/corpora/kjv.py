"""Reads the verses of the King James Version as Debian's program `bible` prints them, and takes their sentences.

    bible -f gen1:1-rev22:21

prints `Ge1:1 In the beginning God created …`, a verse a line (packages bible-kjv and bible-kjv-text). The translation
of 1611 is in the public domain.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from stages.errors import MissingInputError, UsageError

_VERSE = re.compile(r"((?:\d\s?)?[A-Za-z]+)\s?(\d+):(\d+)\s+(\S.*)")
_PARTS = re.compile(r"(?<=[.?!])\s+")
_SHOUTED = re.compile(r"\b[A-Z]{2,}\b")
"""`LORD`: small capitals in print, said like any word."""
_ODD = re.compile(r"[^A-Za-z ,;:.?!'-]")


@dataclass(frozen=True, slots=True)
class Verse:
    """A sentence of a verse."""

    name: str
    """Book, chapter, verse, and the sentence's number in it, such as `ge-1-1-1`."""
    text: str


def read_verses(path: Path) -> list[Verse]:
    """Reads whole sentences: they begin with a capital and end with a mark within one verse.

    Sentences with brackets, digits or other signs are left out. A semicolon or colon at a verse's end, where the next
    verse goes on, becomes a full stop.

    Args:
        path: What `bible -f gen1:1-rev22:21` printed.

    Raises:
        MissingInputError: if the file can't be read.
        UsageError: if it has no verses, or a line that isn't one.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"the verses can't be read from `{path}`: {error}. Check the path.") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _VERSE.fullmatch(line.strip())
        if match is None:
            raise UsageError(
                f"line {number} of `{path}` must be a verse such as `Ge1:1 In the beginning …`, but is"
                f" {line.strip()[:60]!r}. Give what `bible -f gen1:1-rev22:21` prints."
            )
        book, chapter, verse, text = match.groups()
        place = f"{book.replace(' ', '').lower()}-{chapter}-{verse}"
        found += [Verse(f"{place}-{part}", said) for part, said in enumerate(_sentences(text), 1)]
    if not found:
        raise UsageError(f"`{path}` must hold verses, but holds none. Give what `bible -f gen1:1-rev22:21` prints.")
    return found


def _sentences(verse: str) -> list[str]:
    found = []
    for part in _PARTS.split(verse.strip()):
        said = re.sub(r"[;:,]$", ".", _SHOUTED.sub(lambda word: word[0].title(), part))
        if said[:1].isupper() and said[-1] in ".?!" and not _ODD.search(said):
            found.append(said)
    return found
