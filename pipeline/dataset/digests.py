"""Checksums of files, remembered: a file whose inode, size and times are unchanged isn't read again.

The path isn't part of the key, so that a folder may be renamed. The cache is for speed alone: deleting it costs one
read of everything, and what it says is believed only where it agrees with a receipt.
"""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.artefacts.manifest import Receipt, file_digest

Stamp = tuple[int, int, int, int]
"""Inode, size, time of change and of change of status in ns."""


def stamp_of(path: Path | str) -> Stamp | None:
    """Returns what tells that a file hasn't changed; None where it isn't there."""
    try:
        stat = os.stat(path)  # noqa: PTH116 (a Path for each of a million files is what would cost here)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class DigestCache:
    """SHA-256 of files, kept in a small SQLite file between runs; a context manager.

    Args:
        path: The SQLite file; made, once its folder is there, if it isn't.
        read_only: Whether nothing may be written.
        trust: Whether what the file holds is believed; False reads every file again.
    """

    def __init__(self, path: Path, *, read_only: bool = False, trust: bool = True) -> None:
        self._path = path
        self._read_only = read_only
        self._trust = trust
        self._file: sqlite3.Connection | None = None
        self._damaged = False
        self._new: dict[Stamp, str] = {}
        """What was read or written in this run and isn't in the file yet."""

    def __enter__(self) -> Self:
        """Gives the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes down what was learnt."""
        self.save()
        if self._file:
            self._file.close()
            self._file = None

    def digest(self, path: Path | str) -> str:
        """Returns a file's SHA-256, or "" where it can't be read."""
        return self.digests([(str(path), stamp_of(path))], threads=1)[0]

    def holds(self, path: Path, sha256: str) -> bool:
        """Tells whether a file has a checksum; it is read again before the answer is no."""
        return self.hold({str(path): sha256})

    def hold(self, expected: Mapping[str, str]) -> bool:
        """Tells whether all of these files have their checksums; one is read again before the answer is no."""
        files = [(path, stamp_of(path)) for path in expected]
        for file, found in zip(files, self.digests(files, threads=1), strict=True):
            path, stamp = file
            if found != expected[path] and (stamp in self._new or self._read(path, stamp) != expected[path]):
                return False
        return True

    def learn(self, known: Mapping[str, str]) -> None:
        """Notes the checksums of files that have just been written."""
        for path, digest in known.items():
            if stamp := stamp_of(path):
                self._new[stamp] = digest

    def digests(self, files: Sequence[tuple[str, Stamp | None]], *, threads: int) -> list[str]:
        """Returns the digests of many files; those that aren't known are read, in parallel.

        Args:
            files: Path and stamp of each; a stamp of None gives "".
            threads: Files read at a time (hashing lets go of the interpreter lock).
        """
        found = self._known([stamp for _, stamp in files if stamp])
        digests = [found.get(stamp, "") if stamp else "" for _, stamp in files]
        missing = [n for n, (_, stamp) in enumerate(files) if stamp and not digests[n]]
        if len(missing) == 1 or threads == 1:
            read = [self._read(*files[n]) for n in missing]
        elif missing:
            with ThreadPoolExecutor(threads) as pool:
                read = list(pool.map(lambda n: self._read(*files[n]), missing))
        else:
            read = []
        for n, digest in zip(missing, read, strict=True):
            digests[n] = digest
        if len(self._new) > _HELD:
            self.save()
        return digests

    def _read(self, path: str, stamp: Stamp | None) -> str:
        if stamp is None:
            return ""
        try:
            digest = file_digest(path)
        except OSError:
            return ""
        self._new[stamp] = digest
        return digest

    def _known(self, stamps: Sequence[Stamp]) -> dict[Stamp, str]:
        """Looks stamps up: those learnt in this run, and those of the file."""
        known: dict[Stamp, str] = {}
        if self._trust and stamps:
            inodes = json.dumps([stamp[0] for stamp in stamps])
            try:
                rows = self.database().execute(_KNOWN, [inodes])
                known = {(inode, size, mtime, ctime): digest for inode, size, mtime, ctime, digest in rows}
            except sqlite3.DatabaseError:
                self.forget()
        # What was just read is right where the file is wrong.
        return known | {stamp: self._new[stamp] for stamp in stamps if stamp in self._new}

    def database(self) -> sqlite3.Connection:
        """Returns the connection to the file, with its table `digests (inode, size, mtime, ctime, digest)`.

        It may be given temporary tables to compare with. Where nothing may be written, changes aren't kept.

        Raises:
            sqlite3.DatabaseError: if the file is damaged: then `forget` it.
        """
        if self._file is None:
            self._file = sqlite3.connect(self._where(), uri=True)
            for kept in ("main", "temp"):
                self._file.execute(f"PRAGMA {kept}.cache_size = -{_PAGES_KIB}")
            self._file.execute(_TABLE)
        return self._file

    def note(self, name: str) -> str:
        """Returns what was noted under a name; "" for nothing."""
        if not self._trust:
            return ""
        try:
            found = self.database().execute("SELECT value FROM notes WHERE name = ?", [name]).fetchone()
        except sqlite3.OperationalError:  # a file from before there were notes
            return ""
        return str(found[0]) if found else ""

    def take_note(self, name: str, value: str) -> None:
        """Notes a value under a name; a full disk may keep it from that."""
        if self._read_only:
            return
        try:
            with self.database() as database:
                database.execute("CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
                database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", [name, value])
        except sqlite3.OperationalError:
            return

    def _where(self) -> str:
        if self._read_only and self._path.is_file() and not self._damaged:
            return f"{self._path.resolve().as_uri()}?mode=ro"
        kept = self._path.parent.is_dir() and not self._read_only
        return self._path.resolve().as_uri() if kept else "file:"

    def forget(self) -> None:
        """Removes a file that is damaged: it is made again."""
        if self._file:
            self._file.close()
            self._file = None
        self._damaged = True
        if not self._read_only:
            self._path.unlink(missing_ok=True)

    def save(self) -> None:
        """Writes down what was learnt since the last time; a full disk may keep it from that."""
        if not self._new or self._read_only:
            return
        rows = ((*stamp, digest) for stamp, digest in self._new.items())
        try:
            with self.database() as database:
                database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            self.forget()
            return
        self._new = {}


_TABLE = """CREATE TABLE IF NOT EXISTS digests
    (inode INT, size INT, mtime INT, ctime INT, digest TEXT, PRIMARY KEY (inode, size)) WITHOUT ROWID"""
_KNOWN = "SELECT * FROM digests WHERE inode IN (SELECT value FROM json_each(?))"
_HELD = 2000
"""Digests held in memory before they are written down."""
_PAGES_KIB = 256
"""Of a table that SQLite keeps in memory. Tables are gone through in order: more would only be more memory, the more
the more recordings there are."""


def sealed_files(folder: Path, receipt: Receipt) -> dict[str, str]:
    """Returns the paths of a shard's files, and the checksums that its receipt gives them."""
    return {f"{folder}/{receipt.shard}.{part}": seal.sha256 for part, seal in receipt.files.items()}


def is_whole(folder: Path, receipt: Receipt, cache: DigestCache) -> bool:
    """Tells whether a shard's files are those that its receipt names."""
    return cache.hold(sealed_files(folder, receipt))
