"""Collects signals that ask a run to stop, so that it can save first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_signals() -> Iterator[list[signal.Signals]]:
    """Collects SIGTERM and SIGINT; after the first one, signals kill the process as usual.

    Outside the main thread, signals can't be handled and the list stays empty.
    """
    received: list[signal.Signals] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        for kind, handler in before.items():
            signal.signal(kind, handler)

    if threading.current_thread() is threading.main_thread():
        before.update({kind: signal.signal(kind, note) for kind in (signal.SIGTERM, signal.SIGINT)})
    try:
        yield received
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
