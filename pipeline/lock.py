"""One run at a time on a dataset: the second one refuses, and what a dead one left running can't harm the next.

The kernel lets go of a lock when its holder dies, however it dies, so a dead run never keeps the next one waiting. Two
files: `.run.lock` is held by the run itself and tells who it is; `.workers.lock` is shared by its workers while they
make a shard, since workers may outlive the process that gave them their work.
"""

import fcntl
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    run = _take(path, fcntl.LOCK_EX, say)
    if run is None:
        raise LockedError(f"`{folder}` is in use: {_holder(path)}. Wait for it, stop it, or name another `--out`.")
    try:
        about = {"token": token, "pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "run": _command()}
        os.ftruncate(run, 0)
        os.pwrite(run, (json.dumps(about) + "\n").encode(), 0)
        os.close(_wait_for_workers(folder, say))
        yield token
    finally:
        if (workers := _take(folder / _WORKERS, fcntl.LOCK_EX)) is not None:
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
    workers = _take(folder / _WORKERS, fcntl.LOCK_SH)
    try:
        if workers is None or _read(folder / _RUN).get("token") != token:
            raise StoppedError(f"`{folder}` belongs to another run by now. This worker has nothing to do there.")
        yield
    finally:
        if workers is not None:
            os.close(workers)


def _wait_for_workers(folder: Path, say: Callable[[str], None]) -> int:
    """Waits until no worker of an earlier run is in the middle of a shard."""
    started = time.monotonic()
    told = False
    while (workers := _take(folder / _WORKERS, fcntl.LOCK_EX)) is None:
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


def _take(path: Path, kind: int, say: Callable[[str], None] | None = None) -> int | None:
    """Opens and locks a file without waiting; None where somebody else has it.

    A file that its last holder removed in between is no lock any more: then the new one is taken.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            if say:
                say(f"note: this file system knows no locks ({error.strerror}): see to it that only one run works here")
            return descriptor
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def _read(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _holder(path: Path) -> str:
    about = _read(path)
    if not about:
        return "another run has just begun"
    return f"process {about.get('pid')} on {about.get('host')} since {about.get('since')} (`{about.get('run')}`)"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
