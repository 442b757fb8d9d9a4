"""Finds the recordings that a table names: other machines' absolute paths, ids without suffix, folders beside it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.layout import with_suffix
from stages.tar import members

FOLDERS = "wavs", "wav", "audio", "audios", "clips"
"""Folders beside a table in which trainers keep the recordings."""
_SUFFIXES = ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"
"""Suffixes that are tried for an id without one."""
_UP = 4
"""Folders above the table's in which a path may begin."""
_PATIENCE = 200
"""Names that may be missing in a row before the others are only looked for where the last one was found."""
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


class Locator:
    """Finds the recordings of one table.

    Args:
        table: The table's path.
        by_name: Whether a recording may be found by its file name alone, in the table's folder or one of `FOLDERS`
            beside it. Only safe if no two paths of the table end in the same name.
        above: Whether paths with folders may begin in a folder above the table's. Only safe if none begins below it:
            a recording that is missing there could be found in another corpus.
    """

    def __init__(self, table: Path, *, by_name: bool = False, above: bool = False) -> None:
        self._folder = str(table.parent)
        self._by_name = by_name
        self._below = ["", *(f"{folder}/" for folder in FOLDERS)]
        self._bases = [*self._below, *("../" * up for up in range(1, _UP + 1 if above else 1))]
        self._known: tuple[str, str, str] | None = None
        """The part of the last name that was left out, what stands in its place, and the suffix that was added."""
        self._missed = 0

    def find(self, name: str) -> str | None:
        """Returns a recording's path relative to the table's folder; None if it isn't there."""
        name = slashed(name)
        if not name or "\0" in name:
            return None
        if (known := self._likely(name)) and self._there(known):
            self._missed = 0
            return self._normal(known)
        if self._missed >= _PATIENCE:
            return None
        for before, found, suffix in self._candidates(name):
            if self._there(f"{found}{suffix}"):
                self._known = before, found.removesuffix(name[len(before) :]), suffix
                self._missed = 0
                return self._normal(f"{found}{suffix}")
        self._missed += 1
        return None

    def _likely(self, name: str) -> str:
        """Returns where a recording is if it is where the last one was found; "" if its name begins otherwise."""
        if self._known is None or not name.startswith(self._known[0]):
            return ""
        before, instead, suffix = self._known
        return f"{instead}{name[len(before) :]}{suffix}"

    def _normal(self, path: str) -> str:
        """Returns a path without steps out of the table's folder and back into it."""
        return os.path.relpath(f"{self._folder}/{path}", self._folder) if path.startswith("../") else path

    def place(self, name: str) -> str:
        """Returns a recording's path relative to the table's folder, or where it would be if it were there."""
        if found := self.find(name):
            return found
        if known := self._likely(slashed(name)):
            return self._normal(known)
        name = with_suffix(slashed(name), ".wav")
        folder = next((f for f in FOLDERS if members.is_folder(f"{self._folder}/{f}")), "")
        if name.startswith("/"):
            return os.path.relpath(name, self._folder)
        return f"{folder}/{name}" if folder and "/" not in name else name

    def _candidates(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yields what may be left out of a name, the path to try, and the suffix to add to it."""
        suffixes = ("",) if Path(name).suffix.lower() in SUFFIXES else ("", *_SUFFIXES)
        parts = name.split("/")
        for first in range(len(parts)):
            if first and first == len(parts) - 1 and not self._by_name:
                break  # a bare file name could be that of another recording
            if first == 0 and name.startswith("/"):
                relative = os.path.relpath(name, self._folder)
                yield from (("", relative, suffix) for suffix in suffixes[:1])
                continue
            before = "/".join(parts[:first]) + "/" * bool(first)
            for base in self._bases if first < len(parts) - 1 else self._below:
                yield from ((before, f"{base}{name[len(before) :]}", suffix) for suffix in suffixes)

    def _there(self, path: str) -> bool:
        return members.is_file(f"{self._folder}/{path}")


def slashed(name: str) -> str:
    r"""Returns a path with `/` between its parts: tables made on Windows have `\`."""
    if "\\" in name and ("/" not in name or _DRIVE.match(name)):
        name = name.replace("\\", "/")
    return re.sub(r"^\./|(?<=/)\./", "", name)
