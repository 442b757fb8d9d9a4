"""What a corpus layout is, and what its readers share."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.audio.files import SUFFIXES
from stages.errors import UsageError
from stages.transcripts.script import decode


@dataclass(frozen=True, slots=True)
class Piece:
    """What a table tells of a recording, or of a stretch of one. Paths are relative to the table's folder."""

    audio: str
    """The recording, with its suffix."""
    text: str = ""
    start_s: float | None = None
    """Seconds into the recording; None where the piece is the whole of it."""
    end_s: float | None = None
    speaker: str = ""
    """Empty where the folder tells, by its depth."""
    group: str | None = None
    """The folder that the group is named for; None where the folder's depth tells."""
    home: str = ""
    """The folder whose depth tells, if it isn't the recording's own."""
    language: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    """Text, start and end in seconds."""
    beside: str = ""
    """A file with this recording's transcript alone, in place of `text`."""
    problem: str = ""
    """Why the recording can't be used; empty where it can."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that doesn't even tell which recording it is of."""

    row: int
    """From 1, as lines are counted."""
    message: str


Rows = Iterator[Piece | BadRow]


@dataclass(frozen=True, slots=True)
class Layout:
    """How to know a corpus, and how to read it: a row of the table of layouts."""

    name: str
    tables: tuple[str, ...]
    """Patterns of the files that give it away, matched from the right: `*` within a name, `/` between names."""
    read: Callable[[Path], Rows]
    """Gives a table's rows; none where the file is of that name only. Raises `UsageError` where it can't be read."""
    complete: bool = False
    """Whether recordings among those of the table that it doesn't name are left out."""
    anywhere: bool = False
    """Whether the table's paths may start from a folder that isn't known: they are found by their ends."""
    rows_in: Callable[[str], str] = str
    """Which file, beside a table of that name, holds the rows that are told, if it isn't the table itself."""
    rank: int = 50
    """Where tables of several layouts name one recording, the one of the lowest rank is believed."""


def lines_of(table: Path) -> Iterator[tuple[int, str]]:
    """Yields the lines that aren't blank, with their numbers from 1."""
    try:
        content = table.read_bytes()
        text = decode(gzip.decompress(content) if table.suffix == ".gz" else content)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UsageError(
            f"`{table}` must be UTF-8, but its byte {error.start} is {byte:#04x}. Save it as UTF-8."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"`{table}` can't be read: {error}. Mend it, or move it away.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def with_suffix(name: str, suffix: str) -> str:
    return name if Path(name).suffix.lower() in SUFFIXES else f"{name}{suffix}"
