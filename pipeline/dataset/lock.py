"""One run at a time on a dataset: the second one refuses, and what a dead one left running can't harm the next.

A dead run never keeps the next one waiting (`stages.artefacts.lock`). Two files: `.run.lock` is held by the run itself and tells
who it is; `.workers.lock` is shared by its workers while they make a shard, since workers may outlive the process that
gave them their work.
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
"""How long to wait for the workers of a run that was killed: they notice it before their next batch."""


@contextmanager
def hold(folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Holds a dataset for one run; gives the run's token, which its workers must show.

    Args:
        folder: The dataset's folder.
        say: Told why it takes long, or that the file system knows no locks.

    Raises:
        LockedError: if another run holds it, or if workers of an earlier one don't let go.
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
    """Lets a worker of a run write into its dataset.

    Raises:
        StoppedError: if another run holds the dataset by now, or none.
    """
    workers = take(folder / _WORKERS, SHARED)
    try:
        if workers is None or read(folder / _RUN).get("token") != token:
            raise StoppedError(f"`{folder}` belongs to another run by now. This worker has nothing to do there.")
        yield
    finally:
        if workers is not None:
            os.close(workers)


def _wait_for_workers(folder: Path, say: Callable[[str], None]) -> int:
    """Waits until no worker of an earlier run is in the middle of a shard."""
    started = time.monotonic()
    told = False
    while (workers := take(folder / _WORKERS, EXCLUSIVE)) is None:
        waited = time.monotonic() - started
        if waited > _PATIENCE_S:
            raise LockedError(
                f"`{folder}` is still written to by workers of an earlier run. Stop them, or wait for them."
            )
        if waited > 1 and not told:
            say("waiting for the workers of an earlier run to let go")
            told = True
        time.sleep(0.05)
    return workers
