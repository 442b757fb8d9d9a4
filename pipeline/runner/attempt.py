"""Finds the item that kills or hangs its worker.

Before each batch the worker writes down the items in hand. If it dies, the next attempt at the shard in the same run
reads the note, takes those items one by one, and rejects the one that keeps killing or hanging. Notes of other runs are
ignored: their client may have been killed, which is no item's fault.
"""

import faulthandler
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import IO, Any

_DEATHS_ALONE = 3
"""Worker deaths with an item alone in hand after which it is rejected; with that of its batch, 4 in all."""
STOP = ".stop"
"""File in the dataset's folder that asks the workers to save their work and stop."""


class Verdict(StrEnum):
    """Why an item isn't processed again: its reject reason."""

    KILLED = "WorkerKilled"
    HUNG = "TimedOut"


class TimeLimitError(Exception):
    """A batch took longer than its stage allows."""


@dataclass(slots=True)
class Attempt:
    """The attempts at one shard in one run."""

    path: Path
    run: str
    """The run's token."""
    in_hand: list[str] = field(default_factory=list)
    """Ids of the current batch."""
    alone: list[str] = field(default_factory=list)
    """Ids to process one by one."""
    deaths: dict[str, int] = field(default_factory=dict)
    """Worker deaths with this item alone in hand, by id."""
    condemned: dict[str, Verdict] = field(default_factory=dict)
    """Items to reject without processing them again in this run, by id."""
    sealed: bool = False
    """Whether this run has made the shard: Dask asks for it again if the worker holding the result dies."""
    _hang: IO[str] | None = None
    """The file that gets the traceback if this worker hangs."""

    def begin(self, ids: Sequence[str]) -> None:
        """Writes down the items now in hand."""
        self.in_hand = list(ids)
        self._write()

    def end(self) -> None:
        """Writes down that the shard is made. The note is removed after the stage's last shard."""
        self.in_hand, self.sealed = [], True
        with suppress(OSError):  # a full disk: at worst the shard is made again
            self._write()
        self.path.with_suffix(_HANG).unlink(missing_ok=True)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Limits the time of a block.

        Outside the main thread, as on a worker, the process exits: that also ends a hang in C code. In the main thread,
        where the process is the client, it raises.

        Args:
            seconds: The limit; 0 for none.

        Raises:
            TimeLimitError: in the main thread, if the block takes longer.
        """
        if not seconds:
            yield
        elif threading.current_thread() is threading.main_thread():
            with _alarm(seconds):
                yield
        else:
            if self._hang is None:
                self._hang = self.path.with_suffix(_HANG).open("w")
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._hang)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Removes the file for a hang's traceback: this worker is alive."""
        if self._hang:
            self._hang.close()
            self.path.with_suffix(_HANG).unlink(missing_ok=True)
        self._hang = None

    def _write(self) -> None:
        note = json.dumps({name: getattr(self, name) for name in _NOTED})
        target = str(self.path)
        temporary = f"{target.removesuffix('.tmp')}.new.tmp"
        # Before every batch: a `Path` takes longer. Closed and renamed, so that it is there even if the machine dies.
        with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(note)
        os.replace(temporary, target)  # noqa: PTH105

    def _learn(self, hung: IO[str] | None) -> None:
        """Counts the death of the worker that had these items in hand against them."""
        if len(self.in_hand) > 1:
            self.alone += self.in_hand
        elif self.in_hand:
            [item] = self.in_hand
            self.alone.append(item)
            self.deaths[item] = self.deaths.get(item, 0) + 1
            if hung and hung.read(1):
                self.condemned[item] = Verdict.HUNG
            elif self.deaths[item] >= _DEATHS_ALONE:
                self.condemned[item] = Verdict.KILLED
        self.in_hand = []


_NOTED = ("run", "in_hand", "alone", "deaths", "condemned", "sealed")
_HANG = ".hang.tmp"
"""Suffix of the file that gets the traceback of a hung worker."""


def open_attempt(folder: Path, shard: str, run: str) -> Attempt:
    """Reads what earlier attempts of the same run noted of a shard, and draws the conclusions from a death."""
    path = folder / f".{shard}.attempt.tmp"
    attempt = Attempt(path, run)
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if note.pop("run") == run:
            condemned = {item: Verdict(reason) for item, reason in note["condemned"].items()}
            attempt = Attempt(**{**note, "path": path, "run": run, "condemned": condemned})
    except (OSError, ValueError, TypeError, KeyError):
        return attempt
    try:
        with path.with_suffix(_HANG).open(encoding="utf-8") as hung:
            attempt._learn(hung)
    except FileNotFoundError:
        attempt._learn(None)
    path.with_suffix(_HANG).unlink(missing_ok=True)
    return attempt


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise TimeLimitError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def asked_to_stop(dataset: Path) -> bool:
    """Returns whether the client has asked its workers to save their work and stop."""
    return os.path.exists(dataset / STOP)  # noqa: PTH110 (called before every batch)
