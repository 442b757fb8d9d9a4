"""Handing out the work: in this process, or on a Dask cluster, through a bounded window.

A cluster takes small jobs and gives back small results: never the whole corpus at once.
"""

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing import resource_tracker
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from pipeline.cluster.scheduler import Scheduler
from pipeline.cluster.start import gpu_problem, start
from stages.errors import StoppedError, UsageError, ValleError

if TYPE_CHECKING:
    from distributed import Client, Future

Job = TypeVar("Job")
Result = TypeVar("Result")

_WINDOW = 3
"""Jobs in flight for each worker: enough that none waits, few enough that memory stays flat."""
_TICK_S = 0.5
"""How often to look up while nothing gets done: has the user had enough?"""
_WATCH_S = 5.0
"""How often to look whether there are workers while nothing gets done."""
_CLOSE_S = 10.0
"""How long a cluster may take to close."""
_LET_GO_S = 10.0
"""How long workers may take to save what they have when the run is stopped."""


class WorkerDiedError(ValleError):
    """A worker died too often on one job, or all of them are gone."""


class Cluster(Protocol):
    """Runs jobs somewhere; a context manager."""

    def __enter__(self) -> Self:
        """Gives the cluster itself; nothing starts before there is work."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops what was started."""

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:
        """Starts or joins the cluster and returns what keeps it from working.

        Args:
            gpu: Whether there is work for a GPU.
            imports: The modules that the work imports slowly; workers started here may share them.
        """

    def describe(self) -> str:
        """Returns how many workers there are, and the dashboard's address; "" where there is none."""

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],
        *,
        gpu: bool = False,
    ) -> Iterator[Result]:
        """Yields the results as they come.

        Args:
            function: What a worker calls with a job; may be called more than once for the same job.
            jobs: The jobs.
            on_death: Gives the job to try next when the worker that had this one died.
            gpu: Whether only a worker with a GPU may take them.

        Raises:
            StoppedError: if the user has had enough; workers have saved what they had.
        """


class SyncCluster:
    """No cluster: everything runs here, one job after the other. For a debugger and for tests."""

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        self._stop = stop

    def __enter__(self) -> Self:
        """Gives the cluster itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Has nothing to stop."""

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:  # noqa: ARG002 (a stage says it)
        """Returns none."""
        return []

    def describe(self) -> str:
        """Returns nothing."""
        return ""

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],  # noqa: ARG002 (a death here is the death of all)
        *,
        gpu: bool = False,  # noqa: ARG002
    ) -> Iterator[Result]:
        """Yields the results in order."""
        for job in jobs:
            if self._stop():
                raise StoppedError(STOPPED)
            yield function(job)


