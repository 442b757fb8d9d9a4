"""Files in a store, by their URL: whether they are there, what they hold, and their bytes.

While a dataset is attached, its listing says what is there; otherwise the store is asked.
"""

import hashlib
import io
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from stages.errors import MissingInputError, UsageError
from stages.remote.cache import BLOCK, Kept, own_cache
from stages.remote.errors import ObjectChangedError, changed, gone, steadily
from stages.remote.listing import LISTING, Listing, seal, write_listing
from stages.remote.stores import Object, is_url, split, store_of

_log = logging.getLogger(__name__)

_attached: dict[str, Listing] = {}
"""By the URL of a folder: its listing in this process."""
_owner = [os.getpid()]
_asked = [False]
"""Whether the store itself is asked, whatever was listed."""
_cache = lru_cache(maxsize=1)(own_cache)


def attach(voices: Path, dataset: Path) -> None:
    """Reads a folder of a store as it was listed for a dataset; does nothing for a folder of a disk.

    Raises:
        MissingInputError: if the dataset has no listing of it.
    """
    if not is_url(voices):
        return
    path, root = dataset / LISTING, str(voices)
    known = _any_listing_of(root)
    if known is not None and known.path == path and _stats.get(root) == _stat_of(path):
        return
    try:
        listing = Listing(path)
    except sqlite3.Error as error:
        raise _unlisted(path, root) from error
    if listing.root != split(root)[1]:
        raise _unlisted(path, root)
    _attach(root, listing)


def _unlisted(path: Path, root: str) -> MissingInputError:
    return MissingInputError(
        f"`{path}`, the list of what `{root}` holds, isn't there or is damaged. Run `valle-prep transcribe {root} --out"
        f" {path.parent}`: it is made again."
    )


_stats: dict[str, tuple[int, int]] = {}
"""By the URL of an attached folder: the inode and the time of its listing's file."""


def _attach(root: str, listing: Listing) -> None:
    _attached[root] = listing
    _stats[root] = _stat_of(listing.path)


def _stat_of(path: Path) -> tuple[int, int]:
    """Returns what shows that a listing's file is still the one that was opened: another run may make it anew."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_mtime_ns


@contextmanager
def asked() -> Iterator[None]:
    """Asks the store itself what is there, within the block, and not the listing."""
    before, _asked[0] = _asked[0], True
    try:
        yield
    finally:
        _asked[0] = before


def _listing_of(url: str) -> Listing | None:
    return None if _asked[0] else _any_listing_of(url)


def _any_listing_of(url: str) -> Listing | None:
    if _owner[0] != os.getpid():  # a fork: SQLite's connections and locks aren't shared
        _owner[0] = os.getpid()
        _attached.clear()
    for root, listing in _attached.items():
        if url == root or url.startswith(f"{root}/"):
            return listing
    return None


def is_listed(url: str) -> bool:
    """Returns whether a listing says what is there."""
    return _listing_of(url) is not None


@contextmanager
def listed(voices: Path, scratch: Path, earlier: Path | None = None) -> Iterator[Path | None]:
    """Lists a folder of a store; within the block, that is what is there. Does nothing for a folder of a disk.

    Args:
        voices: The folder.
        scratch: A folder to write the list to.
        earlier: An earlier list, of which the contents of unchanged tar files are taken.

    Yields:
        The list's file, to be moved to a dataset with `keep_listing`; None for a folder of a disk.

    Raises:
        UsageError: if there is nothing, or it can't be listed.
    """
    if not is_url(voices):
        yield None
        return
    root, path = str(voices), scratch / f"{LISTING}.tmp"
    check_folder(root)
    write_listing(path, split(root)[1], _pages(root))
    listing = Listing(path, writable=True)
    if earlier is not None and earlier.is_file():
        with suppress(sqlite3.DatabaseError):  # a damaged one: the tar files are gone through again
            listing.take_contents(earlier)
    if listing.unusable:
        _log.warning(
            "`%s`: %d keys aren't read, such as `%s`: they have empty names, `.` or `..` between their slashes, or are"
            " below a key that is a file itself. Rename them.",
            *(root, listing.unusable, listing.example),
        )
    before = _listing_of(root)
    _attach(root, listing)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        if _attached.get(root) is listing:
            _attached.pop(root).close()
            if before is not None:
                _attach(root, before)


def keep_listing(path: Path | None, voices: Path, dataset: Path) -> None:
    """Moves a folder's new list into a dataset, and reads the folder by it from now on; does nothing for None."""
    if path is None:
        return
    kept = dataset / LISTING
    _attached.pop(str(voices)).close()
    seal(path)
    path.replace(kept)
    _attach(str(voices), Listing(kept))


def _pages(root: str) -> Iterator[list[Object]]:
    yield from store_of(root).pages(split(root)[1])


def check_folder(url: str) -> None:
    """Checks that a folder of a store is there and can be listed.

    Raises:
        UsageError: if not.
    """
    _, key = split(url)
    try:
        page = next((page for page in _pages(url) if page), [])
    except FileNotFoundError:
        page = []
    except PermissionError as error:
        raise UsageError(
            f"`{url}` can't be listed: the store doesn't allow it. Use credentials that may list and read it."
        ) from error
    if not page:
        found = "a file" if steadily(url, lambda: store_of(url).info(key)) else "not there, or empty"
        raise UsageError(f"`{url}` must be a folder of recordings, but is {found}. Give the URL of one.")


