"""Signals that ask a run to stop: noted, so that it can save before it ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_signals() -> Iterator[list[signal.Signals]]:
    """Collects SIGTERM and SIGINT instead of dying of them; a second one kills as usual.

    Where signals can't be handled (not the main thread), the list stays empty.
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
