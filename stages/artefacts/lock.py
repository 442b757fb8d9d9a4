"""File locks (`flock`). The kernel releases them when the holder dies, so a dead process never blocks the next one.

The locked file names its holder: process, host, start time and command.
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
        path: The file; created if it is missing. If its last holder removes it meanwhile, the new file is locked.
        kind: `SHARED` or `EXCLUSIVE`.
        say: Called with a note if the file system doesn't support locks; the file then counts as locked.

    Returns:
        The descriptor, which holds the lock until it is closed; None if another process holds it.
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
                say(f"note: this file system has no locks ({error.strerror}): make sure that only one run writes here")
            return descriptor
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def sign(descriptor: int, **more: str) -> None:
    """Writes this process into a locked file as its holder, with any further fields."""
    about = {**more, "pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "run": _command()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(about) + "\n").encode(), 0)


def read(path: Path) -> dict[str, object]:
    """Reads what the holder of a locked file wrote; {} if nothing can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def holder(path: Path) -> str:
    """Describes the holder of a locked file, for a message."""
    about = read(path)
    if not about:
        return "another run has just started"
    return f"process {about.get('pid')} on {about.get('host')} since {about.get('since')} (`{about.get('run')}`)"


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