def find(url: str) -> Object | None:
    """Returns what the listing, or the store, knows of a file; None if there is none."""
    listing = _listing_of(url)
    _, key = split(url)
    return listing.find(key) if listing else steadily(url, lambda: store_of(url).info(key))


def need(url: str) -> Object:
    """Returns what is known of a file; raises `FileNotFoundError` if there is none."""
    if (found := find(url)) is None:
        raise FileNotFoundError(2, "No such file or directory", url)
    return found


def is_folder(url: str) -> bool:
    """Returns whether there is something below a URL."""
    if listing := _listing_of(url):
        return listing.is_folder(split(url)[1])
    return any(page for page in _pages(url))


def names_in(url: str) -> list[tuple[str, bool]]:
    """Returns the names of what lies directly in a folder, and whether each is a folder; only of a listed one."""
    listing = _listing_of(url)
    if listing is None:
        raise UsageError(f"`{url}` can't be searched: only VOICES may lie in a store. Copy it to a disk.")
    return listing.names(split(url)[1])


def stamp(url: str) -> tuple[int, int]:
    """Returns a file's size in bytes, and a number that changes with its content.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = need(url)
    return found.size, _mark(found)


def _mark(found: Object) -> int:
    told = f"{found.tag} {found.modified_ns if not found.tag else 0}"
    return int.from_bytes(sha256(told.encode()).digest()[:8], "big") >> 1


def never_again() -> int:
    """Returns a number that hasn't been and won't be returned again: for files of which nothing tells a change."""
    return time.time_ns()


def digest(url: str) -> str:
    """Returns a checksum of a file: of the store's mark of it and its size, or else of its content.

    Raises:
        OSError: if it can't be read.
    """
    found = need(url)
    if found.tag:
        return sha256(f"object {found.tag} {found.size}".encode()).hexdigest()
    with open_range(url, kept=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def open_range(url: str, offset: int = 0, size: int | None = None, *, kept: bool = True) -> BinaryIO:
    """Opens a file, or a part of it, for reading: what is read is fetched.

    Args:
        url: The file.
        offset: First byte of the part.
        size: Its length; None: to the end.
        kept: Whether what is read stays in the cache.

    Raises:
        FileNotFoundError: if there is none.
    """
    part = _Part(url, need(url), offset, size)
    return io.BufferedReader(_Ranged(part, _cache().open(part.name, part.size) if kept else None), BLOCK // 64)


def open_whole(url: str, offset: int = 0, size: int | None = None) -> BinaryIO:
    """Opens a file, or a part of it, for a decoder: all of it is fetched into the cache before this returns.

    So no decoder meets an error of the network, which it could take for the end of the file.

    Raises:
        FileNotFoundError: if there is none.
        AudioError: if it is gone or changed since it was listed.
        MachineError: if the store or the cache fails.
    """
    part = _Part(url, need(url), offset, size)
    with _cache().open(part.name, part.size) as kept:
        file = io.FileIO(kept.complete(part.fetch), "rb")
    file.name = url  # its suffix helps PyAV to tell formats apart
    return io.BufferedReader(file)


class _Part:
    """A range of an object's bytes."""

    def __init__(self, url: str, found: Object, offset: int, size: int | None) -> None:
        self.url = url
        self._found = found
        self._offset = min(offset, found.size)
        left = found.size - self._offset
        self.size = left if size is None else min(size, left)
        told = f"{url} {found.size} {found.tag or found.modified_ns} {self._offset} {self.size}"
        self.name = sha256(told.encode()).hexdigest()

    def fetch(self, start: int, end: int) -> bytes:
        """Fetches bytes of the range; raises `AudioError` if the object is gone or changed."""
        first, last = self._offset + start, self._offset + end
        try:
            return steadily(self.url, lambda: store_of(self.url).read(self._found, first, last))
        except ObjectChangedError as error:
            raise changed(self.url) from error
        except FileNotFoundError as error:
            raise gone(self.url) from error


class _Ranged(io.RawIOBase):
    """A part of an object as a file: holds one block in memory."""

    def __init__(self, part: _Part, kept: Kept | None) -> None:
        self._part, self._kept = part, kept
        self._at, self._number, self._block = 0, -1, b""
        self.name = part.url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        if self._at >= self._part.size:
            return 0
        number, inside = divmod(self._at, BLOCK)
        if number != self._number:
            self._block, self._number = self._fetched(number), number
        content = self._block[inside : inside + len(buffer)]
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def _fetched(self, number: int) -> bytes:
        if self._kept is not None:
            return self._kept.block(number, self._part.fetch)
        return self._part.fetch(number * BLOCK, min((number + 1) * BLOCK, self._part.size))

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        super().close()


def contents(url: str) -> bytes | None:
    """Returns what the listing notes of a tar file's contents; None if nothing."""
    listing, found = _any_listing_of(url), find(url)
    return listing.contents(found) if listing and found else None


def note_contents(url: str, contents: bytes) -> None:
    """Notes a tar file's contents in a listing that is being made."""
    if (listing := _listing_of(url)) and (found := listing.find(split(url)[1])):
        listing.note_contents(found, contents)
