"""Starts a Dask cluster, or joins one."""

import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import forkserver
from typing import TYPE_CHECKING, Any

from pipeline.cluster.scheduler import Scheduler, address_in
from pipeline.cluster.slurm import slurm_cluster, submit
from stages.errors import MachineError, UsageError
from stages.machine import cores, parse_device

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 15
"""Seconds to try to reach a scheduler."""
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_TRIM_THRESHOLD_": 2**26}
"""glibc keeps up to 64 MiB that were freed, as it comes to do by itself. Dask's own setting gives all of it back at
once, and what is asked for next costs page faults: hearing took 1.5 times the processor time."""
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), 1),
    **_MALLOC,
}
"""Variables of every worker: the libraries, too, use one thread."""
_FORKED = {"PYTHONHASHSEED": 6640}
"""A further one that Dask sets before it starts a worker, and that a process obeys only if it starts with it."""
_GPU = {"GPU": 1}
_METHOD = "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD"
_STARTS = 3
"""Attempts to start a local cluster: Dask gives up if one of its workers dies as it starts."""


def start(scheduler: Scheduler, imports: Collection[str] = ()) -> "tuple[Client, Any | None]":
    """Starts or joins a cluster and waits for a first worker.

    Args:
        scheduler: Any but `sync`.
        imports: Modules that the work imports slowly: local workers share them.

    Returns:
        The connected client, and our cluster to close (None for a joined one). Close the client first.

    Raises:
        UsageError: if there is no scheduler, worker, package or GPU, or Slurm refuses the job; says what to do.
        MachineError: if local workers die as they start, `_STARTS` times.
    """
    match scheduler.kind:
        case "local":
            return _start_local(scheduler, imports)
        case "cuda":
            return _start_cuda(scheduler)
        case "slurm":
            return _start_slurm(scheduler)
        case "address" | "file":
            return _join(scheduler), None
        case "sync":
            raise ValueError("`sync` has no cluster to start")


def _settings() -> dict[str, Any]:
    return {
        # Report every death at once: the runner finds the item that caused it and spares its neighbours.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.daemon": False,
        "distributed.worker.preload": ["pipeline.cluster.preload"],
        # Keep a minute of samples and few transitions: these are most of what the client's memory grows by.
        "distributed.admin.system-monitor.log-length": 120,
        "distributed.admin.low-level-log-length": 100,
        # By default each process looks at its stack 100 times a second and at its event loop 50 times, working or not.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
        **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in _ENVIRONMENT.items()},
    }


def _fork_workers(imports: Collection[str]) -> None:
    """Lets a server that has imported what local workers need fork them: they start in a fraction of a second.

    Only on Linux, as elsewhere system libraries must not be used after a fork, and unless Dask's own environment
    variable names another method. The server has one thread and no state but its imports. The choice holds as long as
    this process lives, since Dask also starts workers in place of dead ones. The server starts before this process
    imports Dask, so that both import at the same time; Dask would start it last.
    """
    if sys.platform != "linux" or _METHOD in os.environ:
        return
    forkserver.set_forkserver_preload(["distributed", *imports])
    with _environment({name: str(value) for name, value in (_ENVIRONMENT | _FORKED).items()}):
        forkserver.ensure_running()
    import dask

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for processes started in a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_local(scheduler: Scheduler, imports: Collection[str]) -> "tuple[Client, Any]":
    _fork_workers(imports)
    import dask
    from distributed import Client, LocalCluster

    options = {
        "n_workers": scheduler.jobs or cores(),
        "threads_per_worker": 1,
        "processes": True,
        "resources": _GPU if scheduler.on_gpu else None,
        "dashboard_address": ":0",
        "host": "127.0.0.1",
        "silence_logs": "CRITICAL",
    }
    with ExitStack() as opened, dask.config.set(_settings()):
        for left in reversed(range(_STARTS)):
            try:
                cluster = opened.enter_context(closing(LocalCluster(**options)))
                break
            except RuntimeError as error:
                if not left:
                    raise MachineError(
                        f"`{scheduler.option}`: workers died as they started, {_STARTS} times."
                        " Lack of memory is the usual cause: give fewer `--jobs`."
                    ) from error
        client = Client(cluster)
        opened.pop_all()
        return client, cluster


def _start_cuda(scheduler: Scheduler) -> "tuple[Client, Any]":
    import dask
    from distributed import Client

    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise UsageError(
            f"`--scheduler cuda` needs dask-cuda, but: {error}. Install it with `make setup EXTRAS=dev,cuda`."
        ) from error
    with ExitStack() as opened, dask.config.set(_settings()):
        cluster = LocalCUDACluster(**cuda_options(scheduler, _visible_gpus()))
        opened.enter_context(closing(cluster))
        client = Client(cluster)
        opened.pop_all()
        return client, cluster


