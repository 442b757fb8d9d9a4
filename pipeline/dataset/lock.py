"""Allows one run at a time on a dataset.

A dead run doesn't block the next one, because the kernel releases its locks (`stages.artefacts.lock`). There are two:
`.run.lock` is held by the run and says who it is; `.workers.lock` is shared by its workers while they make a shard,
because workers may outlive their run.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.artefacts.lock import EXCLUSIVE, SHARED, holder, read, sign, take
from stages.errors import LockedError, StoppedError

_RUN, _WORKERS = ".run.lock", ".workers.lock"
_PATIENCE_S = 60.0
"""Seconds to wait for the workers of a killed run: they notice its death before their next batch."""


@contextmanager
def hold(folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Locks a dataset for one run; yields the run's token, which its workers must show.

    Args:
        folder: The dataset's folder.
        say: Shows a line: why this takes long, or that the file system has no locks.

    Raises:
        LockedError: if another run holds the lock, or workers of an earlier run don't let go.
    """
    token = uuid.uuid4().hex
    path = folder / _RUN
    run = take(path, EXCLUSIVE, say)
    if run is None:
        raise LockedError(f"`{folder}` is in use: {holder(path)}. Wait for it, stop it, or name another `--out`.")
    try:
        sign(run, token=token)
        os.close(_wait_for_workers(folder, say))
        yield token
    finally:
        if (workers := take(folder / _WORKERS, EXCLUSIVE)) is not None:
            (folder / _WORKERS).unlink(missing_ok=True)
            os.close(workers)
        path.unlink(missing_ok=True)
        os.close(run)


@contextmanager
def work(folder: Path, token: str) -> Iterator[None]:
    """Lets a worker write into the dataset of its run.

    Args:
        folder: The dataset's folder.
        token: The token of the worker's run.

    Raises:
        StoppedError: if that run no longer holds the dataset.
    """
    workers = take(folder / _WORKERS, SHARED)
    try:
        if workers is None or read(folder / _RUN).get("token") != token:
            raise StoppedError(f"`{folder}` no longer belongs to this worker's run. The worker stops.")
        yield
    finally:
        if workers is not None:
            os.close(workers)


def holds(folder: Path, token: str) -> bool:
    """Returns whether a folder is held by the run with this token: whether it is the same folder as that run's."""
    return read(folder / _RUN).get("token") == token


def _wait_for_workers(folder: Path, say: Callable[[str], None]) -> int:
    """Waits until no worker of an earlier run is making a shard; returns the locked descriptor."""
    started = time.monotonic()
    said = False
    while (workers := take(folder / _WORKERS, EXCLUSIVE)) is None:
        waited = time.monotonic() - started
        if waited > _PATIENCE_S:
            raise LockedError(
                f"`{folder}` is still being written by workers of an earlier run. Wait for them, or stop them."
            )
        if waited > 1 and not said:
            say("waiting for the workers of an earlier run to finish their batch")
            said = True
        time.sleep(0.05)
    return workers
