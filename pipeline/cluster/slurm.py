"""Runs Dask workers as Slurm jobs, as the file of `--scheduler slurm:FILE` describes."""

import os
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from stages.config import Config
from stages.errors import UsageError


class SlurmConfig(Config):
    """The file of `--scheduler slurm:FILE`: what each Slurm job requests, and how its workers start."""

    jobs: int = Field(1, ge=1)
    """Slurm jobs to submit; `--jobs` overrides it."""
    cores: int = Field(1, ge=1)
    """Cores per job; each core runs one worker with one thread."""
    memory: str
    """Memory per job with its unit, such as `16GB`; the job's workers share it evenly."""
    walltime: str
    """Time limit per job, as Slurm writes it: `08:00:00`, `2-00:00:00`, or minutes in quotes."""
    gpus: int = Field(0, ge=0)
    """GPUs per job (`--gres=gpu:N`). As many of its workers get one each; the others do the work that needs none."""
    queue: str | None = None
    """Partition (`-p`). Not set: the cluster's default."""
    account: str | None = None
    """Account to charge (`-A`)."""
    directives: list[str] = Field(default=[])
    """More options for `#SBATCH` lines, such as `--qos=long` or `--constraint=a100`."""
    prologue: list[str] = Field(default=[])
    """Shell lines to run before the workers, such as `module load cuda` or `export HF_HOME=/scratch/models`."""
    python: str | None = None
    """Python that starts the workers; it must have this package. Not set: the one that runs this command."""
    interface: str | None = None
    """Network interface between scheduler and workers, such as `ib0`. Not set: that of the default route."""
    port: int = Field(0, ge=0, le=65535)
    """Port on which workers reach the scheduler, for a firewall; 0: any free port."""
    local_directory: str | None = None
    """Folder for the workers' scratch files: a fast disk of the node."""
    log_directory: str | None = None
    """Folder for the jobs' output. Not set: the current folder."""
    name: str = "valle-prep"
    """Name of the jobs in the queue."""
    wait_s: float = Field(3600.0, gt=0)
    """Seconds to wait while there is no worker: queues may be slow."""

    @field_validator("memory")
    @classmethod
    def _check_memory(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)? ?[KMGT](i?B)?", value):
            raise ValueError(f"must be a number with a unit, such as 16GB, but is `{value}`")
        return value

    @field_validator("walltime")
    @classmethod
    def _check_walltime(cls, value: str) -> str:
        if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", value):
            raise ValueError(f"must be a time as Slurm writes it, such as 08:00:00, but is `{value}`")
        return value

    @field_validator("gpus")
    @classmethod
    def _check_gpus(cls, value: int, info: ValidationInfo) -> int:
        cores = info.data.get("cores", value)
        if value > cores:
            raise ValueError(f"must be at most `cores` ({cores}), one worker per GPU, but is {value}")
        return value

    @field_validator("directives")
    @classmethod
    def _check_directives(cls, value: list[str]) -> list[str]:
        if wrong := [directive for directive in value if not directive.startswith("-")]:
            raise ValueError(f"must be options such as `--qos=long`, without `#SBATCH`, but one is `{wrong[0]}`")
        return value


def slurm_cluster(config: SlurmConfig, environment: Mapping[str, int]) -> Any:
    """Returns a `SLURMCluster`: its scheduler runs in this process, and no job is submitted yet.

    Args:
        config: What the jobs request.
        environment: Environment variables of every worker.

    Raises:
        UsageError: if dask-jobqueue is missing, or the scheduler can't listen on the `interface` or `port`.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise UsageError(
            f"`--scheduler slurm:FILE` needs dask-jobqueue, but: {error}."
            " Install it with `make setup EXTRAS=dev,slurm`."
        ) from error
    try:
        return SLURMCluster(**_options(config, environment))
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(
            f"`--scheduler slurm:FILE`: the Dask scheduler can't start: {error}. Correct its `interface` or `port`."
        ) from error


async def submit(cluster: Any, jobs: int) -> None:
    """Submits the jobs. Run it in the cluster's own event loop, with `cluster.sync`.

    Args:
        cluster: The cluster from `slurm_cluster`.
        jobs: Number of jobs.

    Raises:
        RuntimeError: if `sbatch` fails; contains its output.
    """
    from distributed import Status

    cluster.scale(jobs=jobs)
    try:
        # `scale` submits in the background, where a failure is only logged; awaited here, it is raised.
        await cluster._correct_state()
    except (RuntimeError, ValueError, OSError):
        for job in cluster.workers.values():
            if job.job_id is None:
                job.status = Status.failed  # else the cluster refuses to close
        raise


def _options(config: SlurmConfig, environment: Mapping[str, int]) -> dict[str, Any]:
    directives, prologue, worker = [*config.directives], [*config.prologue], []
    prologue += [f"export {name}={value}" for name, value in environment.items()]
    if config.gpus:
        directives.append(f"--gres=gpu:{config.gpus}")
        worker += ["--resources", "GPU=1"]
    if config.gpus and config.cores > 1:
        numbers = ",".join(str(number) for number in range(config.gpus))
        prologue.append(f'export CUDA_VISIBLE_DEVICES="${{CUDA_VISIBLE_DEVICES:-{numbers}}}"')
        worker += ["--preload-nanny", __name__]
    return {
        "cores": config.cores,
        "processes": config.cores,
        "memory": config.memory,
        "walltime": config.walltime,
        "queue": config.queue,
        "account": config.account,
        "job_extra_directives": directives,
        "job_script_prologue": prologue,
        "worker_extra_args": worker,
        "python": config.python,
        "interface": config.interface,
        "local_directory": config.local_directory,
        "log_directory": config.log_directory,
        "job_name": config.name,
        "scheduler_options": {"dashboard_address": ":0", "port": config.port},
        "silence_logs": "CRITICAL",
    }


def dask_setup(nanny: Any) -> None:
    """Assigns a worker of a Slurm job its GPU, or none. Dask calls it before each worker starts.

    The first workers get one GPU each. The others offer none, so no GPU loads the models twice.

    Args:
        nanny: The `distributed.Nanny`, named `<job>-<number>`, before it starts its worker.
    """
    number = int(str(nanny.name).rpartition("-")[2])
    gpus = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    nanny.env["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[number : number + 1])
    if number >= len(gpus):
        nanny.resources = None
