"""Handles Ctrl-C: the first saves what is in flight and stops, the second stops at once. SIGTERM counts as one."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from pipeline.runner.attempt import STOP
from stages.errors import ExitCode, asks_json, tell_end

_DEADLINE_S = 12.0
"""Seconds the workers may take to save; then they are killed."""


class Interrupt:
    """Listens for SIGINT and SIGTERM; a context manager.

    Args:
        folder: The dataset's folder: a file in it asks the workers to stop.
        say: Shows a line.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._flag = folder / STOP
        self._say = say
        self._before: dict[int, Any] = {}
        self._attendant: threading.Thread | None = None
        self._heard = self._hears = -1
        self.asked = False
        """Whether the user has asked to stop."""

    def __enter__(self) -> Self:
        """Begins to listen; does nothing outside the main thread, where Python allows no signal handlers."""
        self._flag.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread():
            self._heard, self._hears = os.pipe()
            self._attendant = threading.Thread(target=self._attend, daemon=True)
            self._attendant.start()
            self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops listening."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._attendant:
            os.close(self._hears)
            self._attendant.join()
            os.close(self._heard)
        self._flag.unlink(missing_ok=True)

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # A signal may interrupt anything, even an import, so a thread does the work.
        self.asked = True
        os.write(self._hears, b"!")

    def _attend(self) -> None:
        if not os.read(self._heard, 1):
            return
        with suppress(OSError):  # on a full disk the workers are killed at the deadline
            self._flag.touch()
        try:
            self._say("stopping: saving what is in flight; Ctrl-C again stops at once")
        finally:
            heard, _, _ = select.select([self._heard], [], [], _DEADLINE_S)
            if not heard or os.read(self._heard, 1):
                self._stop_at_once()

    def _stop_at_once(self) -> None:
        """Kills the workers and ends this process; the next run makes again what they had in hand."""
        import psutil

        for child in psutil.Process().children(recursive=True):
            child.kill()
        self._flag.unlink(missing_ok=True)
        show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        sys.stderr.write(show_cursor)
        message = "stopped at once: finished work is kept. Run the same command to go on."
        tell_end(message, ExitCode.INTERRUPTED, as_json=asks_json(sys.argv[1:]))
        sys.stderr.flush()
        os._exit(ExitCode.INTERRUPTED)
