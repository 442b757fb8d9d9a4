"""A mono wave that is decoded as it is read: the last seconds of it are in memory, not all of it."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from stages.records import Wave

KEPT_S = 60.0
"""Seconds of a long recording that stay in memory behind the place that was read last."""


class Samples(Protocol):
    """What reads like a mono wave, `[samples]`: an array, or a `Tape`."""

    def __len__(self) -> int:
        """Returns the number of samples."""

    def __getitem__(self, key: slice, /) -> Wave:
        """Returns a stretch."""


class Tape:
    """Reads a long wave forwards; from its start again where something further back than what is kept is asked for.

    Args:
        begin: Returns the wave's blocks, from its start.
        samples: Its length.
        kept: Samples to keep.
    """

    def __init__(self, begin: Callable[[], Iterator[Wave]], samples: int, kept: int) -> None:
        self._begin = begin
        self._samples = samples
        self._kept = kept
        self._coming: Iterator[Wave] | None = None
        self._behind: deque[tuple[int, Wave]] = deque()
        """The kept blocks, with the place where each begins."""
        self._next = 0
        """Where the next block begins."""

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, key: slice, /) -> Wave:
        start, end, step = key.indices(self._samples)
        assert step == 1, "a tape is read as it is"
        return self.read(start, end)

    def again(self) -> "Tape":
        """Returns another tape of the same wave, with a place of its own."""
        return Tape(self._begin, self._samples, self._kept)

    def read(self, start: int, end: int) -> Wave:
        """Returns the samples from `start` to `end`, as many of them as there are."""
        end = min(end, self._samples)
        if end <= start:
            return np.zeros(0, np.float32)
        first = self._behind[0][0] if self._behind else self._next
        if self._coming is None or start < first:
            self._coming, self._next = self._begin(), 0
            self._behind.clear()
        wave = np.empty(end - start, np.float32)
        for place, block in self._behind:
            _copy(wave, start, place, block)
        while self._next < end and (found := next(self._coming, None)) is not None:
            _copy(wave, start, self._next, found)
            self._behind.append((self._next, found))
            self._next += len(found)
            while len(self._behind) > 1 and self._next - self._behind[1][0] >= self._kept:
                self._behind.popleft()
        return wave[: max(0, self._next - start)]


def _copy(wave: Wave, start: int, place: int, block: Wave) -> None:
    """Copies what a block, which begins at `place`, has of the stretch that begins at `start`."""
    first, last = max(start, place), min(start + len(wave), place + len(block))
    if first < last:
        wave[first - start : last - start] = block[first - place : last - place]


class _Rest:
    """A wave without its beginning."""

    def __init__(self, wave: Samples, start: int) -> None:
        self._wave = wave
        self._start = start

    def __len__(self) -> int:
        return max(0, len(self._wave) - self._start)

    def __getitem__(self, key: slice, /) -> Wave:
        first, last, _ = key.indices(len(self))
        return self._wave[self._start + first : self._start + max(first, last)]


def from_sample(wave: Samples, start: int) -> Samples:
    """Returns a wave without its first `start` samples, without reading any."""
    return wave[start:] if isinstance(wave, np.ndarray) else _Rest(wave, start)


def stretches(wave: Samples, length: int) -> Iterator[Wave]:
    """Yields a wave in stretches of `length` samples; the last one may be shorter."""
    for start in range(0, len(wave), length):
        yield wave[start : start + length]