class DaskCluster:
    """A Dask cluster, ours or one that is already there.

    Args:
        scheduler: What to start or to join.
        stop: Tells whether the user has had enough.
    """

    def __init__(self, scheduler: Scheduler, stop: Callable[[], bool] = lambda: False) -> None:
        self._scheduler = scheduler
        self._stop = stop
        self._client: Client | None = None
        self._ours: Any = None
        self._workers, self._counted = 0, -_WATCH_S

    def __enter__(self) -> Self:
        """Gives the cluster itself; workers start with the first job."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the cluster, and stops it if it is ours."""
        if self._client:
            _close(self._client)
        if self._ours:
            _close(self._ours)
        self._client = self._ours = None

    def _connect(self, imports: Collection[str] = ()) -> "Client":
        if self._client is None:
            # Ctrl-C reaches every process of the terminal. The workers shall hear of it from us, and save what they
            # have: they inherit the mask, also those that replace a dead one. Python's resource tracker lifts it in the
            # thread that starts it, which must not be one that starts workers.
            resource_tracker.ensure_running()
            ours = self._scheduler.kind in {"local", "cuda"}
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT} if ours else set())
            try:
                self._client, self._ours = start(self._scheduler, imports)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._client

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:
        """Starts or joins the cluster; returns why it can't work."""
        try:
            client = self._connect(imports)
        except UsageError as error:
            return [str(error)]
        problem = gpu_problem(client, self._scheduler) if gpu else ""
        return [problem] if problem else []

    def describe(self) -> str:
        """Returns how many workers there are, and the dashboard's address."""
        client = self._connect()
        workers = len(client.nthreads())
        return f"{workers} worker{'s' * (workers != 1)}, {client.dashboard_link}"

    def on_workers(self, function: Callable[[], None]) -> None:
        """Calls a function once on every worker."""
        self._connect().run(function)

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],
        *,
        gpu: bool = False,
    ) -> Iterator[Result]:
        """Yields the results as they come."""
        waiting = iter(jobs)
        first = next(waiting, None)
        if first is None:
            return
        from distributed import KilledWorker

        client = self._connect()
        resources = {"GPU": 1} if gpu else None
        running: dict[Future, Job] = {}

        def submit(job: Job) -> None:
            running[client.submit(function, job, pure=False, resources=resources)] = job

        def hand_out() -> bool:
            """Keeps the workers busy; returns whether any job is out: all of them may have come back at once."""
            window = _WINDOW * max(1, self._count(client))
            for job in islice(waiting, max(0, window - len(running))):  # workers may have gone
                submit(job)
            return bool(running)

        try:
            submit(first)
            while hand_out():
                for future in self._next_done(client, list(running)):
                    job = running.pop(future)
                    try:
                        result: Result = future.result()
                    except KilledWorker:
                        submit(on_death(job))
                        continue
                    finally:
                        future.release()  # or the death of the worker that holds the result would have it made again
                    yield result
        finally:
            client.cancel(list(running))

    def _count(self, client: "Client") -> int:
        """Returns how many workers there are, looked up now and then: they may come late and go.

        Has Dask start anew what it gives up: workers that die as they start, or are long in coming back.
        """
        now = time.monotonic()
        if now - self._counted >= _WATCH_S:
            self._counted, self._workers = now, len(client.nthreads())
            wanted = len(self._ours.worker_spec) if self._scheduler.kind in {"local", "cuda"} else 0
            if self._workers < wanted:
                self._ours.scale(wanted)
        return self._workers

    def _next_done(self, client: "Client", futures: "list[Future]") -> "list[Future]":
        """Waits until at least one future is done, and sees to it that somebody is working on them.

        Raises:
            StoppedError: if the user has had enough, once the workers have let go.
            WorkerDiedError: if the cluster has had no worker for so long: Dask itself would wait for ever.
        """
        from distributed import wait

        alive = time.monotonic()
        while True:
            if self._stop():
                self._drain(futures)
            try:
                return list(wait(futures, timeout=_TICK_S, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                now = time.monotonic()
                if self._count(client):
                    alive = now
                elif now - alive > self._scheduler.wait_s:
                    raise WorkerDiedError(
                        f"`{self._scheduler.option}` has had no worker for {self._scheduler.wait_s:g} s."
                        " What is done is kept: start workers and run the same command again."
                    ) from None

    def _drain(self, futures: "list[Future]") -> None:
        """Waits until the workers have saved what they have: they have been asked to stop."""
        from distributed import wait

        with suppress(TimeoutError):
            wait(futures, timeout=_LET_GO_S)
        raise StoppedError(STOPPED)


def _close(what: Any) -> None:
    """Closes a client or a cluster; what doesn't close, since a worker has died in the wrong moment, is killed."""
    import psutil

    closing = threading.Thread(target=what.close, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        for child in psutil.Process().children(recursive=True):
            child.kill()
        closing.join(_CLOSE_S)


STOPPED = "stopped: what is done is kept. Run the same command to go on."


def open_cluster(scheduler: Scheduler, stop: Callable[[], bool] = lambda: False) -> Cluster:
    """Returns the cluster that a scheduler stands for; nothing is started yet.

    Args:
        scheduler: What `--scheduler` names.
        stop: Tells whether the user has had enough.
    """
    return SyncCluster(stop) if scheduler.kind == "sync" else DaskCluster(scheduler, stop)
