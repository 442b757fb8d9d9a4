"""Checksums of files, remembered: a file whose inode, size and times are unchanged isn't read again.

The path isn't part of the key, so that a folder may be renamed. The cache is for speed alone: deleting it costs one
read of everything.
"""

import os
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.manifest import file_digest

_Stamp = tuple[int, int, int, int]


class DigestCache:
    """SHA-256 of files, kept in a small SQLite file between runs; a context manager.

    Args:
        path: The SQLite file; made, once its folder is there, if it isn't.
        read_only: Whether nothing may be written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._known = {
            (inode, size, mtime, ctime): digest for inode, size, mtime, ctime, digest in _load(path, read_only)
        }
        self._new: dict[_Stamp, str] = {}

    def __enter__(self) -> Self:
        """Gives the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes down what was learnt."""
        self.save()

    def digest(self, path: Path | str) -> str:
        """Returns a file's SHA-256, or "" where it can't be read."""
        try:
            stat = os.stat(path)  # noqa: PTH116 (a Path for each of a million files is what would cost here)
            stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            if stamp not in self._known:
                self._known[stamp] = self._new[stamp] = file_digest(Path(path))
            return self._known[stamp]
        except OSError:
            return ""

    def digests(self, paths: Iterable[str], threads: int) -> list[str]:
        """Returns the digests of many files, read in parallel (hashing lets go of the interpreter lock)."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.digest, paths))

    def save(self) -> None:
        """Writes down what was learnt since the last time; another run that holds the cache may keep it from that."""
        if not self._new or self._read_only or not self._path.parent.is_dir():
            return
        rows = [(*stamp, digest) for stamp, digest in self._new.items()]
        try:
            with closing(sqlite3.connect(self._path)) as database, database:
                database.execute(_TABLE)
                database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError:
            return
        self._new = {}


_TABLE = """CREATE TABLE IF NOT EXISTS digests
    (inode INT, size INT, mtime INT, ctime INT, digest TEXT, PRIMARY KEY (inode, size, mtime, ctime))"""


def _load(path: Path, read_only: bool) -> list[tuple[int, int, int, int, str]]:
    """Reads the cache; nothing where it is missing or in use, and a damaged one is removed."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT inode, size, mtime, ctime, digest FROM digests").fetchall()
    except sqlite3.OperationalError:
        return []
    except sqlite3.DatabaseError:
        if not read_only:
            path.unlink()
        return []
