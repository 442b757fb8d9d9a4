"""What a worker writes down while it makes a shard, so that its death tells something.

Before each batch the worker notes the items it has in hand. If it dies, the next attempt at the same shard in the same
run finds the note: it takes those items one by one, and rejects the one that goes on killing or hanging. Attempts of
other runs say nothing: their client may have been killed, and no item is to blame for that.
"""

import faulthandler
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import IO, Any

_DEATHS_ALONE = 3
"""Deaths of a worker with this item alone in hand that convict it; with that of its batch, 4 in all."""
STOP = ".stop"
"""A file in the dataset's folder that asks the workers of a run to save what they have and stop."""


class Verdict(StrEnum):
    """Why an item isn't processed again: the reason of its rejection."""

    KILLED = "WorkerKilled"
    HUNG = "TimedOut"


class TimeLimitError(Exception):
    """A batch took longer than its stage allows."""


@dataclass(slots=True)
class Attempt:
    """What is known of the attempts at one shard in one run."""

    path: Path
    run: str
    """The run's token."""
    in_hand: list[str] = field(default_factory=list)
    """Ids of the batch under way."""
    alone: list[str] = field(default_factory=list)
    """Ids to be processed one by one."""
    deaths: dict[str, int] = field(default_factory=dict)
    """Workers that died with this item alone in hand."""
    condemned: dict[str, Verdict] = field(default_factory=dict)
    """Items not to be processed again in this run."""
    sealed: bool = False
    """Whether this run has made the shard: Dask asks again when the worker that holds the result dies."""

    def begin(self, ids: Sequence[str]) -> None:
        """Notes what is in hand now."""
        self.in_hand = list(ids)
        self._write()

    def end(self) -> None:
        """Notes that the shard is made; the note is swept away with the stage's last shard."""
        self.in_hand, self.sealed = [], True
        with suppress(OSError):  # a full disk: it would only be made again
            self._write()
        self.path.with_suffix(_HANG).unlink(missing_ok=True)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Cuts off what takes longer than so many seconds; 0 for no limit.

        On a worker, where the work runs beside the main thread, the process ends itself: that also cuts off what hangs
        inside of C code. In the main thread, where the process is the client's own, it raises.

        Raises:
            TimeLimitError: in the main thread.
        """
        if not seconds:
            yield
        elif threading.current_thread() is threading.main_thread():
            with _alarm(seconds):
                yield
        else:
            with self.path.with_suffix(_HANG).open("w") as hang:
                faulthandler.dump_traceback_later(seconds, exit=True, file=hang)
                try:
                    yield
                finally:
                    faulthandler.cancel_dump_traceback_later()
            self.path.with_suffix(_HANG).unlink(missing_ok=True)

    def _write(self) -> None:
        note = {**asdict(self), "path": None}
        temporary = self.path.with_suffix(".new.tmp")
        temporary.write_text(json.dumps(note), encoding="utf-8")
        temporary.replace(self.path)

    def _learn(self, hung: IO[str] | None) -> None:
        """Draws the conclusion from the death of the worker that had these items in hand."""
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


_HANG = ".hang.tmp"
"""Suffix of the file that is given the stack of a worker that hung."""


def open_attempt(folder: Path, shard: str, run: str) -> Attempt:
    """Returns what is known of a shard from earlier attempts of the same run."""
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
    """Tells whether the run's client wants its workers to save what they have and stop."""
    return os.path.exists(dataset / STOP)  # noqa: PTH110 (asked before every batch)
