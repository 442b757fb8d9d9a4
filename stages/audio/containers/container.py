"""The rows of the table of containers, and what they read with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from stages.tar.members import part_file, stamp

CHUNK = 1 << 18
"""Most bytes read at a time."""
_FIRST_CHUNK = 1 << 12
TOLERANCE_S = 0.1
"""Seconds. Lengths that differ by no more agree: decoders keep or drop some padding."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file's structure says of its sound."""

    container: str = ""
    """Name of the container; "" if it isn't known."""
    soundfile: bool = False
    """Whether libsndfile reads such files, if its own count of samples is `seconds` long."""
    seconds: float | None = None
    """The length that the parts of the file add up to; None if only decoding tells."""
    overruled: str = ""
    """Why libsndfile, which reads other files of this kind, doesn't read this one; "" if it does, or reads none."""
    parts: tuple[tuple[int, int], ...] = ()
    """First byte of each joined file and one past its last, where libsndfile reads each of them."""
    demuxer: str | None = None
    """FFmpeg's demuxer; None if FFmpeg finds it."""
    fault: str = ""
    """Why the file can't be taken for whole; "" if nothing says so. Follows the file's name in a message."""
    reason: str = "Truncated"
    """Reject reason for the fault."""


class Bytes:
    """A file's bytes, read on demand, in large chunks; a context manager.

    Args:
        path: The file.

    Raises:
        OSError: if it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = part_file(path) or path.open("rb", buffering=0)
        self.size, _ = stamp(path)
        self._start = 0
        self._chunk = b""
        self._ahead = _FIRST_CHUNK

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def at(self, start: int, count: int) -> bytes:
        """Returns `count` bytes from `start`; fewer where the file ends."""
        first = start - self._start
        if first < 0 or first + count > len(self._chunk):
            if start >= self.size:
                return b""
            self._file.seek(start)
            self._start, first = start, 0
            self._chunk = self._file.read(min(max(count, self._ahead), self.size - start))
            self._ahead = min(2 * self._ahead, CHUNK)
        return self._chunk[first : first + count]

    def integer(self, start: int, count: int, *, little: bool = False) -> int:
        """Returns an unsigned integer of `count` bytes; 0 if the file ends before it."""
        return int.from_bytes(self.at(start, count), "little" if little else "big")

    def find(self, pattern: bytes, start: int) -> int:
        """Returns the first position of a pattern from `start` on; -1 if there is none."""
        if self.size - start <= CHUNK:
            rest = self.at(start, self.size - start)  # stays at hand: what is asked for next is in it
            return start + rest.find(pattern) if rest.rfind(pattern) >= 0 else -1
        self._file.seek(start)
        behind = b""
        while chunk := self._file.read(min(CHUNK, max(0, self.size - start))):
            chunk = behind + chunk if behind else chunk
            # Backwards it is eight times as fast, and there is hardly ever anything to find.
            if chunk.rfind(pattern) >= 0:
                return start - len(behind) + chunk.find(pattern)
            start += len(chunk) - len(behind)
            behind = chunk[1 - len(pattern) :]
        return -1


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file."""

    name: str
    matches: Callable[[bytes], bool]
    """Returns whether a file that begins with these 64 bytes or fewer, after any ID3 tags, is of this kind."""
    survey: Callable[[Bytes, int], Shape]
    """Returns the shape of a file of this kind whose content begins at a position; `Shape()` if it is of another."""
    rank: int = 0
    """Kinds of a lower rank are tried first."""


def seconds(value: float) -> str:
    """Formats seconds for a message."""
    return f"{value:.2f} s"
