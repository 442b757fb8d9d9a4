"""Gathers what the tables below a voices folder say about each recording.

The rows go through a temporary SQLite database, so memory doesn't grow with the tables.
"""

import dataclasses
import json
import logging
import math
import os
import posixpath
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from functools import cache
from pathlib import Path
from typing import Any

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.layout import BadRow, Piece, Rows
from stages.corpora.layouts.table import LAYOUTS
from stages.errors import UsageError, ValleError
from stages.ids import id_of
from stages.records import Recording, to_line
from stages.tar import members
from stages.transcripts.table import READERS

_log = logging.getLogger(__name__)

_RANK = {name: rank for rank, name in enumerate(LAYOUTS)}


Owner = Callable[[str], tuple[str, str]]
"""Takes a folder's id below the voices folder; returns the group and the speaker of its files."""


def stem_of(path: str) -> str:
    """Returns a path without its suffix, if that is an audio suffix."""
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else path


class Corpus:
    """Reads the tables of a voices folder; a context manager.

    Args:
        voices: The voices folder.
        layout: A name in `LAYOUTS`; `auto` reads the tables of every layout.
        columns: `transcribe.columns`.
    """

    def __init__(self, voices: Path, layout: str, columns: Mapping[str, str] | None = None) -> None:
        self._voices = voices
        self._columns = columns or {}
        self._with_columns = 0
        """Tables read by `columns`."""
        self._layouts = LAYOUTS if layout == "auto" else {layout: LAYOUTS[layout]}
        self._wanted = layout
        self._db = sqlite3.connect("", isolation_level=None)  # a temporary file, deleted on close
        self._complete: dict[str, str] = {}
        """By complete table: the deepest folder that contains all its recordings."""
        self._prefixes: dict[str, tuple[str, str]] = {}
        """By table: the prefix of the last path found, as the table writes it and as it is here."""
        self.tables = 0

    def __enter__(self) -> "Corpus":
        """Creates the temporary database."""
        self._db.execute(f"CREATE TABLE pieces (place INTEGER PRIMARY KEY, stem, rank, source, {_COLUMNS})")
        self._db.execute("CREATE TABLE looked_up (stem TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE used_files (path TEXT PRIMARY KEY) WITHOUT ROWID")
        return self

    def __exit__(self, *_: object) -> None:
        """Closes and deletes the database."""
        self._db.close()

    def gather(self, folders: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Reads all tables.

        Args:
            folders: Every folder below `voices`, with the names of its files.

        Raises:
            UsageError: if a table can't be read, if its columns can't be told, or if no table here is of the named
                layout or has the named columns.
        """
        self._db.execute("BEGIN")
        for folder, names in folders:
            is_table = self._tables_of(folder)
            stems = {one for name in names if (stem := stem_of(name)) != name for one in (name, stem)}
            for name in sorted(filter(is_table, names)):
                stem, _, suffix = name.rpartition(".")
                if f".{suffix.lower()}" not in READERS or stem not in stems:  # else it is a transcript
                    self._consider(posixpath.join(folder, name))
        self._db.execute("CREATE INDEX by_stem ON pieces (stem, rank, place)")
        self._db.execute("COMMIT")
        patterns = ", ".join(pattern for layout in self._layouts.values() for pattern in layout.tables)
        if not self.tables and patterns and self._wanted != "auto":
            raise UsageError(
                f"`transcribe.layout` is `{self._wanted}`, but `{self._voices}` holds no table of that kind"
                f" ({patterns}). Give the folder above it, or `--set transcribe.layout=auto`."
            )

        if self._columns and not self._with_columns:
            wanted = ", ".join(f"`{column}`" for column in self._columns)
            raise UsageError(
                f"`transcribe.columns` must name columns of a table in `{self._voices}`, but none there has {wanted}."
                " Correct the names, or count the columns from 1."
            )

    def _tables_of(self, folder: str) -> Callable[[str], object]:
        """Returns a predicate on file names: whether a file in this folder may be a table."""
        patterns = (pattern.rpartition("/") for layout in self._layouts.values() for pattern in layout.tables)
        return _matcher(tuple(name for above, _, name in patterns if not above or _matches(folder, above)))

    def _consider(self, path: str) -> None:
        fitting = [n for n, layout in self._layouts.items() if any(_matches(path, p) for p in layout.tables)]
        for name in fitting:
            given = LAYOUTS[name].named is not None
            if (self._columns or not given) and self._read(path, name):
                self._with_columns += given
                return  # a corpus's own table isn't also one of the general ones

    def _rows(self, path: str, name: str) -> Rows:
        """Yields a table's rows; raises `ValleError` if the layout's reader fails on it."""
        named, table = LAYOUTS[name].named, (self._voices / path).absolute()  # layouts read names of folders above
        try:
            yield from named(table, self._columns) if named else LAYOUTS[name].read(table)
        except OSError as error:
            raise UsageError(f"`{path}` can't be read: {error}. Repair it, or move it away.") from error
        except (LookupError, ValueError) as error:
            raise ValleError(
                f"layout `{name}` failed on `{path}`: {type(error).__name__}: {error}. Mend the table, or the layout."
            ) from error

    def _read(self, path: str, name: str) -> int:
        """Reads a table of a layout; returns the number of its rows, 0 if it is another kind of table."""
        layout, rows = LAYOUTS[name], 0
        bad: list[BadRow] = []
        for row in self._rows(path, name):
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
                    BadRow(rows, f"`{row.audio}` isn't inside `{self._voices}`: give a folder that contains both")
                )
                continue
            self._add(path, name, _checked(dataclasses.replace(row, audio=id_of(audio))), complete=layout.complete)
        if rows:
            self.tables += 1
            for table in (id_of(path), _rows_file(name, id_of(path))):
                self._db.execute("INSERT OR IGNORE INTO used_files VALUES (?)", [table])
        if bad:
            table, first = _rows_file(name, id_of(path)), bad[0]
            _log.warning(
                "`%s`: %d of %d rows can't be used; row %d: %s", table, len(bad), rows, first.row, first.message
            )
        return rows

    def _add(self, path: str, name: str, piece: Piece, *, complete: bool) -> None:
        folder = posixpath.dirname(path)

        def below(relative: str) -> str:
            path = _normal(posixpath.join(folder, relative))
            return "" if path == ".." or path.startswith("../") else path

        piece = dataclasses.replace(
            piece,
            group=None if piece.group is None else posixpath.basename(id_of(below(piece.group))),
            home=None if piece.home is None else id_of(below(piece.home)),
            beside=id_of(below(piece.beside)) if piece.beside else "",
        )
        values = [stem_of(piece.audio), _RANK[name], id_of(path), *_to_columns(piece)]
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO pieces (stem, rank, source, {_COLUMNS}) VALUES ({marks})", values)
        if piece.beside:
            self._db.execute("INSERT OR IGNORE INTO used_files VALUES (?)", [piece.beside])
        if complete:
            above = posixpath.dirname(piece.audio)
            if piece.beside:  # each table has one row: they share the folder above the speakers
                key = above = posixpath.dirname(above)
            else:
                key = path
            self._complete[key] = _common(self._complete.get(key, above), above)

    def _place(self, path: str, audio: str, anywhere: bool) -> str | None:
        """Returns the path of a recording below the voices folder; None if it is outside."""
        folder = posixpath.dirname(path)
        if not anywhere:
            inside = _normal(posixpath.join(folder, audio))
            return None if inside == ".." or inside.startswith(("../", "/")) else inside
        if known := self._prefixes.get(path):
            before, here = known
            if audio.startswith(before) and self._is_file(found := here + audio[len(before) :]):
                return found
        parts = [part for part in audio.split("/") if part not in {"", "."}]
        shortest = 2 if len(parts) > 1 else 1  # a bare file name could match another recording
        for first in range(len(parts) - shortest + 1):
            end = "/".join(parts[first:])
            for base in _upwards(folder):
                if self._is_file(found := _normal(posixpath.join(base, end))):
                    self._prefixes[path] = audio.removesuffix(end), found.removesuffix(end)
                    return found
        inside = os.path.relpath(audio, self._voices.resolve()) if audio.startswith("/") else _normal(audio)
        return None if inside.startswith("..") else inside

    def _is_file(self, path: str) -> bool:
        return not path.startswith("..") and members.is_file(self._voices / path)

    def recording(self, item_id: str, owner: Owner) -> Recording | None:
        """Returns a recording as the tables describe it, with empty digests; None if no table names it."""
        if not self.tables:
            return None
        stem = stem_of(item_id)
        question = f"SELECT rank, source, {_COLUMNS} FROM pieces WHERE stem = ? ORDER BY rank, place"
        rows = self._db.execute(question, [stem]).fetchall()
        if not rows:
            return None
        self._db.execute("INSERT OR IGNORE INTO looked_up VALUES (?)", [stem])
        best, table = rows[0][:2]
        pieces = [_from_columns(values) for rank, _, *values in rows if rank == best]
        first, several = pieces[0], len({piece.speaker for piece in pieces}) > 1
        group, speaker = owner(posixpath.dirname(item_id) if first.home is None else first.home)
        return Recording(
            item_id,
            group if first.group is None else first.group,
            speaker if several or not first.speaker else first.speaker,
            "",
            first.beside or table,
            told="" if first.beside else _row_json(list(LAYOUTS)[best], table, pieces, several=several),
        )

    def missing(self, owner: Owner) -> Iterator[Recording]:
        """Yields the recordings that tables name but `recording` was never asked for."""
        question = (
            "SELECT audio FROM pieces WHERE stem NOT IN (SELECT stem FROM looked_up) GROUP BY stem ORDER BY min(place)"
        )
        for (item_id,) in self._db.execute(question).fetchall() if self.tables else ():
            if found := self.recording(item_id, owner):
                yield found

    def left_out(self, path: str) -> bool:
        """Returns whether a recording that no table names is in the folder of a complete table."""
        return any(folder in {"", path[: len(folder)]} for folder in map(_with_slash, self._complete.values()))

    def knows(self, path: str) -> bool:
        """Returns whether a file, by its id, is a table or a transcript that a table uses."""
        found = self._db.execute("SELECT 1 FROM used_files WHERE path = ?", [path]).fetchone() if self.tables else None
        return found is not None


def _names_file(name: str) -> bool:
    return "\0" not in name and _HALF.search(name) is None


_HALF = re.compile(r"[\ud800-\udfff]")
"""A lone surrogate: JSON can hold one, UTF-8 can't."""


def _checked(piece: Piece) -> Piece:
    """Returns the piece; one that can't be written as UTF-8 JSON is replaced by its problem."""
    texts = piece.text, piece.speaker, piece.language, piece.problem, *(word for word, _, _ in piece.words)
    times = piece.start_s, piece.end_s, *(time for _, *both in piece.words for time in both)
    if any(map(_HALF.search, texts)) or not all(time is None or math.isfinite(time) for time in times):
        problem = "a row of it must hold whole characters and finite times, but doesn't. Mend it."
        return Piece(piece.audio, group=piece.group, home=piece.home, problem=problem)
    return piece


_FIELDS = tuple(field.name for field in dataclasses.fields(Piece))
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
"""The columns of a piece in the database, one per field."""


def _to_columns(piece: Piece) -> list[Any]:
    return [json.dumps(value) if isinstance(value := getattr(piece, name), tuple) else value for name in _FIELDS]


def _from_columns(values: Sequence[Any]) -> Piece:
    fields = dict(zip(_FIELDS, values, strict=True))
    return Piece(**{**fields, "words": tuple((word, *times) for word, *times in json.loads(fields["words"]))})


def _with_slash(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _common(first: str, second: str) -> str:
    return posixpath.commonpath([f"/{first}", f"/{second}"])[1:]


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
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Returns a predicate for these patterns, cached because it is called once per file name."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)").match


def _matches(path: str, pattern: str) -> bool:
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) >= len(wanted) and all(map(fnmatchcase, names[-len(wanted) :], wanted))


def _rows_file(layout: str, table: str) -> str:
    """Returns the file that holds a table's rows, often the table itself."""
    folder, name = posixpath.split(table)
    return posixpath.join(folder, LAYOUTS[layout].rows_file(name))


def _row_json(layout: str, table: str, pieces: Sequence[Piece], *, several: bool) -> str:
    """Returns what a table says about a recording, as the JSON of `Recording.told`.

    It is part of the recording's fingerprint, problems included: changing its form would transcribe everything again.
    `several` is whether more than one speaker is named.
    """
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
