"""Simulates the runner over ten million items on up to a thousand workers: `python -m pipeline.bench.sleeping`.

The runner is real, from the jobs to the counts; the workers sleep, and only their clock is simulated. What Dask costs
the client for a job is measured first, on real workers. The client does one thing at a time, so the simulated time is
what its processor time and the workers' sleep make of it.
"""

import argparse
import heapq
import platform
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from pipeline.cluster.cluster import Cluster, DaskCluster
from pipeline.cluster.scheduler import parse_scheduler
from pipeline.config import PrepConfig
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import Dataset
from pipeline.runner.plan import MISSING, ShardJob, StagePlan, Todo
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, _make
from pipeline.runner.tally import Tally
from stages.artefacts.manifest import FileSeal, Receipt, shard_count, shard_name
from stages.config import load_config
from stages.machine import cores, processor

_STAGE = "encode"
_SECONDS_AN_ITEM = 5 / 74.7
"""What the embedded codec takes for an utterance of five seconds: the fastest codec there is, so the hardest case."""
_WINDOW = 3
"""Jobs in flight per worker, as in `pipeline.cluster.cluster`."""
_TRIED = 500
"""Jobs on real workers, to measure what one costs the client."""
_IDLE_S = 10.0
"""Seconds without jobs, to measure what waiting costs it."""


def receipt_of(job: ShardJob, items: int) -> Receipt:
    """Returns the receipt that a worker would send back."""
    seals = {part: FileSeal(1, "0" * 64) for part in ("codes.npy", "items.jsonl", "out.jsonl", "rows.jsonl")}
    return Receipt(_STAGE, job.shard, job.fingerprint, job.upstream, items, items, items, {}, {}, 5.0 * items, seals)


def answer(job: ShardJob) -> Receipt:
    """Returns a receipt at once; the work of a real worker."""
    return receipt_of(job, 1)


class SleepingCluster:
    """A cluster whose workers sleep, on a simulated clock.

    Args:
        workers: Their number.
        items: Items of a job.
        job_s: Processor time that a job costs the client in Dask.
    """

    def __init__(self, workers: int, items: int, job_s: float) -> None:
        self._workers, self._items, self._job_s = workers, items, job_s
        self.wall_s = 0.0
        """The simulated time so far."""
        self.client_s = 0.0
        """Of it that of the client."""

    def __enter__(self) -> Self:
        """Returns the cluster itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Does nothing."""

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:  # noqa: ARG002
        """Returns no problems."""
        return []

    def ask(self, function: Callable[[Any], Any], job: Any) -> dict[str, Any]:  # noqa: ARG002
        """Asks nobody."""
        return {}

    def describe(self) -> str:
        """Returns ""."""
        return ""

    def workers(self) -> int:
        """Returns the number of workers."""
        return self._workers

    def run(
        self,
        function: Callable[[Any], Any],  # noqa: ARG002
        jobs: Iterable[Any],
        on_death: Callable[[Any], Any],  # noqa: ARG002
        *,
        gpu: bool = False,  # noqa: ARG002
    ) -> Iterator[Any]:
        """Yields a receipt for each job, when its worker has slept."""
        waiting, number = iter(jobs), 0
        free = [0.0] * self._workers
        running: list[tuple[float, int, Any]] = []
        since = time.process_time()
        while True:
            while len(running) < _WINDOW * self._workers and (job := next(waiting, None)) is not None:
                since = self._spend(since, self._job_s)
                ends = max(heapq.heappop(free), self.wall_s) + self._items * _SECONDS_AN_ITEM
                heapq.heappush(free, ends)
                heapq.heappush(running, (ends, number, job))
                number += 1
            if not running:
                return
            ends, _, job = heapq.heappop(running)
            receipt = receipt_of(job, self._items)
            since = self._spend(since, 0.0)
            self.wall_s = max(self.wall_s, ends)
            yield receipt
            since = self._spend(since, 0.0)

    def _spend(self, since: float, more_s: float) -> float:
        """Adds the processor time since then, and some more, to the client's and to the clock."""
        now = time.process_time()
        self.client_s += now - since + more_s
        self.wall_s += now - since + more_s
        return now


def work(cluster: Cluster, folder: Path, items: int, shards: int, make: Callable[[ShardJob], Receipt]) -> None:
    """Has the runner make all shards of a stage."""
    dataset = Dataset(folder, folder / "voices")
    target = dataset.stage(_STAGE)
    target.mkdir(parents=True, exist_ok=True)
    names = [shard_name(index, shards) for index in range(shards)]
    todo = tuple(Todo(name, MISSING, "0" * 64, "0" * 64, (), items, 5.0 * items) for name in names)
    with DigestCache(folder / "digests.sqlite") as cache:
        config = load_config(PrepConfig, None, ["encode.codec=embedded"])
        run = Run(dataset, config, "cpu", cluster, cache, Reporter(quiet=True), "token", make=make)
        plan = StagePlan(run.stage(_STAGE), None, Tally(_STAGE), todo, MappingProxyType({}), items * shards)
        made = _make(run, plan, Tally(_STAGE), target)
    if len(made) != shards:
        raise RuntimeError(f"{shards} shards must be made, but {len(made)} were")


def dask_seconds(folder: Path) -> tuple[float, float]:
    """Measures the client, which is also Dask's scheduler, with two real workers.

    Returns:
        The processor time of a job, and that of a second of waiting.
    """
    with DaskCluster(parse_scheduler("local", jobs=2, device="cpu")) as cluster:
        work(cluster, folder / "warm", 1, 50, answer)
        busy_s, wall_s = time.process_time(), time.monotonic()
        time.sleep(_IDLE_S)
        idle = (time.process_time() - busy_s) / (time.monotonic() - wall_s)
        busy_s, wall_s = time.process_time(), time.monotonic()
        work(cluster, folder / "real", 1, _TRIED, answer)
        spent_s = time.process_time() - busy_s - idle * (time.monotonic() - wall_s)
        return spent_s / _TRIED, idle


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the simulation and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.bench.sleeping", description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1000])
    options = parser.parse_args(arguments)
    shards = shard_count(options.items)
    items = max(1, options.items // shards)
    print(f"{processor()}, {cores()} cores, Python {platform.python_version()}")
    print(f"{items * shards:,} items in {shards:,} shards, {_SECONDS_AN_ITEM:.3f} s an item")
    with tempfile.TemporaryDirectory() as scratch:
        job_s, idle = dask_seconds(Path(scratch))
        print(f"on real workers a job costs the client {1000 * job_s:.2f} ms, waiting {100 * idle:.2f} % of the time")
        for workers in options.workers:
            cluster = SleepingCluster(workers, items, job_s)
            work(cluster, Path(scratch) / str(workers), items, shards, answer)
            ideal_s = shards * items * _SECONDS_AN_ITEM / workers
            share = cluster.client_s / cluster.wall_s + idle
            print(
                f"{workers:>6,} workers: {cluster.wall_s / 3600:9.2f} h, {cluster.wall_s / ideal_s:.3f} x of their"
                f" sleep, the scheduler busy {100 * share:5.2f} % ({1000 * cluster.client_s / shards:.2f} ms a job)",
                flush=True,
            )


if __name__ == "__main__":
    main()
