"""Workers that die: the item to blame is found, and its neighbours are processed."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cluster import cluster as cluster_module
from pipeline.cluster import scheduler as schedulers
from pipeline.cluster.cluster import Cluster, WorkerDiedError, open_cluster
from pipeline.cluster.scheduler import Scheduler
from pipeline.runner.attempt import open_attempt
from stages.errors import StoppedError

POISON = "item-5"


def work(job: Path) -> tuple[str, list[str]]:
    """Goes through eight items as a shard does; in shard 3, one of them kills its worker, in shard 4, one hangs."""
    items = [f"item-{n}" for n in range(8)]
    attempt = open_attempt(job.parent, job.name, "run")
    done = []
    for batch in [[item] for item in items] if attempt.alone else [items]:
        attempt.begin(batch)
        well = [item for item in batch if item not in attempt.condemned]
        with attempt.limit(0.5):
            if job.name == "3" and POISON in well:
                os.kill(os.getpid(), signal.SIGKILL)
            if job.name == "4" and POISON in well:
                re.match(r"(a+)+$", "a" * 40 + "b")  # hangs inside of C code, with the interpreter's lock
        done += well
    condemned = [f"{item}: {reason}" for item, reason in attempt.condemned.items()]
    attempt.end()
    return job.name, done + condemned


@pytest.fixture(scope="module")
def local() -> Iterator[Cluster]:
    with open_cluster(Scheduler("local", "", 2, "cpu")) as cluster:
        yield cluster


def test_items_that_kill_or_hang_are_found_and_their_neighbours_spared(local: Cluster, tmp_path: Path) -> None:
    deaths: Counter[str] = Counter()

    def again(job: Path) -> Path:
        deaths[job.name] += 1
        return job

    results = dict(local.run(work, [tmp_path / str(n) for n in range(4)], again))
    results |= dict(local.run(work, [tmp_path / "4"], again))
    everything = [f"item-{n}" for n in range(8)]
    spared = [item for item in everything if item != POISON]
    assert results.pop("3") == [*spared, f"{POISON}: WorkerKilled"]
    assert results.pop("4") == [*spared, f"{POISON}: TimedOut"]
    assert results == dict.fromkeys("012", everything)
    assert max(deaths.values()) <= 4
    assert {path.name for path in tmp_path.iterdir()} == {f".{n}.attempt.tmp" for n in range(5)}


def test_results_come_from_every_job_once(local: Cluster) -> None:
    assert sorted(local.run(abs, range(-200, 0), lambda job: job)) == list(range(1, 201))
    assert list(local.run(abs, [], lambda job: job)) == []


def test_all_that_is_out_may_come_back_at_once(local: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def watched(_client: object, running: list[Any], wait: Any) -> Any:
        return [wait.args[0].get() for _ in list(running)] if wait.func is cluster_module._next_done else wait()

    monkeypatch.setattr(local, "_watched", watched)
    assert sorted(local.run(abs, range(-50, 0), lambda job: job)) == list(range(1, 51))


def test_a_bug_on_a_worker_is_raised_here(local: Cluster) -> None:
    with pytest.raises(ZeroDivisionError):
        list(local.run((1).__truediv__, [0], lambda job: job))


def test_a_cluster_that_has_lost_its_workers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedulers, "_WAIT_S", 1)
    monkeypatch.setattr(cluster_module, "_WATCH_S", 0.2)
    with open_cluster(Scheduler("local", "", 1, "cpu")) as cluster:
        assert list(cluster.run(abs, [-1], lambda job: job)) == [1]
        cluster._ours.scale(0)  # type: ignore[attr-defined]
        with pytest.raises(WorkerDiedError, match="no worker for 1 s"):
            list(cluster.run(abs, [-1], lambda job: job))


def test_a_worker_may_die_between_the_end_of_a_job_and_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask gives it up, and waits for another one that never comes, unless the workers are watched meanwhile."""
    dask = pytest.importorskip("dask")
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "spawn")
    monkeypatch.setattr(cluster_module, "_WATCH_S", 0.2)
    monkeypatch.setattr(cluster_module, "_GATHER_S", 0.5)
    slow = {"distributed.worker.multiprocessing-method": "spawn", "distributed.deploy.lost-worker-timeout": "1 ms"}
    together, alone, killed = cluster_module._gathered_together, cluster_module._gathered, list[int]()
    asked: Counter[str] = Counter()
    next_done, calls = cluster_module._next_done, count()

    def several_done(done: Any) -> Any:
        """Waits for the three jobs of the second call, so that their results are asked for together."""
        if next(calls) == 1:
            ends = time.monotonic() + 60
            while done.qsize() < 3 and time.monotonic() < ends:
                time.sleep(0.01)
        return next_done(done)

    def kill() -> None:
        if not killed:
            killed.extend(cluster._connect().run(os.getpid).values())  # type: ignore[attr-defined]
            os.kill(killed[0], signal.SIGKILL)

    def gathered_together(client: Any, futures: Any) -> Any:
        if len(futures) > 1:
            kill()
            asked["together"] += 1
        return together(client, futures)

    def gathered(future: Any) -> Any:
        asked["alone"] += len(killed)
        return alone(future)

    monkeypatch.setattr(cluster_module, "_next_done", several_done)
    monkeypatch.setattr(cluster_module, "_gathered_together", gathered_together)
    monkeypatch.setattr(cluster_module, "_gathered", gathered)
    with dask.config.set(slow), open_cluster(Scheduler("local", "", 1, "cpu")) as cluster:
        assert sorted(cluster.run(abs, range(-6, 0), lambda job: job)) == list(range(1, 7))
    assert len(killed) == 1
    assert asked["together"]
    assert asked["alone"]


