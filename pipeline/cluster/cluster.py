"""Runs jobs in this process or on a Dask cluster.

Jobs and results are small, and only a bounded window of jobs is submitted at a time, never the whole corpus.
"""

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from queue import Empty, SimpleQueue
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
"""Jobs in flight per worker: enough to keep it busy, few enough to keep memory flat."""
_TICK_S = 0.5
"""Seconds between two checks for a wish to stop, while no job finishes."""
_WATCH_S = 5.0
"""Seconds between two counts of the workers."""
_GATHER_S = 5.0
"""Seconds that a worker may take to give a result, before anything else is looked after."""
_CLOSE_S = 10.0
"""Seconds a client or cluster may take to close; then its processes are killed."""
_LET_GO_S = 10.0
"""Seconds the workers may take to save their work when the run is stopped."""


class WorkerDiedError(ValleError):
    """Workers died too often, or all of them are gone."""


class Cluster(Protocol):
    """Runs jobs somewhere; a context manager."""

    def __enter__(self) -> Self:
        """Returns the cluster itself; starts nothing before there is work."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops what was started."""

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:
        """Starts or joins the cluster and returns its problems, one line each.

        Args:
            gpu: Whether there is work for a GPU.
            imports: The modules that the work imports slowly; workers started here may share them.
        """

    def ask(self, function: Callable[[Job], Result], job: Job) -> dict[str, Result | BaseException]:
        """Calls a function on each worker that others started; returns its answer or error by the worker's name."""

    def describe(self) -> str:
        """Returns the number of workers and the dashboard's address; "" without a cluster."""

    def workers(self) -> int:
        """Returns the number of jobs that are worked on at once, at least 1."""

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],
        *,
        gpu: bool = False,
    ) -> Iterator[Result]:
        """Runs the jobs and yields their results as they finish.

        Args:
            function: Called on a worker with a job; possibly more than once for the same job.
            jobs: The jobs.
            on_death: Returns the job to try next after the worker of the given one died.
            gpu: Whether the jobs need a worker with a GPU.

        Raises:
            StoppedError: if the user stops the run; the workers have saved their work.
            WorkerDiedError: if the cluster stays without workers.
        """


class SyncCluster:
    """Runs all jobs in this process, one after the other: for debugging and tests."""

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        self._stop = stop

    def __enter__(self) -> Self:
        """Returns the cluster itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Does nothing."""

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:  # noqa: ARG002 (a stage reports it)
        """Returns no problems."""
        return []

    def ask(
        self,
        function: Callable[[Job], Result],  # noqa: ARG002
        job: Job,  # noqa: ARG002
    ) -> dict[str, Result | BaseException]:
        """Asks nobody."""
        return {}

    def describe(self) -> str:
        """Returns ""."""
        return ""

    def workers(self) -> int:
        """Returns 1."""
        return 1

    def run(
        self,
        function: Callable[[Job], Result],
        jobs: Iterable[Job],
        on_death: Callable[[Job], Job],  # noqa: ARG002 (a death here ends this process)
        *,
        gpu: bool = False,  # noqa: ARG002
    ) -> Iterator[Result]:
        """Yields the results in order."""
        for job in jobs:
            if self._stop():
                raise StoppedError(STOPPED)
            yield function(job)


