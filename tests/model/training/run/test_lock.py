import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.training.run.lock import LOCK, hold
from stages.errors import LockedError, UsageError

_HOLDS = """
import sys, time
from pathlib import Path
from model.training.run.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_one_is_told_who_holds_it_until_that_one_dies(tmp_path: Path) -> None:
    run = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", _HOLDS, str(run)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(LockedError) as raised, hold(run):
        pass
    about = json.loads((run / LOCK).read_text())
    for known in (str(run), str(other.pid), about["host"], time.strftime("%Y-")):
        assert known in str(raised.value)
    assert "\n" not in str(raised.value)

    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (run / LOCK).is_file(), "a dead one's lock stays behind and is taken over"
    with hold(run):
        assert json.loads((run / LOCK).read_text())["pid"] == os.getpid()
    assert not (run / LOCK).exists()


def test_other_processes_of_a_run_leave_the_lock_to_the_first(tmp_path: Path, monkeypatch) -> None:
    with hold(tmp_path):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with hold(tmp_path):
            pass
        monkeypatch.setenv("RANK", "0")  # a rank counts over all nodes, a local one only on its own
        with pytest.raises(LockedError), hold(tmp_path):
            pass


def test_a_folder_that_cant_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match=r"`trainer\.out` must be a folder that can be written to"),
        hold(tmp_path / "file" / "run"),
    ):
        pass
