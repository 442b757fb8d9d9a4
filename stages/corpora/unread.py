"""Tells of files whose recordings aren't read: archives, and tables that hold the sound itself."""

import lzma
import re
import zipfile
from pathlib import Path, PurePosixPath

from stages.artefacts.parquet import sound_column
from stages.audio.files import SUFFIXES
from stages.tar import members

_COMPRESSED = re.compile(
    r"\.(?:tar\.(?:gz|bz2|xz|zstd?|lz4|lzma|lzo?|z|br)|tgz|tbz2?|txz|tzst|tlz|taz)$", re.IGNORECASE
)
_PACKED = frozenset({".zip", ".7z", ".rar"})
_TABLES = frozenset({".parquet", ".arrow"})
_UNPACK = "docs/recordings.md#parquet-files-with-the-sound-inside"


class Unread:
    """Collects such files while a folder is walked.

    Args:
        voices: The voices folder.
    """

    def __init__(self, voices: Path) -> None:
        self._voices = voices
        self._tars: list[str] = []
        self._packed: list[str] = []
        self._tables: list[tuple[str, str]] = []

    def consider(self, path: str) -> None:
        """Takes note of a file, by its path below the voices folder, if it holds recordings that aren't read."""
        suffix = PurePosixPath(path).suffix.lower()
        if _COMPRESSED.search(path) or (suffix == members.SUFFIX and members.is_compressed(self._voices / path)):
            self._tars.append(path)
        elif suffix in _PACKED and self._holds_audio(path, suffix):
            self._packed.append(path)
        elif suffix in _TABLES and (column := self._column(path)):
            self._tables.append((path, column))

    def lines(self) -> list[str]:
        """Returns a line for each kind of them: how many, an example, and what to do."""
        found = []
        if self._tars:
            example = f"{len(self._tars):,} compressed tar files aren't read, such as `{self._tars[0]}`"
            found.append(f"{example}: decompress them (`gunzip`, `zstd -d`), or unpack them.")
        if self._packed:
            example = f"{len(self._packed):,} archives aren't read, such as `{self._packed[0]}`"
            found.append(f"{example}: unpack them, or make tar files of them.")
        if self._tables:
            [(table, column), *_] = self._tables
            example = f"{len(self._tables):,} tables hold the recordings themselves, such as `{table}` (`{column}`)"
            found.append(f"{example}, and aren't read: write these into files first ({_UNPACK}).")
        return found

    def _holds_audio(self, path: str, suffix: str) -> bool:
        """Returns whether an archive holds recordings; also if it can't be told."""
        if suffix != ".zip":
            return True
        try:
            with members.open_file(self._voices / path) as file, zipfile.ZipFile(file) as archive:
                return any(PurePosixPath(name).suffix.lower() in SUFFIXES for name in archive.namelist())
        except (OSError, zipfile.BadZipFile, NotImplementedError, lzma.LZMAError):
            return True

    def _column(self, path: str) -> str:
        try:
            with members.open_file(self._voices / path) as file:
                return sound_column(file)
        except (OSError, ValueError):
            return ""
