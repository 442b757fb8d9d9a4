"""Locks a run's folder: one training at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.artefacts.lock import EXCLUSIVE, holder, sign, take
from stages.errors import LockedError, UsageError

LOCK = ".run.lock"


@contextmanager
def hold(run: Path) -> Iterator[None]:
    """Locks a run's folder and creates it if needed; the first process of a run locks it for all.

    Raises:
        LockedError: if another training has locked it; the message names its process.
        UsageError: if the folder can't be created or written to.
    """
    if not is_first_process():
        yield
        return
    path = run / LOCK
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = take(path, EXCLUSIVE, lambda line: sys.stderr.write(f"{line}\n"))
    except OSError as error:
        raise UsageError(
            f"`trainer.out` must be a folder that can be written to, but `{run}` isn't: {error.strerror}."
            " Name another with `--set trainer.out=…`."
        ) from error
    if lock is None:
        raise LockedError(f"`{run}` is being trained: {holder(path)}. Wait for it, stop it, or name another.")
    try:
        sign(lock)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


def is_first_process() -> bool:
    """Returns whether this is the first or only process of a run; works before Fabric is launched."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return int(next((os.environ[name] for name in names if name in os.environ), "0")) == 0
