"""Paths in a store: they read like those of a disk, so that what looks for files needn't know where they lie."""

import io
import os
import stat
from collections.abc import Generator
from pathlib import Path, PosixPath
from typing import IO, Any, Self

from stages.errors import UsageError
from stages.remote import files
from stages.remote.stores import URL, is_url

_DISK = frozenset({"file", "local"})
_PRIVATE = "Set them in the environment (docs/remote.md): a URL is written to the dataset and the log."


def path_from(text: str) -> Path:
    """Returns the path that a text names: the URL of a store, or a path of this machine.

    Raises:
        UsageError: if a URL holds a password, a query or `..`, or chains several stores.
    """
    found = URL.match(text)
    if "::" in text.partition("://")[0]:
        raise UsageError(f"`{text}` must be one URL, but chains several. Give that of the store alone.")
    if found is None:
        return Path(text)
    scheme, rest = found[1], text[found.end() :]
    if scheme in _DISK:
        return Path("/" + rest.lstrip("/"))
    host = rest.partition("/")[0]
    if "@" in host and scheme not in {"abfs", "abfss"}:
        raise UsageError(f"`{scheme}://…@{host.rpartition('@')[2]}` must hold no user and no password. {_PRIVATE}")
    if scheme in {"http", "https"} and ("?" in rest or "#" in rest):
        raise UsageError(f"`{text.partition('?')[0].partition('#')[0]}` must have no query and no fragment. {_PRIVATE}")
    parts = rest.rstrip("/").split("/")
    if ".." in parts or "." in parts or "" in parts:
        raise UsageError(f"`{text}` must name a folder of a store, without `.`, `..` or `//`.")
    return StorePath(text)


class StorePath(PosixPath):
    """A path in a store, which `str` gives as its URL. Only what reads is there; nothing is ever written to a store."""

    def __str__(self) -> str:
        scheme, _, rest = super().__str__().partition("/")
        return f"{scheme}//{rest}"

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> Any:
        return StorePath, (str(self),)

    def resolve(self, strict: bool = False) -> Self:  # noqa: ARG002
        """Returns itself: a store has no links."""
        return self

    def absolute(self) -> Self:
        """Returns itself."""
        return self

    def expanduser(self) -> Self:
        """Returns itself."""
        return self

    def is_symlink(self) -> bool:
        """Returns False."""
        return False

    def is_file(self, **_: Any) -> bool:
        """Returns whether there is such a file."""
        return files.find(str(self)) is not None

    def is_dir(self, **_: Any) -> bool:
        """Returns whether there is something below it."""
        return files.is_folder(str(self))

    def exists(self, **_: Any) -> bool:
        """Returns whether there is such a file or folder."""
        return self.is_file() or self.is_dir()

    def stat(self, **_: Any) -> os.stat_result:
        """Returns the size; as the time a number that changes with the content."""
        size, mark = files.stamp(str(self))
        return os.stat_result((stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, size, 0, mark // 10**9, 0))

    def iterdir(self) -> Generator[Self, None, None]:
        """Yields what lies directly in it."""
        for name, _ in files.names_in(str(self)):
            yield self / name

    def open(  # type: ignore[override]
        self,
        mode: str = "r",
        buffering: int = -1,  # noqa: ARG002
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Opens a file for reading."""
        if set(mode) & set("wax+"):
            raise PermissionError(30, "Nothing is written to a store", str(self))
        file = files.open_range(str(self))
        return file if "b" in mode else io.TextIOWrapper(file, encoding or "utf-8", errors, newline)

    def read_bytes(self) -> bytes:
        """Returns a file's content."""
        with self.open("rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str | None = None, errors: str | None = None, *_: Any) -> str:
        """Returns a file's text."""
        with self.open("r", encoding=encoding, errors=errors) as file:
            return str(file.read())


__all__ = ["StorePath", "is_url", "path_from"]
