"""Object stores, by their URL: what is in one, and its bytes in ranges. The only home of fsspec."""

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Protocol

from stages.errors import MachineError, UsageError
from stages.remote.errors import ObjectChangedError, ShortError, in_one_line, steadily

URL = re.compile(r"([a-z][a-z0-9+.\-]{1,15})://")
"""How the URL of a store begins."""
CONNECT_S, ANSWER_S = 20, 30
"""Seconds to wait for a connection, and for the next bytes of an answer."""
_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""The extra of this package that a scheme needs; other schemes need the package that fsspec names."""
_TAGS = "md5Hash", "ETag", "etag"
"""Where the stores tell a mark of an object's content, the best first."""
_TIMES = "LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created"


@dataclass(frozen=True, slots=True)
class Object:
    """A file in a store."""

    key: str
    """Its URL without the scheme."""
    size: int
    """Bytes."""
    tag: str
    """The store's mark of its content; "" if it gives none that can be trusted."""
    modified_ns: int
    """Time of the last change; 0 if the store doesn't tell."""

    def same_as(self, other: "Object") -> bool:
        """Returns whether two descriptions are of the same content, as far as the store tells."""
        if self.tag or other.tag:
            return (self.size, self.tag) == (other.size, other.tag)
        return (self.size, self.modified_ns) == (other.size, other.modified_ns)


class Store(Protocol):
    """A store."""

    def pages(self, folder: str) -> Iterator[list[Object]]:
        """Yields everything below a folder (a key), page by page; raises `OSError`."""

    def info(self, key: str) -> Object | None:
        """Returns one object; None if it isn't there or is a folder; raises `OSError`."""

    def read(self, found: Object, start: int, end: int) -> bytes:
        """Reads a range of an object's bytes.

        Raises:
            ObjectChangedError: if it isn't the object that was found any more.
            OSError: if it can't be read.
        """


def is_url(path: "str | os.PathLike[str]") -> bool:
    """Returns whether a path is the URL of a store."""
    text = path if isinstance(path, str) else os.fspath(path)
    return "://" in text and URL.match(text) is not None  # asked for each of a million files: most aren't


def split(url: str) -> tuple[str, str]:
    """Returns the scheme and the key of a URL; `.` and `..` in it lead where they would on a disk."""
    scheme, _, key = url.partition("://")
    return scheme, posixpath.normpath(key) if "/." in key or "//" in key else key


def store_of(url: str) -> Store:
    """Returns the store of a URL, connected once in each process.

    Raises:
        UsageError: if there is no such kind of store, or its package isn't installed.
    """
    return _store(split(url)[0], os.getpid())


@lru_cache(maxsize=16)
def _store(scheme: str, _process: int) -> Store:
    if scheme in {"s3", "s3a"}:
        from stages.remote.s3 import S3Store

        return S3Store(_file_system(scheme, **_s3_options()))
    if scheme in {"http", "https"}:
        from stages.remote.http import HttpStore

        return HttpStore(_file_system(scheme, encoded=True, use_listings_cache=False), scheme)
    return FsspecStore(_file_system(scheme, use_listings_cache=False))


def _s3_options() -> dict[str, Any]:
    """Returns options that a configuration of fsspec's doesn't set: one attempt a request, since we count them."""
    import fsspec

    own = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    waits = {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S, "retries": {"total_max_attempts": 1}}
    return {"config_kwargs": waits | own, "use_listings_cache": False}


def _file_system(scheme: str, **options: Any) -> Any:
    import fsspec

    try:
        file_system = fsspec.filesystem(scheme, **options)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        command = f"make setup EXTRAS=dev,{extra}" if extra else in_one_line(error)
        raise UsageError(
            f"`{scheme}://` needs a package that can't be imported ({in_one_line(error)}). Install it: {command}."
        ) from error
    except ValueError as error:
        raise UsageError(f"`{scheme}://` must be a kind of store that fsspec knows, but isn't: {error}.") from error
    if hasattr(file_system, "retries"):
        file_system.retries = 1
    return file_system


class FsspecStore:
    """A store as fsspec shows any. Whether an object is still the same is asked after each range that was read."""

    def __init__(self, file_system: Any) -> None:
        self._fs = file_system

    def pages(self, folder: str) -> Iterator[list[Object]]:
        """Yields everything below a folder, as one page: fsspec has no other way."""
        found = steadily(folder, partial(self._fs.find, folder, detail=True))
        files = {name.lstrip("/"): info for name, info in found.items() if info.get("type") != "directory"}
        yield [_object(key, info) for key, info in files.items() if key.startswith(f"{folder}/")]

    def info(self, key: str) -> Object | None:
        """Returns one object."""
        try:
            found = self._fs.info(key)
        except FileNotFoundError:
            return None
        return None if found.get("type") == "directory" else _object(key, found)

    def read(self, found: Object, start: int, end: int) -> bytes:
        """Reads a range."""
        content: bytes = self._fs.cat_file(self._name(found.key), start=start, end=end)
        check_same(found, self.info(found.key))
        return whole(content, end - start)

    def _name(self, key: str) -> str:
        return key


def check_same(found: Object, now: Object | None) -> None:
    """Raises `FileNotFoundError` if an object is gone, `ObjectChangedError` if it isn't what was found any more."""
    if now is None:
        raise FileNotFoundError(errno.ENOENT, "No such object", found.key)
    if not now.same_as(found):
        raise ObjectChangedError


def whole(content: bytes, wanted: int) -> bytes:
    """Returns an answer if it is as long as was asked for.

    Raises:
        ShortError: if it broke off.
        MachineError: if the store doesn't answer in ranges.
    """
    if len(content) < wanted:
        raise ShortError(errno.ECONNRESET, f"the answer broke off after {len(content):,} of {wanted:,} bytes")
    if len(content) > wanted:
        raise MachineError(
            f"The store must answer requests for a range of bytes, but sent {len(content):,} bytes in place of"
            f" {wanted:,}. Copy the recordings to another one, or to a disk."
        )
    return content


def _object(key: str, info: dict[str, Any]) -> Object:
    size = info.get("size")
    if size is None:
        raise MachineError(f"`{key}`: the store must tell the size of each file, but doesn't tell this one's.")
    tag = next((str(info[name]).strip('"') for name in _TAGS if info.get(name) and _strong(str(info[name]))), "")
    return Object(key, int(size), tag, nanoseconds(next((info[name] for name in _TIMES if info.get(name)), None)))


def _strong(tag: str) -> bool:
    """Returns whether a mark changes with every byte; weak ones of HTTP needn't."""
    return not tag.startswith("W/")


def nanoseconds(time: Any) -> int:
    """Returns a time as stores tell it, in ns since 1970; 0 if it is none."""
    if isinstance(time, str):
        from email.utils import parsedate_to_datetime

        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            try:
                time = parsedate_to_datetime(time)
            except ValueError:
                return 0
    if isinstance(time, datetime):
        time = time.timestamp()
    return round(time * 1_000_000) * 1000 if isinstance(time, int | float) else 0  # a float holds no more digits
