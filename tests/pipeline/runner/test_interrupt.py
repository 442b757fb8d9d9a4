"""The signal handler leaves the work to a thread, since a signal may interrupt anything."""

import importlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from pipeline.runner.interrupt import Interrupt
from tests.limits import HANG_S

INTERRUPTED = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(0.3)
LINE = "whole"
"""


def test_a_signal_in_the_middle_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    monkeypatch.syspath_prepend(tmp_path)
    said = []

    def say(line: str) -> None:
        said.append((line[:8], importlib.import_module("interrupted").LINE))

    try:
        with Interrupt(tmp_path, say) as stop:
            assert importlib.import_module("interrupted").LINE == "whole"
            assert stop.asked
    finally:
        sys.modules.pop("interrupted", None)
    assert said == [("stopping", "whole")]


def test_it_is_said_once_and_the_flag_is_seen(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    told = threading.Event()
    with Interrupt(tmp_path, lambda _: told.set()):
        os.kill(os.getpid(), signal.SIGTERM)
        assert told.wait(HANG_S)
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


def test_nobody_asks(tmp_path: Path) -> None:
    said: list[str] = []
    threads = threading.active_count()
    with Interrupt(tmp_path, said.append) as stop:
        pass
    assert (said, stop.asked, threading.active_count()) == ([], False, threads)
