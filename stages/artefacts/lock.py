"""Locks that the kernel lets go of when their holder dies, however it dies: nothing dead keeps the next one waiting.

The locked file tells who holds it: process, host, since when, and the command.
"""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX


def take(path: Path, kind: int, say: Callable[[str], object] | None = None) -> int | None:
    """Opens and locks a file without waiting.

    Args:
        path: The file; made if it isn't there. One that its last holder removed in between is no lock any more: then
            the new one is taken.
        kind: `SHARED` or `EXCLUSIVE`.
        say: Told if the file system knows no locks; the file then counts as locked.

    Returns:
        The descriptor, which holds the lock until it is closed; None where somebody else has it.
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


def sign(descriptor: int, **more: str) -> None:
    """Writes into a locked file who holds it, and what else is given."""
    about = {**more, "pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "run": _command()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(about) + "\n").encode(), 0)


def read(path: Path) -> dict[str, object]:
    """Returns what a locked file's holder wrote; {} where nothing can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def holder(path: Path) -> str:
    """Returns who holds a locked file, in words."""
    about = read(path)
    if not about:
        return "another run has just begun"
    return f"process {about.get('pid')} on {about.get('host')} since {about.get('since')} (`{about.get('run')}`)"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
