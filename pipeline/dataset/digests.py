"""Caches the checksums of files: a file with unchanged inode, size and times isn't read again.

The path isn't part of the key, so a folder may be renamed. The cache only saves time. Deleting it costs one read of all
files, and a cached checksum that disagrees with a receipt is never trusted: the file is read again.
"""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.artefacts.manifest import Receipt
from stages.remote.stores import is_url
from stages.tar import members
from stages.tar.stamps import remote_stamp

Stamp = tuple[int, int, int, int]
"""Inode, size in bytes, and the times of the last change of content and of status in ns."""


def stamp_of(path: Path | str) -> Stamp | None:
    """Returns the stamp of a file, or of a member of a tar file; None if it is missing.

    A member's is that of its tar file, with its own size, and with a hash of the tar's inode and its place as inode.
    """
    if is_url(path):
        return remote_stamp(str(path))
    try:
        stat = os.stat(path)  # noqa: PTH116 (a Path object for each of a million files is slow)
    except NotADirectoryError:
        return _stamp_inside(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _stamp_inside(path: Path | str) -> Stamp | None:
    try:
        found = members.position(path)
        stat = os.stat(found[0]) if found else None  # noqa: PTH116
    except OSError:
        return None
    if found is None or stat is None:
        return None
    _, offset, size = found
    inode = int.from_bytes(sha256(f"{stat.st_ino} {offset}".encode()).digest()[:8], "big") >> 1
    return inode, size, stat.st_mtime_ns, stat.st_ctime_ns


class DigestCache:
    """Caches the SHA-256 of files in a small SQLite file; a context manager.

    Args:
        path: The SQLite file; created if missing, once its folder exists.
        read_only: Whether to write nothing.
        trust: Whether to use the stored checksums; False reads every file again.
    """

    def __init__(self, path: Path, *, read_only: bool = False, trust: bool = True) -> None:
        self._path = path
        self._read_only = read_only
        self._trust = trust
        self._file: sqlite3.Connection | None = None
        self._damaged = False
        self._new: dict[Stamp, str] = {}
        """Checksums of this run that aren't in the SQLite file yet."""

    def __enter__(self) -> Self:
        """Returns the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Saves the new checksums and closes the file."""
        self.save()
        if self._file:
            self._file.close()
            self._file = None

    def digest(self, path: Path | str) -> str:
        """Returns a file's SHA-256, or "" if it can't be read."""
        return self.digests([(str(path), stamp_of(path))], threads=1)[0]

    def holds(self, path: Path, sha256: str) -> bool:
        """Returns whether a file has this checksum; reads it again before answering no."""
        return self.holds_all({str(path): sha256})

    def holds_all(self, expected: Mapping[str, str]) -> bool:
        """Returns whether all files have their checksums (by path); reads a file again before answering no."""
        files = [(path, stamp_of(path)) for path in expected]
        for (path, stamp), digest in zip(files, self.digests(files, threads=1), strict=True):
            if digest != expected[path] and (stamp in self._new or self._read(path, stamp) != expected[path]):
                return False
        return True

    def learn(self, known: Mapping[str, str]) -> None:
        """Adds the known checksums (by path) of files that have just been written."""
        for path, digest in known.items():
            if stamp := stamp_of(path):
                self._new[stamp] = digest

    def digests(self, files: Sequence[tuple[str, Stamp | None]], *, threads: int) -> list[str]:
        """Returns the digests of many files; reads the unknown ones in parallel.

        Args:
            files: Path and stamp of each; a stamp of None gives "".
            threads: Files to read at a time (hashing releases the interpreter lock).

        Returns:
            The digests in order; "" for a file that can't be read.
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
        if len(self._new) > _SAVE_AFTER:
            self.save()
        return digests

    def _read(self, path: str, stamp: Stamp | None) -> str:
        if stamp is None:
            return ""
        try:
            digest = members.digest(path)
        except OSError:
            return ""
        self._new[stamp] = digest
        return digest

    def _known(self, stamps: Sequence[Stamp]) -> dict[Stamp, str]:
        """Looks stamps up in the SQLite file and among the new ones of this run."""
        known: dict[Stamp, str] = {}
        if self._trust and stamps:
            inodes = json.dumps([stamp[0] for stamp in stamps])
            try:
                rows = self.database().execute(_KNOWN, [inodes])
                known = {(inode, size, mtime, ctime): digest for inode, size, mtime, ctime, digest in rows}
            except sqlite3.DatabaseError:
                self.forget()
        # A checksum read in this run beats a wrong one in the SQLite file.
        return known | {stamp: self._new[stamp] for stamp in stamps if stamp in self._new}

    def database(self) -> sqlite3.Connection:
        """Returns the connection to the SQLite file, with its table `digests (inode, size, mtime, ctime, digest)`.

        Callers may add temporary tables to join with. If the cache is read-only, changes aren't kept.

        Raises:
            sqlite3.DatabaseError: if the file is damaged; call `forget` then.
        """
        if self._file is None:
            self._file = sqlite3.connect(self._where(), uri=True)
            for kept in ("main", "temp"):
                self._file.execute(f"PRAGMA {kept}.cache_size = -{_PAGES_KIB}")
            self._file.execute(_TABLE)
        return self._file

    def note(self, name: str) -> str:
        """Returns the value stored under a name; "" if there is none."""
        if not self._trust:
            return ""
        try:
            found = self.database().execute("SELECT value FROM notes WHERE name = ?", [name]).fetchone()
        except sqlite3.OperationalError:  # an old file without the table of notes
            return ""
        return str(found[0]) if found else ""

    def take_note(self, name: str, value: str) -> None:
        """Stores a value under a name, except on a full disk."""
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
        """Removes a damaged SQLite file; it is made again."""
        if self._file:
            self._file.close()
            self._file = None
        self._damaged = True
        if not self._read_only:
            self._path.unlink(missing_ok=True)

    def save(self) -> None:
        """Saves the new checksums, except on a full disk."""
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
_SAVE_AFTER = 2000
"""New digests to keep in memory before they are saved."""
_PAGES_KIB = 256
"""SQLite's page cache, in KiB. Tables are read in order, so a larger one would only take memory, more for more
recordings."""


def sealed_files(folder: Path, receipt: Receipt) -> dict[str, str]:
    """Returns the checksums of a shard's files from its receipt, by path."""
    return {f"{folder}/{receipt.shard}.{part}": seal.sha256 for part, seal in receipt.files.items()}


def is_whole(folder: Path, receipt: Receipt, cache: DigestCache) -> bool:
    """Returns whether a shard's files match its receipt."""
    return cache.holds_all(sealed_files(folder, receipt))