def cuda_options(scheduler: Scheduler, visible: list[str]) -> dict[str, Any]:
    """Returns the arguments of `LocalCUDACluster`.

    Args:
        scheduler: Device `cuda:N` takes only GPU N; `jobs` takes the first ones.
        visible: The GPUs this process sees, named as in `CUDA_VISIBLE_DEVICES`.

    Raises:
        UsageError: if there is no such GPU.
    """
    index = parse_device(scheduler.device).index
    chosen = visible[: scheduler.jobs] if index is None else visible[index : index + 1]
    if not chosen:
        raise UsageError(
            f"`--scheduler cuda --device {scheduler.device}` needs a GPU that PyTorch sees, but it sees"
            f" {len(visible)}. Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or give `--scheduler local --device cpu`."
        )
    return {
        "CUDA_VISIBLE_DEVICES": chosen,
        "threads_per_worker": 1,
        "resources": _GPU,
        "dashboard_address": ":0",
        "host": "127.0.0.1",
        "silence_logs": "CRITICAL",
    }


def _visible_gpus() -> list[str]:
    import torch

    count = torch.cuda.device_count()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return listed.split(",")[:count] if listed else [str(number) for number in range(count)]


def _start_slurm(scheduler: Scheduler) -> "tuple[Client, Any]":
    import dask
    from distributed import Client

    config = scheduler.slurm
    if config is None:
        raise ValueError("`parse_scheduler` reads the file of `slurm:FILE`")
    with ExitStack() as opened, dask.config.set(_settings()):
        cluster = opened.enter_context(closing(slurm_cluster(config, _ENVIRONMENT)))
        if shutil.which("sbatch") is None:
            raise UsageError(
                f"`{scheduler.option}` needs `sbatch`, which isn't on PATH. Run it on a login node of Slurm."
            )
        try:
            cluster.sync(submit, cluster, scheduler.jobs or config.jobs)
        except (RuntimeError, ValueError, OSError) as error:
            raise UsageError(
                f"`{scheduler.option}`: Slurm didn't take the job: {' '.join(str(error).split())}. Correct the file."
            ) from error
        client = opened.enter_context(closing(Client(cluster)))
        try:
            client.wait_for_workers(1, timeout=config.wait_s)
        except TimeoutError as error:
            raise UsageError(
                f"`{scheduler.option}`: no Slurm job has brought a worker within {config.wait_s:g} s. Look at `squeue`"
                f" and at what the jobs print ({config.log_directory or 'slurm-*.out'}), or raise `wait_s`."
            ) from error
        opened.pop_all()
        return client, cluster


def _connect(scheduler: Scheduler) -> "Client":
    from distributed import Client

    try:
        address = address_in(scheduler.where) if scheduler.kind == "file" else scheduler.where
        _check_address(address)
        return Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        file = f" --scheduler-file {scheduler.where}" if scheduler.kind == "file" else ""
        raise UsageError(
            f"`{scheduler.option}` must name a Dask scheduler that runs, but: {' '.join(str(error).split())}."
            f" Start one with `dask scheduler{file}` and workers with `{_worker_command(scheduler)}`."
        ) from error


def _check_address(address: str) -> None:
    """Refuses addresses on which `Client` fails: it would stay half open and could block the next client."""
    from distributed.comm import get_address_host_port
    from distributed.security import Security

    get_address_host_port(address, strict=True)
    secure = Security().get_connection_args("client").get("ssl_context")
    if address.startswith("tls://") and not secure:
        raise ValueError("its certificates aren't in Dask's configuration (distributed.comm.tls)")


def survey(scheduler: Scheduler) -> dict[str, int]:
    """Returns the resources of an existing cluster, without giving it work.

    Args:
        scheduler: An address or a file.

    Returns:
        The numbers of `workers` and `threads`, and `memory` in bytes.

    Raises:
        UsageError: if no scheduler answers.
    """
    with _connect(scheduler) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(worker["nthreads"] for worker in workers)
    return {"workers": len(workers), "threads": threads, "memory": sum(worker["memory_limit"] for worker in workers)}


def _join(scheduler: Scheduler) -> "Client":
    client = _connect(scheduler)
    with ExitStack() as opened:
        opened.enter_context(closing(client))
        try:
            client.wait_for_workers(1, timeout=scheduler.wait_s)
        except OSError as error:
            raise UsageError(
                f"`{scheduler.option}` has had no worker for {scheduler.wait_s:g} s."
                f" Start one a core with `{_worker_command(scheduler)}`."
            ) from error
        opened.pop_all()
        return client


def _worker_command(scheduler: Scheduler) -> str:
    where = f"--scheduler-file {scheduler.where}" if scheduler.kind == "file" else scheduler.where
    return f"dask worker {where} --nthreads 1" + (' --resources "GPU=1"' if scheduler.on_gpu else "")


def gpu_problem(client: "Client", scheduler: Scheduler) -> str:
    """Returns why the cluster can't run jobs that need a GPU; "" if it can. Dask would wait for a GPU for ever.

    Args:
        client: A client of the cluster, after its workers have joined.
        scheduler: What `--scheduler` named.
    """
    if not scheduler.on_gpu:
        return ""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["resources"].get("GPU", 0) >= 1 for worker in workers):
        return ""
    return (
        f"`--device {scheduler.device}` needs a worker that offers a GPU, but none of the {len(workers)} workers of"
        f" `{scheduler.option}` does. Start workers with `{_worker_command(scheduler)}`, or give `--device cpu`."
    )