class DaskCluster:
    """Runs jobs on a Dask cluster: one of our own, or an existing one.

    Args:
        scheduler: What to start or join.
        stop: Returns whether the user wants to stop.
    """

    def __init__(self, scheduler: Scheduler, stop: Callable[[], bool] = lambda: False) -> None:
        self._scheduler = scheduler
        self._stop = stop
        self._client: Client | None = None
        self._ours: Any = None
        self._workers, self._counted = 0, -_WATCH_S
        self._scaling: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Returns the cluster itself; workers start with the first job."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnects from the cluster, and stops it if it is ours."""
        if self._client:
            _close(self._client)
        if self._ours:
            _close(self._ours)
        self._client = self._ours = None

    def _connect(self, imports: Collection[str] = ()) -> "Client":
        if self._client is None:
            # Ctrl-C reaches every process of the terminal, but we ask the workers to stop ourselves, so that they save
            # their work. So they inherit a mask of SIGINT, also those that replace a dead one. Python's resource
            # tracker lifts the mask in the thread that starts it, so it must not be started by one that starts workers.
            resource_tracker.ensure_running()
            ours = self._scheduler.kind in {"local", "cuda"}
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT} if ours else set())
            try:
                self._client, self._ours = start(self._scheduler, imports)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._client

    def problems(self, *, gpu: bool, imports: Collection[str] = ()) -> list[str]:
        """Starts or joins the cluster; returns its problems, one line each."""
        try:
            client = self._connect(imports)
        except UsageError as error:
            return [str(error)]
        problem = gpu_problem(client, self._scheduler) if gpu else ""
        return [problem] if problem else []

    def ask(self, function: Callable[[Job], Result], job: Job) -> dict[str, Result | BaseException]:
        """Asks each worker that others started: those of our own are this machine and this program."""
        if self._scheduler.kind in {"local", "cuda"}:
            return {}
        client = self._connect()
        names = {address: one["name"] for address, one in client.scheduler_info(n_workers=-1)["workers"].items()}
        found: dict[str, Result | BaseException] = client.run(function, job, on_error="return")
        return {
            address if names.get(address, address) == address else f"{names[address]} ({address})": answer
            for address, answer in found.items()
        }

    def describe(self) -> str:
        """Returns the number of workers and the dashboard's address."""
        client = self._connect()
        workers = len(client.nthreads())
        return f"{workers} worker{'s' * (workers != 1)}, {client.dashboard_link}"

    def workers(self) -> int:
        """Returns the number of workers, as last counted."""
        return max(1, self._workers)

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
        done: SimpleQueue[Future] = SimpleQueue()

        def submit(jobs: list[Job]) -> None:
            if not jobs:
                return
            for future, job in zip(client.map(function, jobs, pure=False, resources=resources), jobs, strict=True):
                running[future] = job
                # Dask's `wait` asks every future that runs: of a thousand workers that would be thousands for each
                # result.
                future.add_done_callback(done.put)

        def hand_out() -> bool:
            """Fills the window; returns whether any job is running: all may have finished at once."""
            window = _WINDOW * max(1, self._count(client))
            submit(list(islice(waiting, max(0, window - len(running)))))  # the window shrinks when workers go
            return bool(running)

        try:
            submit([first])
            while hand_out():
                self._stop_if_asked(running)
                finished = self._watched(client, running, partial(_next_done, done))
                results: dict[Future, Result] = _gathered_together(client, finished)
                for future in finished:
                    job = running.pop(future)
                    try:
                        if future not in results:
                            results[future] = self._watched(client, running, partial(_gathered, future))
                    except KilledWorker:
                        submit([on_death(job)])
                        continue
                    finally:
                        future.release()  # else Dask makes the result again if the worker that holds it dies
                    yield results.pop(future)
        finally:
            client.cancel(list(running))

    def _count(self, client: "Client") -> int:
        """Returns the number of workers, counted every `_WATCH_S` seconds: workers may join late and leave.

        Starts missing workers of our own cluster: Dask gives up those that die as they start, or return too slowly.
        """
        now = time.monotonic()
        if now - self._counted >= _WATCH_S:
            self._counted, self._workers = now, len(client.nthreads())
            wanted = len(self._ours.worker_spec) if self._scheduler.kind in {"local", "cuda"} else 0
            if self._workers < wanted and not (self._scaling and self._scaling.is_alive()):
                # Dask keeps those that failed as they started, and takes them for workers.
                for name, worker in [*self._ours.workers.items()]:
                    if worker.status.name in {"failed", "closed"}:
                        self._ours.workers.pop(name, None)
                # In a thread: Dask waits for the new worker, and waits for ever if that hangs as it starts.
                self._scaling = threading.Thread(target=self._ours.scale, args=(wanted,), daemon=True)
                self._scaling.start()
        return self._workers

    def _watched(self, client: "Client", running: "Collection[Future]", wait: Callable[[], Result]) -> Result:
        """Returns what `wait` does, which raises `Empty` after a while; it is called as long as there are workers.

        Raises:
            StoppedError: if the user stops the run, after the workers have saved their work.
            WorkerDiedError: if the cluster has had no worker for `wait_s`: Dask itself would wait for ever.
        """
        alive = time.monotonic()
        while True:
            try:
                return wait()
            except Empty:
                self._stop_if_asked(running)
                now = time.monotonic()
                if self._count(client):
                    alive = now
                elif now - alive > self._scheduler.wait_s:
                    raise WorkerDiedError(
                        f"`{self._scheduler.option}` has had no worker for {self._scheduler.wait_s:g} s."
                        " Finished work is kept: start workers and run the same command again."
                    ) from None

    def _stop_if_asked(self, running: "Collection[Future]") -> None:
        """Waits until the workers, which have been asked to stop, have saved their work, and raises `StoppedError`."""
        from distributed import wait

        if not self._stop():
            return
        with suppress(TimeoutError):
            wait(list(running), timeout=_LET_GO_S)
        raise StoppedError(STOPPED)


def _next_done(done: "SimpleQueue[Future]") -> "list[Future]":
    """Returns the futures that are done, at least one; raises `Empty` if none is for `_TICK_S`."""
    return [done.get(timeout=_TICK_S), *(done.get_nowait() for _ in range(done.qsize()))]


def _gathered_together(client: "Client", futures: "Sequence[Future]") -> "dict[Future, Any]":
    """Returns the results of jobs that are done, without those that failed or whose worker doesn't give them.

    One question for all: a question for each takes the client longer than anything else that it does for a job.
    """
    whole = [future for future in futures if future.status == "finished"]
    if len(whole) < 2:
        return {}
    try:
        gather = partial(client.gather, whole, errors="skip", asynchronous=True)
        found = client.sync(gather, callback_timeout=_GATHER_S)
    except TimeoutError:
        return {}
    # Fewer, if a result was lost with its worker and the job has failed since; it isn't told which.
    return dict(zip(whole, found, strict=True)) if len(found) == len(whole) else {}


def _gathered(future: "Future") -> Any:
    """Returns a job's result, or raises its error; raises `Empty` if its worker doesn't give it in `_GATHER_S`.

    The worker may have died since it finished the job; Dask then waits for another one to do it again.
    """
    try:
        return future.result(timeout=_GATHER_S)
    except TimeoutError:
        if future.status == "error":  # the job's own
            raise
        raise Empty from None


def _close(what: Any) -> None:
    """Closes a client or cluster; kills it if it doesn't close because a worker died at the wrong moment."""
    import psutil

    closing = threading.Thread(target=what.close, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        for child in psutil.Process().children(recursive=True):
            child.kill()
        closing.join(_CLOSE_S)


STOPPED = "stopped: finished work is kept. Run the same command to go on."


def open_cluster(scheduler: Scheduler, stop: Callable[[], bool] = lambda: False) -> Cluster:
    """Returns the cluster for a scheduler, without starting it.

    Args:
        scheduler: What `--scheduler` names.
        stop: Returns whether the user wants to stop.
    """
    return SyncCluster(stop) if scheduler.kind == "sync" else DaskCluster(scheduler, stop)
