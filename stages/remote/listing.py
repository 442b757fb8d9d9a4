"""What was in a store when it was listed: a SQLite file in the dataset, which workers read instead of asking again.

A recording is read only if it is the one that was listed, so that every stage of a run sees the same recordings.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from stages.remote.stores import Object

_NO_JOURNAL = "PRAGMA journal_mode = OFF"
"""A new list is thrown away if it isn't finished; a journal left by a kill would spoil the next."""
LISTING = ".objects.sqlite"
"""The file's name in a dataset's folder."""
_TABLES = f"""
{_NO_JOURNAL};
CREATE TABLE about (root TEXT, unusable INT, example TEXT);
CREATE TABLE objects (parent TEXT, name TEXT, size INT, tag TEXT, modified INT, PRIMARY KEY (parent, name))
    WITHOUT ROWID;
CREATE TABLE folders (parent TEXT, name TEXT, PRIMARY KEY (parent, name)) WITHOUT ROWID;
CREATE TABLE tars (parent TEXT, name TEXT, size INT, tag TEXT, contents BLOB, PRIMARY KEY (parent, name)) WITHOUT ROWID;
"""
_BOTH = """SELECT count(*), min(parent || '/' || name) FROM folders WHERE EXISTS
    (SELECT 1 FROM objects WHERE objects.parent = folders.parent AND objects.name = folders.name)"""


class Listing:
    """A listing, open for reading.

    Args:
        path: Its file.
        writable: Whether tables of contents of tar files are added.

    Raises:
        sqlite3.DatabaseError: if it is damaged.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        if not path.is_file():
            raise sqlite3.OperationalError(f"{path} isn't there")
        mode = "mode=rw" if writable else "mode=ro&immutable=1"  # no locks: on a network disk they may not work
        self._file = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        self._writable = writable
        with self._lock:
            if writable:
                self._file.execute(_NO_JOURNAL)
            found = self._file.execute("SELECT root, unusable, example FROM about").fetchone()
        self.root, self.unusable, self.example = found
        """The key of the folder that was listed; the number of keys that aren't paths of files, and one of them."""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def find(self, key: str) -> Object | None:
        """Returns an object by its key."""
        row = self._one("SELECT size, tag, modified FROM objects WHERE parent = ? AND name = ?", key)
        return None if row is None else Object(key, *row)

    def is_folder(self, key: str) -> bool:
        """Returns whether there is something below a key."""
        return key == self.root or self._one("SELECT 1 FROM folders WHERE parent = ? AND name = ?", key) is not None

    def names(self, folder: str) -> list[tuple[str, bool]]:
        """Returns the names of what lies directly in a folder, and whether each is a folder."""
        with self._lock:
            files = self._file.execute("SELECT name, 0 FROM objects WHERE parent = ?", [folder]).fetchall()
            folders = self._file.execute("SELECT name, 1 FROM folders WHERE parent = ?", [folder]).fetchall()
        return [(name, bool(folder)) for name, folder in files + folders]

    def contents(self, tar: Object) -> bytes | None:
        """Returns what was noted of a tar file's contents; None if nothing was, or of another content."""
        row = self._one("SELECT contents, size, tag FROM tars WHERE parent = ? AND name = ?", tar.key)
        known = row is not None and tar.tag and row[1:] == (tar.size, tar.tag)
        return bytes(row[0]) if row is not None and known else None

    def note_contents(self, tar: Object, contents: bytes) -> None:
        """Notes a tar file's contents, where the listing is being made."""
        if self._writable and tar.tag:
            with self._lock, self._file:
                row = [*_parts(tar.key), tar.size, tar.tag, contents]
                self._file.execute("INSERT OR REPLACE INTO tars VALUES (?, ?, ?, ?, ?)", row)

    def take_contents(self, earlier: Path) -> None:
        """Takes over the contents of the tar files that an earlier listing knows and that haven't changed."""
        with self._lock, self._file:
            self._file.execute("ATTACH ? AS earlier", [f"{earlier.resolve().as_uri()}?mode=ro"])
        with self._lock, self._file:
            self._file.execute(
                "INSERT INTO tars SELECT old.* FROM earlier.tars AS old JOIN objects USING (parent, name)"
                " WHERE old.size = objects.size AND old.tag = objects.tag"
            )
        with self._lock:
            self._file.execute("DETACH earlier")

    def _one(self, question: str, key: str) -> tuple[Any, ...] | None:
        with self._lock:
            found: tuple[Any, ...] | None = self._file.execute(question, _parts(key)).fetchone()
        return found


def write_listing(path: Path, root: str, pages: Iterable[list[Object]]) -> None:
    """Writes a listing to a new file.

    Args:
        path: The file.
        root: The key of the folder that is listed.
        pages: What is below it. Keys that end in `/` stand for empty folders and are left out.
    """
    path.unlink(missing_ok=True)
    unusable, example = 0, ""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(_TABLES)
        for page in pages:
            wrong = [one.key for one in page if not _is_path(one.key[len(root) + 1 :]) and not _marks_folder(one)]
            unusable, example = unusable + len(wrong), example or "".join(wrong[:1])
            good = [one for one in page if _is_path(one.key[len(root) + 1 :])]
            rows = [(*_parts(one.key), one.size, one.tag, one.modified_ns) for one in good]
            with file:
                file.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", rows)
                above = {pair for parent in {row[0] for row in rows} for pair in _above(parent, root)}
                file.executemany("INSERT OR IGNORE INTO folders VALUES (?, ?)", sorted(above))
        both, one = file.execute(_BOTH).fetchone()
        with file:
            for parent, name in file.execute(_BOTH.replace("count(*), min(parent || '/' || name)", "parent, name")):
                _drop(file, f"{parent}/{name}")
            file.execute("INSERT INTO about VALUES (?, ?, ?)", [root, unusable + both, example or one or ""])


def seal(path: Path) -> None:
    """Makes sure that a list is on the disk, before it takes the place of another."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _drop(file: sqlite3.Connection, folder: str) -> None:
    """Removes a folder that has the name of a file, with all that is in it."""
    for table in ("objects", "folders"):
        below = f"{folder}/"
        where = "WHERE parent = ? OR substr(parent, 1, ?) = ?"
        file.execute(f"DELETE FROM {table} {where}", [folder, len(below), below])
    file.execute("DELETE FROM folders WHERE parent = ? AND name = ?", _parts(folder))


def _parts(key: str) -> tuple[str, str]:
    parent, _, name = key.rpartition("/")
    return parent, name


def _above(parent: str, root: str) -> Iterator[tuple[str, str]]:
    while len(parent) > len(root):
        yield _parts(parent)
        parent = _parts(parent)[0]


def _is_path(key: str) -> bool:
    """Returns whether a key below the folder is the path of a file, as it could be on a disk."""
    return "\0" not in key and not {"", ".", ".."} & {*key.split("/")}


def _marks_folder(found: Object) -> bool:
    return found.key.endswith("/") and not found.size
