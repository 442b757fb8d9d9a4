"""Ctrl-C, SIGTERM and the lock: a run stops on request, says how to continue, and has its dataset for itself."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from stages.artefacts.manifest import list_shards
from tests.faults.conftest import EMBEDDED, Command, command, digests, leftovers, poison, sync
from tests.limits import HANG_S

LOCAL, SYNC = ("--jobs", 2), ("--scheduler", "sync")
GO_ON = "Run the same command to go on."
LET_GO_S = 10
"""What a run that is stopped grants its workers."""


@pytest.fixture
def unspoken(copy: Path) -> Path:
    """A dataset without phonemes."""
    shutil.rmtree(copy / "g2p")
    return copy


@contextmanager
def slow_g2p(dataset: Path, scheduler: tuple[object, ...], *, item_s: float) -> Iterator[Command]:
    """Starts g2p with a delay per item, and yields the command in the middle of the stage."""
    with command(dataset.parent, "g2p", "--out", dataset, *scheduler, **poison(SLOW_S=item_s)) as run:
        run.until("to make")
        time.sleep(1 if item_s > 1 else 0)
        yield run


def wait_for(come: Callable[[], object]) -> None:
    give_up = time.monotonic() + HANG_S
    while not come():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def wait_for_shard(dataset: Path) -> None:
    wait_for(lambda: list_shards(dataset / "g2p"))


def group_of(pid: int) -> list[int]:
    """Returns the living processes of a process group."""
    members = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def assert_alone(pid: int) -> None:
    """Checks that nothing of a process group is left, but for what is on its way out."""
    give_up = time.monotonic() + HANG_S
    while left := group_of(pid):
        assert time.monotonic() < give_up, f"{left} outlived their client"
        time.sleep(0.05)


def assert_goes_on(dataset: Path, reference: dict[str, str]) -> None:
    """Finishes the run and checks that the bytes equal those of an uninterrupted run."""
    assert not leftovers(dataset) or all(".part" in name for name in leftovers(dataset))
    assert sync("g2p", "--out", dataset) == 0
    assert digests(dataset) == reference
    assert not leftovers(dataset)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("scheduler", [LOCAL, SYNC], ids=["local", "sync"])
def test_once_saves_what_is_in_flight(
    unspoken: Path, reference: dict[str, str], scheduler: tuple[object, ...], number: signal.Signals
) -> None:
    with slow_g2p(unspoken, scheduler, item_s=0.5) as run:
        wait_for_shard(unspoken)
        if number == signal.SIGINT:
            run.signal(number)
        else:
            run.process.terminate()
        ended = run.end()
        assert ended.code == 130, ended.err
        assert GO_ON in ended.err
        assert "Traceback" not in ended.err
        assert_alone(run.process.pid)
    made = len(list_shards(unspoken / "g2p"))
    assert 0 < made < len(list_shards(unspoken / "slice"))
    assert_goes_on(unspoken, reference)


@pytest.mark.parametrize("scheduler", [LOCAL, SYNC], ids=["local", "sync"])
def test_twice_stops_at_once(unspoken: Path, reference: dict[str, str], scheduler: tuple[object, ...]) -> None:
    with slow_g2p(unspoken, scheduler, item_s=2 * HANG_S) as run:
        run.signal(signal.SIGINT)
        run.until("stopping")
        asked = run.seconds
        run.signal(signal.SIGINT)
        ended = run.end()
        assert ended.code == 130, ended.err
        assert ended.seconds - asked < LET_GO_S, "sooner than after a single signal"
        assert GO_ON in ended.err
        assert "Traceback" not in ended.err
        assert_alone(run.process.pid)
    assert sync("g2p", "--out", unspoken) == 0
    assert digests(unspoken) == reference
    assert not leftovers(unspoken)


def test_what_never_comes_back_is_left_at_the_deadline(unspoken: Path) -> None:
    with slow_g2p(unspoken, LOCAL, item_s=2 * HANG_S) as run:
        run.signal(signal.SIGINT)
        ended = run.end()
        assert ended.code == 130, ended.err
        assert GO_ON in ended.err
        assert_alone(run.process.pid)


@pytest.mark.parametrize("after_s", [0, 0.3, 1.0, 2.0])
def test_it_may_come_at_any_time(voices: Path, tmp_path: Path, reference: dict[str, str], after_s: float) -> None:
    with command(tmp_path, "run", voices, "--out", tmp_path / "dataset", *LOCAL, *EMBEDDED) as run:
        wait_for((tmp_path / "dataset" / ".run.lock").exists)
        time.sleep(after_s)
        run.signal(signal.SIGINT)
        ended = run.end()
        assert ended.code == 130, ended.err
        assert_alone(run.process.pid)
    assert sync("run", voices, "--out", tmp_path / "dataset") == 0
    assert digests(tmp_path / "dataset") == reference


def test_the_second_of_two_runs_refuses(
    unspoken: Path, reference: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with slow_g2p(unspoken, SYNC, item_s=0.5) as first:
        assert sync("g2p", "--out", unspoken) == 1
        err = capsys.readouterr().err
        assert f"process {first.process.pid} " in err
        assert f"`valle-prep g2p --out {unspoken}" in err
        assert first.end().code == 0
    assert digests(unspoken) == reference


@pytest.mark.parametrize("scheduler", [LOCAL, SYNC], ids=["local", "sync"])
def test_the_lock_of_a_killed_run_is_taken_over(
    unspoken: Path, reference: dict[str, str], scheduler: tuple[object, ...]
) -> None:
    with slow_g2p(unspoken, scheduler, item_s=0.5) as run:
        wait_for_shard(unspoken)
        run.process.kill()
        run.end()
        assert (unspoken / ".run.lock").exists()
        assert sync("g2p", "--out", unspoken) == 0
    assert digests(unspoken) == reference
    assert not leftovers(unspoken)
