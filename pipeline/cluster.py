"""Where the work runs: in this process, on a local Dask cluster, or on one that is already there.

A cluster takes small jobs and gives back small results, through a bounded window: never the whole corpus at once.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from stages.errors import UsageError, ValleError

if TYPE_CHECKING:
    from distributed import Client

Job = TypeVar("Job")
Result = TypeVar("Result")

_WINDOW = 3
"""Jobs in flight for each worker: enough that none waits, few enough that memory stays flat."""
_NO_WORKERS_S = 60
"""How long to wait for the first worker of a cluster that is already there."""


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

    @property
    def dashboard(self) -> str:
        """The address of the live view, or ""."""

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

    dashboard = ""

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
        yield from map(function, jobs)


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

    @property
    def dashboard(self) -> str:
        """The address of the live view, or ""."""
        return str(self._client.dashboard_link) if self._client and self._scheduler != "local" else ""

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
                dashboard_address=None,
                host="127.0.0.1",
                silence_logs="CRITICAL",
            )
            return Client(self._local)

    def _join(self) -> "Client":
        from distributed import Client

        is_file = "://" not in self._scheduler
        try:
            client = Client(
                **({"scheduler_file": self._scheduler} if is_file else {"address": self._scheduler}), timeout=15
            )
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
        from distributed import KilledWorker, as_completed

        client = self._connect()
        running: dict[Any, Job] = {}
        done = as_completed()

        def submit(job: Job) -> None:
            future = client.submit(function, job, pure=False)
            running[future] = job
            done.add(future)

        submit(first)
        for _ in range(_WINDOW * max(1, len(client.nthreads())) - 1):
            if (job := next(waiting, None)) is not None:
                submit(job)
        try:
            for future in done:
                job = running.pop(future)
                error = future.exception()
                if isinstance(error, KilledWorker):
                    submit(on_death(job))
                    continue
                if error is not None:
                    raise error
                yield future.result()
                if (following := next(waiting, None)) is not None:
                    submit(following)
        finally:
            client.cancel(list(running))


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
