"""What happens when workers die: the item that kills is found, its neighbours are spared."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import cluster as cluster_module
from pipeline.cluster import Cluster, SyncCluster, WorkerDiedError, open_cluster
from pipeline.plan import ShardJob
from pipeline.report import Reporter
from pipeline.runner import _Deaths
from pipeline.shard import journal_path
from stages.base import Context
from stages.errors import UsageError

POISON = "item-5"


def job(folder: Path, shard: str) -> ShardJob:
    return ShardJob("slice", "{}", Context(folder, folder), shard, "fp", "up", "", None, ())


def work(job: ShardJob) -> tuple[str, list[str]]:
    """Goes through eight items as a shard does; in shard 3, one of them kills its worker."""
    journal = journal_path(job.context.dataset / job.stage, job.shard)
    done = []
    items = [f"item-{n}" for n in range(8)]
    for batch in [[item] for item in items] if job.alone else [items]:
        journal.write_text("\n".join(batch))
        well = [item for item in batch if item not in job.poisoned]
        if job.shard == "3" and POISON in well:
            os.kill(os.getpid(), signal.SIGKILL)
        done += well
    journal.unlink()
    return job.shard, done


@pytest.fixture(scope="module")
def local() -> Iterator[Cluster]:
    with open_cluster("local", 2) as cluster:
        yield cluster


def test_an_item_that_kills_its_worker_is_found_and_its_neighbours_spared(local: Cluster, tmp_path: Path) -> None:
    (tmp_path / "slice").mkdir()
    deaths = _Deaths(Reporter(quiet=True))
    results = dict(local.run(work, [job(tmp_path, str(n)) for n in range(6)], deaths.next_job))
    everything = [f"item-{n}" for n in range(8)]
    assert results.pop("3") == [item for item in everything if item != POISON]
    assert results == dict.fromkeys("01245", everything)
    assert deaths._count["3"] <= 4


def test_results_come_from_every_job_once(local: Cluster) -> None:
    assert sorted(local.run(abs, range(-200, 0), lambda job: job)) == list(range(1, 201))
    assert list(local.run(abs, [], lambda job: job)) == []


def test_a_bug_on_a_worker_is_raised_here(local: Cluster) -> None:
    with pytest.raises(ZeroDivisionError):
        list(local.run((1).__truediv__, [0], lambda job: job))


def test_an_unknown_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_S", 1)
    assert isinstance(open_cluster("sync", None), SyncCluster)
    with pytest.raises(UsageError, match="`--scheduler` must be"):
        open_cluster("lokal", None)
    with pytest.raises(UsageError, match="dask scheduler"), open_cluster("tcp://127.0.0.1:1", None) as cluster:
        list(cluster.run(abs, [1], lambda job: job))


def test_a_job_is_never_changed_without_a_suspect(tmp_path: Path) -> None:
    (tmp_path / "slice").mkdir()
    one = job(tmp_path, "0")
    assert _Deaths(Reporter(quiet=True)).next_job(one) == replace(one)


def test_a_cluster_that_has_lost_its_workers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_NO_WORKERS_S", 1)
    monkeypatch.setattr(cluster_module, "_WATCH_S", 0.2)
    with open_cluster("local", 1) as cluster:
        assert list(cluster.run(abs, [-1], lambda job: job)) == [1]
        cluster._local.scale(0)  # type: ignore[attr-defined]
        with pytest.raises(WorkerDiedError, match="no worker for 1 s"):
            list(cluster.run(abs, [-1], lambda job: job))
