"""Where the work runs: in this process, on a local Dask cluster, or on one that is already there.

A cluster takes small jobs and gives back small results, through a bounded window: never the whole corpus at once.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from stages.errors import UsageError, ValleError

if TYPE_CHECKING:
    from distributed import Client, Future

Job = TypeVar("Job")
Result = TypeVar("Result")

_WINDOW = 3
"""Jobs in flight for each worker: enough that none waits, few enough that memory stays flat."""
_CONNECT_S = 15
"""How long to try to reach a scheduler."""
_NO_WORKERS_S = 60
"""How long to wait for a worker when the cluster has none."""
_WATCH_S = 5
"""How often to look whether there are workers while nothing gets done."""


class WorkerDiedError(ValleError):
    """A worker died too often on one job."""


class Cluster(Protocol):
    """Runs jobs somewhere; a context manager."""

    def __enter__(self) -> Self:
        """Gives the cluster itself; nothing starts before there is work."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops what was started."""

    def run(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], on_death: Callable[[Job], Job]
    ) -> Iterator[Result]:
        """Yields the results as they come.

        Args:
            function: What a worker calls with a job; may be called more than once for the same job.
            jobs: The jobs.
            on_death: Gives the job to try next when the worker that had this one died.
        """


class SyncCluster:
    """No cluster: everything runs here, one job after the other. For a debugger and for tests."""

    def __enter__(self) -> Self:
        """Gives the cluster itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Has nothing to stop."""

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],  # noqa: ARG002 (a death here is the death of all)
    ) -> Iterator[Result]:
        """Yields the results in order."""
        for job in jobs:
            yield function(job)


class DaskCluster:
    """A Dask cluster: `local`, or the address or scheduler file of one that is already there."""

    def __init__(self, scheduler: str, jobs: int) -> None:
        self._scheduler = scheduler
        self._jobs = jobs
        self._client: Client | None = None
        self._local: Any = None

    def __enter__(self) -> Self:
        """Gives the cluster itself; workers start with the first job."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the cluster, and stops it if it is ours."""
        if self._client:
            self._client.close()
        if self._local:
            self._local.close()
        self._client = self._local = None

    def _connect(self) -> "Client":
        if self._client is None:
            self._client = self._start_local() if self._scheduler == "local" else self._join()
        return self._client

    def _start_local(self) -> "Client":
        import dask
        from distributed import Client, LocalCluster

        settings = {
            # Every death is reported at once: the runner finds the item that caused it, and spares its neighbours.
            "distributed.scheduler.allowed-failures": 0,
            "distributed.worker.daemon": False,
            **{f"distributed.nanny.pre-spawn-environ.{name}": 1 for name in _THREAD_VARIABLES},
        }
        with dask.config.set(settings):
            self._local = LocalCluster(
                n_workers=self._jobs,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",
                host="127.0.0.1",
                silence_logs="CRITICAL",
            )
            return Client(self._local)

    def _join(self) -> "Client":
        from distributed import Client

        where = {"address": self._scheduler} if "://" in self._scheduler else {"scheduler_file": self._scheduler}
        try:
            client = Client(**where, timeout=_CONNECT_S)
            client.wait_for_workers(1, timeout=_NO_WORKERS_S)
        except (OSError, TimeoutError) as error:
            raise UsageError(
                f"`--scheduler {self._scheduler}` must name a running Dask scheduler with a worker, but: {error}."
                f" Start them with `dask scheduler` and `dask worker {self._scheduler}`."
            ) from error
        return client

    def run(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], on_death: Callable[[Job], Job]
    ) -> Iterator[Result]:
        """Yields the results as they come."""
        waiting = iter(jobs)
        first = next(waiting, None)
        if first is None:
            return
        from distributed import KilledWorker

        client = self._connect()
        window = _WINDOW * max(1, len(client.nthreads()))
        running = {client.submit(function, job, pure=False): job for job in [first, *islice(waiting, window - 1)]}
        try:
            while running:
                for future in self._next_done(client, list(running)):
                    job = running.pop(future)
                    error = future.exception()
                    if isinstance(error, KilledWorker):
                        retried = on_death(job)
                        running[client.submit(function, retried, pure=False)] = retried
                        continue
                    if error is not None:
                        raise error
                    yield future.result()
                    for following in islice(waiting, 1):
                        running[client.submit(function, following, pure=False)] = following
        finally:
            client.cancel(list(running))

    def _next_done(self, client: "Client", futures: "list[Future]") -> "list[Future]":
        """Waits until at least one future is done, and sees to it that somebody is working on them.

        Raises:
            WorkerDiedError: if the cluster has had no worker for `_NO_WORKERS_S`: Dask itself would wait for ever.
        """
        from distributed import wait

        alive = time.monotonic()
        while True:
            try:
                return list(wait(futures, timeout=_WATCH_S, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                if client.nthreads():
                    alive = time.monotonic()
                elif time.monotonic() - alive > _NO_WORKERS_S:
                    raise WorkerDiedError(
                        f"`--scheduler {self._scheduler}` has had no worker for {_NO_WORKERS_S} s."
                        " What is done is kept: start workers and run the same command again."
                    ) from None


_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def open_cluster(scheduler: str, jobs: int | None) -> Cluster:
    """Returns the cluster that `--scheduler` names; nothing is started yet.

    Args:
        scheduler: `sync`, `local`, an address such as `tcp://host:8786`, or the path of a scheduler file.
        jobs: Workers of a local cluster; None for one a core.

    Raises:
        UsageError: if the name is none of these.
    """
    if scheduler == "sync":
        return SyncCluster()
    if scheduler == "local":
        return DaskCluster(scheduler, jobs or cores())
    if "://" in scheduler or Path(scheduler).is_file():
        return DaskCluster(scheduler, 0)
    raise UsageError(
        f"`--scheduler` must be `sync`, `local`, an address such as `tcp://host:8786` or a scheduler file,"
        f" but is `{scheduler}`."
    )


def cores() -> int:
    """Returns how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
