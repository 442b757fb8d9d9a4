"""What the tables below a voices folder tell, gathered by recording.

It goes through a temporary SQLite database, so that a table of a million rows takes no more memory than one of a
thousand.
"""

import dataclasses
import json
import logging
import math
import os
import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase, translate
from functools import cache
from pathlib import Path
from typing import Any

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.layout import BadRow, Piece
from stages.corpora.layouts.table import LAYOUTS
from stages.errors import UsageError
from stages.ids import id_of
from stages.records import Recording, to_line

_log = logging.getLogger(__name__)

_RANK = {name: rank for rank, name in enumerate(LAYOUTS)}


Owner = Callable[[str], tuple[str, str]]
"""Gives group and speaker of the files in a folder, given by its id below the voices folder."""


def stem_of(path: str) -> str:
    """Returns a path without the suffix of a recording."""
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else path


class Corpus:
    """The tables of a voices folder; a context manager.

    Args:
        voices: The folder.
        layout: A row of `LAYOUTS`, or `auto` for whichever are there.
    """

    def __init__(self, voices: Path, layout: str) -> None:
        self._voices = voices
        self._layouts = LAYOUTS if layout == "auto" else {layout: LAYOUTS[layout]}
        self._wanted = layout
        self._db = sqlite3.connect("", isolation_level=None)  # a file that vanishes with the connection
        self._complete: dict[str, str] = {}
        """For each complete table, the folder above all that it tells of."""
        self._ends: dict[str, tuple[str, str]] = {}
        """For each table, how the last path began there, and what that is here."""
        self.tables = 0

    def __enter__(self) -> "Corpus":
        """Gives the corpus itself."""
        self._db.execute(f"CREATE TABLE told (place INTEGER PRIMARY KEY, stem, rank, source, {_COLUMNS})")
        self._db.execute("CREATE TABLE met (stem TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE read (path TEXT PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        """Forgets everything."""
        self._db.close()

    def gather(self, folders: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Reads all tables.

        Args:
            folders: Each folder below `voices`, with the names of its files.

        Raises:
            UsageError: if a table can't be read, or if the layout that is wanted isn't there.
        """
        self._db.execute("BEGIN")
        for folder, names in folders:
            is_table = self._tables_of(folder)
            for name in sorted(filter(is_table, names)):
                self._consider(posixpath.join(folder, name))
        self._db.execute("CREATE INDEX by_stem ON told (stem, rank, place)")
        self._db.execute("COMMIT")
        patterns = ", ".join(pattern for layout in self._layouts.values() for pattern in layout.tables)
        if not self.tables and patterns and self._wanted != "auto":
            raise UsageError(
                f"`transcribe.layout` is `{self._wanted}`, but `{self._voices}` holds no table of that kind"
                f" ({patterns}). Give the folder above it, or `--set transcribe.layout=auto`."
            )

    def _tables_of(self, folder: str) -> Callable[[str], object]:
        """Returns what tells whether a file of a folder, by its name, may be a table."""
        patterns = (pattern.rpartition("/") for layout in self._layouts.values() for pattern in layout.tables)
        return _one_of(tuple(name for above, _, name in patterns if not above or _matches(folder, above)))

    def _consider(self, path: str) -> None:
        for name, layout in self._layouts.items():
            if any(_matches(path, pattern) for pattern in layout.tables):
                self._read(path, name)

    def _read(self, path: str, name: str) -> None:
        layout, rows = LAYOUTS[name], 0
        bad: list[BadRow] = []
        for row in layout.read(self._voices / path):
            rows += 1
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            if not _names_file(row.audio):
                bad.append(BadRow(rows, f"must name a file, but names {row.audio[:60]!a}"))
                continue
            audio = self._place(path, row.audio, layout.anywhere)
            if audio is None:
                bad.append(
                    BadRow(rows, f"`{row.audio}` doesn't lie below `{self._voices}`: give the folder above both")
                )
                continue
            self._add(path, name, _checked(dataclasses.replace(row, audio=id_of(audio))), complete=layout.complete)
        if rows:
            self.tables += 1
            for table in (id_of(path), _rows_file(name, id_of(path))):
                self._db.execute("INSERT OR IGNORE INTO read VALUES (?)", [table])
        if bad:
            found = _rows_file(name, id_of(path)), len(bad), rows, bad[0].row, bad[0].message
            _log.warning("`%s`: %d of %d rows can't be used; row %d: %s", *found)

    def _add(self, path: str, name: str, piece: Piece, *, complete: bool) -> None:
        folder = posixpath.dirname(path)

        def below(relative: str) -> str:
            return _normal(posixpath.join(folder, relative))

        piece = dataclasses.replace(
            piece,
            group=None if piece.group is None else posixpath.basename(id_of(below(piece.group))),
            home=id_of(below(piece.home)) if piece.home else "",
            beside=id_of(below(piece.beside)) if piece.beside else "",
        )
        values = [stem_of(piece.audio), _RANK[name], id_of(path), *_to_columns(piece)]
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO told (stem, rank, source, {_COLUMNS}) VALUES ({marks})", values)
        if piece.beside:
            self._db.execute("INSERT OR IGNORE INTO read VALUES (?)", [piece.beside])
        if complete:
            above = posixpath.dirname(piece.audio)
            if piece.beside:  # many tables of a row each: they have the folder of all speakers in common
                key = above = posixpath.dirname(above)
            else:
                key = path
            self._complete[key] = _common(self._complete.get(key, above), above)

    def _place(self, path: str, audio: str, anywhere: bool) -> str | None:
        """Returns where a recording lies below the voices folder; None where it doesn't."""
        folder = posixpath.dirname(path)
        if not anywhere:
            inside = _normal(posixpath.join(folder, audio))
            return None if inside == ".." or inside.startswith(("../", "/")) else inside
        if known := self._ends.get(path):
            before, here = known
            if audio.startswith(before) and self._is_file(found := here + audio[len(before) :]):
                return found
        parts = [part for part in audio.split("/") if part not in {"", "."}]
        shortest = 2 if len(parts) > 1 else 1  # the bare name of a file may be another's
        for first in range(len(parts) - shortest + 1):
            end = "/".join(parts[first:])
            for base in _upwards(folder):
                if self._is_file(found := _normal(posixpath.join(base, end))):
                    self._ends[path] = audio.removesuffix(end), found.removesuffix(end)
                    return found
        inside = os.path.relpath(audio, self._voices.resolve()) if audio.startswith("/") else _normal(audio)
        return None if inside.startswith("..") else inside

    def _is_file(self, path: str) -> bool:
        return not path.startswith("..") and os.path.isfile(self._voices / path)  # noqa: PTH113 a name may be too long

    def recording(self, item_id: str, owner: Owner) -> Recording | None:
        """Returns a recording as tables tell of it, its digests still empty; None where none does."""
        if not self.tables:
            return None
        stem = stem_of(item_id)
        question = f"SELECT rank, source, {_COLUMNS} FROM told WHERE stem = ? ORDER BY rank, place"
        rows = self._db.execute(question, [stem]).fetchall()
        if not rows:
            return None
        self._db.execute("INSERT OR IGNORE INTO met VALUES (?)", [stem])
        best, table = rows[0][:2]
        pieces = [_from_columns(values) for rank, _, *values in rows if rank == best]
        first, several = pieces[0], len({piece.speaker for piece in pieces}) > 1
        group, speaker = owner(first.home or posixpath.dirname(item_id))
        return Recording(
            item_id,
            group if first.group is None else first.group,
            speaker if several or not first.speaker else first.speaker,
            "",
            first.beside or table,
            told="" if first.beside else _told(list(LAYOUTS)[best], table, pieces, several=several),
        )

    def missing(self, owner: Owner) -> Iterator[Recording]:
        """Yields the recordings that tables tell of, but that `recording` wasn't asked for."""
        question = "SELECT audio FROM told WHERE stem NOT IN (SELECT stem FROM met) GROUP BY stem ORDER BY min(place)"
        for (item_id,) in self._db.execute(question).fetchall() if self.tables else ():
            if found := self.recording(item_id, owner):
                yield found

    def left_out(self, path: str) -> bool:
        """Tells whether a recording lies among those of a complete table, given that no table names it."""
        return any(folder in {"", path[: len(folder)]} for folder in map(_with_slash, self._complete.values()))

    def knows(self, path: str) -> bool:
        """Tells whether a file, by its id, is a table or a transcript that one led to."""
        found = self._db.execute("SELECT 1 FROM read WHERE path = ?", [path]).fetchone() if self.tables else None
        return found is not None


def _names_file(name: str) -> bool:
    return "\0" not in name and _HALF.search(name) is None


_HALF = re.compile(r"[\ud800-\udfff]")
"""Half of a character, which JSON can write and UTF-8 can't."""


def _checked(piece: Piece) -> Piece:
    """Returns a piece that can be written down; one that can't comes back as a problem of its recording."""
    texts = piece.text, piece.speaker, piece.language, piece.problem, *(word for word, _, _ in piece.words)
    times = piece.start_s, piece.end_s, *(time for _, *both in piece.words for time in both)
    if any(map(_HALF.search, texts)) or not all(time is None or math.isfinite(time) for time in times):
        problem = "a row of it must hold whole characters and finite times, but doesn't. Mend it."
        return Piece(piece.audio, group=piece.group, home=piece.home, problem=problem)
    return piece


_FIELDS = tuple(field.name for field in dataclasses.fields(Piece))
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
"""A piece lies in the database as it is: a column a field."""


def _to_columns(piece: Piece) -> list[Any]:
    return [json.dumps(value) if isinstance(value := getattr(piece, name), tuple) else value for name in _FIELDS]


def _from_columns(values: Sequence[Any]) -> Piece:
    fields = dict(zip(_FIELDS, values, strict=True))
    return Piece(**{**fields, "words": tuple((word, *times) for word, *times in json.loads(fields["words"]))})


def _with_slash(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _common(one: str, other: str) -> str:
    return posixpath.commonpath([f"/{one}", f"/{other}"])[1:]


def _normal(path: str) -> str:
    """Returns a path without `.` and `..`; "" for the voices folder itself."""
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def _upwards(folder: str) -> Iterator[str]:
    """Yields the voices folder, then the table's folder and those above it."""
    yield ""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


@cache
def _one_of(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Returns what tells whether a name matches one of the patterns: a million names are asked for."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)").match


def _matches(path: str, pattern: str) -> bool:
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) >= len(wanted) and all(map(fnmatchcase, names[-len(wanted) :], wanted))


def _rows_file(layout: str, table: str) -> str:
    """Returns where the rows lie that tell what a table's recordings hold."""
    folder, name = posixpath.split(table)
    return posixpath.join(folder, LAYOUTS[layout].rows_in(name))


def _told(layout: str, table: str, pieces: Sequence[Piece], *, several: bool) -> str:
    """Returns all that a table tells of a recording as `Recording.told` holds it; `several` speak in it."""
    problem = next((piece.problem for piece in pieces if piece.problem), "")
    languages, texts = {piece.language for piece in pieces}, {piece.text for piece in pieces}
    language = languages.pop() if len(languages) == 1 else ""
    content: dict[str, Any] = {"language": language} if language else {}
    if not problem and pieces[0].start_s is not None:
        content["segments"] = [_segment(piece, several=several, language=not language) for piece in pieces]
    else:
        content["text"] = pieces[0].text
        if not problem and len(texts) > 1:
            problem = f"must tell one text of it, but tells {len(texts)}. Keep one."
    return to_line({"layout": layout, "table": _rows_file(layout, table), "content": content, "problem": problem})


def _segment(piece: Piece, *, several: bool, language: bool) -> dict[str, Any]:
    segment: dict[str, Any] = {"start": piece.start_s, "end": piece.end_s, "text": piece.text}
    if several and piece.speaker:
        segment["speaker"] = piece.speaker
    if language and piece.language:
        segment["language"] = piece.language
    if piece.words:
        segment["words"] = [{"word": word, "start": start, "end": end} for word, start, end in piece.words]
    return segment
