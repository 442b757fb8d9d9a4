"""Ctrl-C: once to save what is in flight and stop, twice to stop at once. SIGTERM counts as once."""

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
"""How long what is in flight may take to be saved; then it is left as it is."""


class Interrupt:
    """Listens for the user's wish to stop; a context manager.

    Args:
        folder: The dataset's folder, through which the workers are told.
        say: Shows a line.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._flag = folder / STOP
        self._say = say
        self._before: dict[int, Any] = {}
        self._attendant: threading.Thread | None = None
        self._heard = self._hears = -1
        self.asked = False
        """Whether to stop."""

    def __enter__(self) -> Self:
        """Begins to listen; nothing outside the main thread."""
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
        # A signal may come in the middle of anything, an import too: what is done about it is done by a thread.
        self.asked = True
        os.write(self._hears, b"!")

    def _attend(self) -> None:
        if not os.read(self._heard, 1):
            return
        with suppress(OSError):  # on a full disk the workers are stopped at the deadline
            self._flag.touch()
        try:
            self._say("stopping: what is in flight is saved first; Ctrl-C again stops at once")
        finally:
            heard, _, _ = select.select([self._heard], [], [], _DEADLINE_S)
            if not heard or os.read(self._heard, 1):
                self._stop_at_once()

    def _stop_at_once(self) -> None:
        """Ends this process and its workers; what they had in hand is made again next time."""
        import psutil

        for child in psutil.Process().children(recursive=True):
            child.kill()
        self._flag.unlink(missing_ok=True)
        show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        sys.stderr.write(show_cursor)
        told = "stopped at once: what was sealed is kept. Run the same command to go on."
        tell_end(told, ExitCode.INTERRUPTED, as_json=asks_json(sys.argv[1:]))
        sys.stderr.flush()
        os._exit(ExitCode.INTERRUPTED)