def raises_timeout(_: int) -> None:
    """Fails as a job may by itself."""
    raise TimeoutError("of its own")


def test_a_job_s_own_timeout_is_its_error(local: Cluster) -> None:
    with pytest.raises(TimeoutError, match="of its own"):
        list(local.run(raises_timeout, [0], lambda job: job))


def test_a_wish_to_stop_ends_the_work_at_once(local: Cluster) -> None:
    wishes = iter([False, False, True])
    local._stop = lambda: next(wishes, True)  # type: ignore[attr-defined]
    try:
        with pytest.raises(StoppedError, match="Run the same command"):
            list(local.run(time.sleep, [0.5] * 1000, lambda job: job))
    finally:
        local._stop = lambda: False  # type: ignore[attr-defined]
    with pytest.raises(StoppedError):
        list(open_cluster(Scheduler("sync", "", None, "cpu"), lambda: True).run(abs, [1], lambda job: job))


def ignores_ctrl_c(_: int) -> bool:
    """Whether this process's main thread is spared SIGINT."""
    status = Path("/proc/self/status").read_text()
    (blocked,) = re.findall(r"SigBlk:\s+(\w+)", status)
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_workers_are_spared_ctrl_c_also_those_that_replace_a_dead_one(local: Cluster) -> None:
    assert list(local.run(ignores_ctrl_c, range(8), lambda job: job)) == [True] * 8


def test_workers_that_failed_as_they_started_are_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    status = {0: "failed", 1: "closed", 2: "starting", 3: "running"}
    workers = {number: SimpleNamespace(status=SimpleNamespace(name=name)) for number, name in status.items()}
    ours = SimpleNamespace(worker_spec=dict.fromkeys(range(4)), workers=workers, scale=asked.append)
    cluster = cluster_module.DaskCluster(Scheduler("local", "", 4, "cpu"), lambda: False)
    monkeypatch.setattr(cluster, "_ours", ours, raising=False)
    monkeypatch.setattr(cluster, "_counted", -1e9)
    assert cluster._count(SimpleNamespace(nthreads=lambda: {"tcp://3": 1})) == 1  # type: ignore[arg-type]
    assert cluster._scaling
    cluster._scaling.join()
    assert (sorted(workers), asked) == ([2, 3], [4])
