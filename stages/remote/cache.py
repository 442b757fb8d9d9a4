"""Keeps what was read from a store on this machine's disk, up to a size: the oldest goes first.

A range of an object is a sparse file, filled block by block, and beside it a file with a checksum of each block.
Several processes may share a folder: they write the same bytes, and a block counts only if it has its checksum.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Self

from stages.errors import FULL, MachineError, UsageError
from stages.machine import user_cache

BLOCK = 4 << 20
"""Bytes asked for at a time."""
FOLDER, ROOM = "VALLE_CACHE", "VALLE_CACHE_GIB"
"""Environment variables: the folder, and its size in GiB."""
_GIB = 8.0
_SUM = 16
"""Bytes of a block's checksum."""
_SUMS = ".sums"
_KEPT_SHARE = 0.9
"""Share of the size that is left after the oldest have gone."""
_CHECKS = 16
"""The size is counted after each 1/16 of it that a process has written."""


class Cache:
    """A folder of ranges of objects.

    Args:
        folder: The folder; made if missing, for this user only.
        most: Bytes to keep. What is being read isn't counted.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._written = most  # the size is counted when the first is opened
        self._verified: dict[str, bytearray] = {}

    def open(self, name: str, size: int) -> "Kept":
        """Opens a range of an object.

        Args:
            name: Names the object, its content and the range.
            size: Length of the range in bytes.

        Raises:
            MachineError: if the folder can't be written to.
        """
        if self._written * _CHECKS >= self._most:
            self._written = 0
            self._sweep()
        path = self._folder / name[:2] / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = Kept(path, size, self._count)
        except OSError as error:
            raise _unusable(self._folder, error) from error
        with suppress(OSError):  # another process has just removed it
            os.utime(path.with_suffix(_SUMS))
        return kept

    def _count(self, written: int) -> None:
        self._written += written

    def _sweep(self) -> None:
        """Removes what was used longest ago, until the size is kept."""
        found: list[tuple[int, int, Path]] = []
        for sums in self._folder.glob(f"??/*{_SUMS}"):
            with suppress(FileNotFoundError):
                found.append((sums.stat().st_mtime_ns, sums.with_suffix("").stat().st_blocks * 512, sums))
        total = sum(size for _, size, _ in found)
        if total <= self._most:
            return
        for _, size, sums in sorted(found):
            if total <= self._most * _KEPT_SHARE:
                break
            sums.unlink(missing_ok=True)
            sums.with_suffix("").unlink(missing_ok=True)
            total -= size


def _unusable(folder: Path, error: OSError) -> MachineError:
    advice = f"Free some, or give less to it (`{ROOM}`)" if error.errno in FULL else "Make it writable"
    return MachineError(
        f"The cache `{folder}` can't be written to: {error.strerror}. {advice}, or name another folder in `{FOLDER}`."
    )


class Kept:
    """An open range of an object; a context manager. It stays readable when it is removed from the cache."""

    def __init__(self, path: Path, size: int, wrote: Callable[[int], None]) -> None:
        self._path = path
        self.size = size
        self._wrote = wrote
        self._data = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._sums = os.open(path.with_suffix(_SUMS), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            os.close(self._data)
            raise
        self._whole = False

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the files."""
        self.close()

    def close(self) -> None:
        """Closes the files."""
        if self._data >= 0:
            os.close(self._data)
            os.close(self._sums)
            self._data = self._sums = -1

    def block(self, number: int, fetch: Callable[[int, int], bytes]) -> bytes:
        """Returns a block; fetches it if it isn't kept or isn't whole.

        Args:
            number: Its number, from 0; each has `BLOCK` bytes but the last.
            fetch: Returns the bytes of the range from one position to another.

        Raises:
            MachineError: if the disk is full. Others as `fetch`.
        """
        start = number * BLOCK
        end = min(start + BLOCK, self.size)
        told = os.pread(self._sums, _SUM, number * _SUM)
        if len(told) == _SUM and any(told):
            content = os.pread(self._data, end - start, start)
            if _sum(content) == told:
                return content
        content = fetch(start, end)
        try:
            _write(self._data, content, start)
            _write(self._sums, _sum(content), number * _SUM)
        except OSError as error:
            raise _unusable(self._path.parent.parent, error) from error
        self._wrote(len(content))
        return content

    def complete(self, fetch: Callable[[int, int], bytes]) -> int:
        """Fetches what is missing; returns a new descriptor of the whole range, at its start."""
        for number in range(-(-self.size // BLOCK)):
            self.block(number, fetch)
        return os.open(f"/dev/fd/{self._data}", os.O_RDONLY)


def _sum(content: bytes) -> bytes:
    return blake2b(content, digest_size=_SUM).digest()


def _write(file: int, content: bytes, start: int) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(file, content[done:], start + done)


def own_cache() -> Cache:
    """Returns this machine's cache, as the environment says.

    Raises:
        UsageError: if its size isn't a number.
    """
    told = os.environ.get(ROOM, "")
    try:
        room = float(told or _GIB)
    except ValueError:
        room = -1.0
    if not 0 <= room < 1 << 30:
        raise UsageError(f"`{ROOM}` must be a size in GiB, such as 20, but is `{told}`.")
    folder = Path(os.environ.get(FOLDER) or user_cache() / "valle-prep" / "objects").expanduser()
    return Cache(folder, int(room * 2**30))
