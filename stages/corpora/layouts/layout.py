"""What a corpus layout is, and functions that its readers share."""

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.audio.files import SUFFIXES
from stages.errors import UsageError
from stages.tar import members
from stages.transcripts.script import decode


@dataclass(frozen=True, slots=True)
class Piece:
    """A row: a recording, or a stretch of one. Paths are relative to the table's folder."""

    audio: str
    """Path of the recording, with its suffix."""
    text: str = ""
    start_s: float | None = None
    """Seconds into the recording; None if the piece is the whole recording."""
    end_s: float | None = None
    speaker: str = ""
    """Empty if the depth of the folders decides."""
    group: str | None = None
    """Path of a folder, relative to the table's; its name becomes the group: `.` the table's own, `../..` two above;
    no group if it is the voices folder or above it. None: from the recording's place in the tree."""
    home: str | None = None
    """Take group and speaker from this folder's place in the tree instead of the recording's. Relative to the table's:
    `.` is its own. None: from the recording's."""
    language: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    """Text, start and end of each word, in seconds."""
    beside: str = ""
    """Path of a transcript file of this recording, instead of `text`."""
    problem: str = ""
    """Why the recording can't be used; empty if it can. Part of the recording's fingerprint, so keep its wording."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that doesn't name a usable recording. It is logged; it rejects nothing."""

    row: int
    """Row number, from 1."""
    message: str


Rows = Iterator[Piece | BadRow]


@dataclass(frozen=True, slots=True)
class Layout:
    """How to recognise a corpus and read it: a row of the table of layouts."""

    name: str
    tables: tuple[str, ...]
    """Patterns of its table files, matched from the right of the path; `*` doesn't match `/`."""
    read: Callable[[Path], Rows]
    """Yields a table's rows; none if the file is another kind of file of that name.

    Raises `UsageError` if the file can't be read.
    """
    complete: bool = False
    """True: recordings in the deepest folder common to the table's recordings that no row names are left out and
    counted."""
    anywhere: bool = False
    """Whether the table's paths may begin at an unknown folder. Files are then found by the ends of the paths."""
    rows_file: Callable[[str], str] = str
    """Takes the table's file name; returns the name of the file beside it that holds the rows."""
    named: Callable[[Path, Mapping[str, str]], Rows] | None = None
    """Instead of `read`, if `transcribe.columns` is set: takes that too. Yields nothing if the table has no such
    columns; no other layout reads a table of which it yields rows."""
    speakers: str = ""
    """Where speakers and groups come from, and what else it reads: shown in the documentation."""
    rank: int = 50
    """If tables of several layouts name the same recording, the layout with the lowest rank is used. A table is read by
    the first layout that finds rows in it."""


def read_text(table: Path) -> str:
    """Returns the text of a table, plain or gzipped, also inside a tar file.

    Raises:
        UsageError: if the file can't be read or decoded.
    """
    with _repairable(table):
        content = members.read_bytes(table)
        content = gzip.decompress(content) if table.suffix == ".gz" else content
    try:
        return decode(content)
    except UnicodeDecodeError as error:
        raise _undecodable(table, error) from error


def lines_of(table: Path) -> Iterator[tuple[int, str]]:
    """Yields the non-blank lines of a table, plain or gzipped, with their numbers from 1, as it reads them.

    Raises:
        UsageError: as `read_text`.
    """
    if _is_wide(table):
        lines = enumerate(read_text(table).split("\n"), 1)
        yield from ((number, line.rstrip("\r")) for number, line in lines if line.strip())
        return
    before = 0
    with _repairable(table), members.open_file(table) as file:
        for number, raw in enumerate(gzip.GzipFile(fileobj=file) if table.suffix == ".gz" else file, 1):
            try:
                line = raw.decode("utf-8" if before else "utf-8-sig").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise _undecodable(table, error, before) from error
            before += len(raw)
            if line.strip():
                yield number, line


def _is_wide(table: Path) -> bool:
    with _repairable(table), members.open_file(table) as file:
        return file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}


@contextmanager
def _repairable(table: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"`{table}` can't be read: {error}. Repair it, or move it away.") from error


def _undecodable(table: Path, error: UnicodeDecodeError, before: int = 0) -> UsageError:
    byte = error.object[error.start]
    return UsageError(f"`{table}` must be UTF-8, but its byte {before + error.start} is {byte:#04x}. Save it as UTF-8.")


def first_lines(table: Path) -> list[str]:
    """Returns the first non-blank lines of a file, whatever it is, to tell by them what kind of table it is.

    Bytes that can't be decoded are replaced. A file that can't be read has no lines.
    """
    try:
        with members.open_file(table) as file:
            head = (gzip.GzipFile(fileobj=file) if table.suffix == ".gz" else file).read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return []
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    lines = head.decode("utf-16" if wide else "utf-8-sig", "replace").split("\n")
    return [line.rstrip("\r") for line in lines if line.strip()]


def is_like(table: Path, row: re.Pattern[str]) -> bool:
    """Returns whether one of the first lines of a file begins with a row of this form."""
    return any(row.match(line.strip()) for line in first_lines(table)[:_FIRST_LINES])


_HEAD = 1 << 16
"""Bytes of a file by which it is told what it is."""
_FIRST_LINES = 20


def with_suffix(name: str, suffix: str) -> str:
    """Returns a recording's name; adds the suffix if it has no audio suffix."""
    return name if Path(name).suffix.lower() in SUFFIXES else f"{name}{suffix}"
