"""Decodes by libsndfile (soundfile): WAV, FLAC, MP3, Ogg, Opus, AIFF, SPHERE and their like."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from stages.audio.containers.container import TOLERANCE_S
from stages.audio.decoder import BLOCK_VALUES, Channels, broken_off, check_same
from stages.errors import AudioError
from stages.tar.members import member_file, open_file

if TYPE_CHECKING:
    import soundfile

_UNKNOWN_SAMPLES = 1 << 62
"""libsndfile's length of a FLAC file that was written to a pipe is greater."""
_EXACT_SEEK = frozenset({"WAV", "WAVEX", "FLAC", "AIFF", "AU", "CAF", "W64", "RF64", "NIST"})
"""Containers in which soundfile seeks to the exact sample. Of others the whole file is decoded for a cut."""
_FLOATS = frozenset({"FLOAT", "DOUBLE"})


class SoundFileDecoder:
    """Decodes by libsndfile.

    Args:
        path: The file.

    Raises:
        soundfile.LibsndfileError: if it can't be opened.
    """

    late_s = 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        with _sound_file(path) as file:
            self.rate, self.channels, self.format = int(file.samplerate), int(file.channels), str(file.format)
            self.floats = file.subtype in _FLOATS
            self.samples: int | None = int(file.frames)

    @property
    def exact(self) -> bool:
        """Whether `cut` can begin anywhere without decoding what is before."""
        return self.format in _EXACT_SEEK

    def miscounts(self, seconds: float | None) -> str:
        """Returns how libsndfile's length differs from the one that the file's structure has; "" if it doesn't."""
        counted = self.samples or 0
        if counted >= _UNKNOWN_SAMPLES:
            return "libsndfile finds no length"
        if seconds is None or abs(counted / self.rate - seconds) <= TOLERANCE_S:
            return ""
        return f"libsndfile counts {counted / self.rate:.2f} s"

    def blocks(self) -> Iterator[Channels]:
        """Decodes the file from its start."""
        with _sndfile_errors(self._path), _sound_file(self._path) as file:
            yield from _blocks(self._path, file)

    def cut(self, start_samples: int, end_samples: int | None) -> Channels:
        """Decodes a part; a shorter one where the file ends."""
        with _sndfile_errors(self._path), _sound_file(self._path) as file:
            if start_samples > file.frames:
                return np.zeros((0, self.channels), np.float32)
            file.seek(start_samples)
            count = -1 if end_samples is None else end_samples - start_samples
            return np.asarray(file.read(count, dtype="float32", always_2d=True))


class PartsDecoder:
    """Decodes files that were joined to one, each by libsndfile. FFmpeg loses up to a block of FLAC at each border.

    Args:
        path: The file.
        parts: First byte of each part, and one past its last.

    Raises:
        AudioError: if one of them can't be read, or differs in rate or channels.
    """

    floats = False
    late_s = 0.0

    def __init__(self, path: Path, parts: Sequence[tuple[int, int]]) -> None:
        self._path = path
        self.parts = parts
        self.rate, self.channels = 0, 0
        samples = 0
        for part in parts:
            with self._opened(part) as file:
                if not self.rate:
                    self.rate, self.channels = int(file.samplerate), int(file.channels)
                check_same(path, self, int(file.samplerate), int(file.channels))
                samples += int(file.frames)
        self.samples: int | None = samples

    def blocks(self) -> Iterator[Channels]:
        """Decodes the parts, one after the other."""
        for part in self.parts:
            with self._opened(part) as file:
                yield from _blocks(self._path, file)

    @contextmanager
    def _opened(self, part: tuple[int, int]) -> "Iterator[soundfile.SoundFile]":
        import soundfile

        with (
            _sndfile_errors(self._path),
            open_file(self._path) as whole,
            soundfile.SoundFile(_Window(whole, *part)) as file,
        ):
            yield file


def _blocks(path: Path, file: "soundfile.SoundFile") -> Iterator[Channels]:
    """Decodes an open file; raises `AudioError` if it breaks off."""
    samples, done = int(file.frames), 0
    while done < samples:
        block = file.read(min(max(1, BLOCK_VALUES // file.channels), samples - done), dtype="float32", always_2d=True)
        if not len(block):
            break
        done += len(block)
        yield block
    if samples - done > TOLERANCE_S * file.samplerate:
        raise broken_off(path, samples / file.samplerate, done / file.samplerate)


class _Window:
    """A part of an open file that reads like a file of its own."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._size = end - start
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        found = self._file.read(left if count < 0 else min(count, left))
        self._at += len(found)
        return found


def _sound_file(path: Path) -> "soundfile.SoundFile":
    import soundfile

    if (member := member_file(path)) is not None:
        return soundfile.SoundFile(member)
    if path.suffix.lower() == ".raw":  # soundfile would ask for the format of such a name
        return soundfile.SoundFile(os.open(path, os.O_RDONLY))
    return soundfile.SoundFile(os.fsencode(path))


@contextmanager
def _sndfile_errors(path: Path) -> Iterator[None]:
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"`{path}` begins as audio does, but can't be read: {error}. Copy it again.", "BrokenHeader"
        ) from error
