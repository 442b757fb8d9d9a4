"""The doctor's checks of the machine: devices, disk, limits and the cluster."""

import os
import shutil
import tempfile
from pathlib import Path

from pipeline.cluster.scheduler import Scheduler, parse_scheduler
from pipeline.cluster.start import survey
from pipeline.doctor.check import GIB, Check, Status, gib, reason
from stages.errors import ValleError
from stages.machine import cores, memory_bytes, parse_device

_LEAST_DISK = GIB // 4
"""Free bytes below which even a small dataset fails."""
_LITTLE_DISK = 10 * GIB
_LITTLE_SCRATCH = GIB
_FILES_PER_WORKER = 64
_FILES_OF_CLIENT = 512


def processor() -> list[Check]:
    """Reports the usable cores and memory."""
    return [
        Check("cores", "devices", "ok", f"{cores()} usable"),
        Check("memory", "devices", "ok", gib(memory_bytes()) if memory_bytes() else "unknown"),
    ]


def cuda(device: str) -> list[Check]:
    """Checks the CUDA devices that torch sees.

    Args:
        device: The device to use: `cpu`, `cuda` or `cuda:N`.
    """
    wanted = parse_device(device)
    on_gpu = wanted.kind == "cuda"
    try:
        import torch

        found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        hint = "Run `make setup`" + (", or use `--device cpu`." if on_gpu else ".")
        return [Check("cuda", "devices", "problem", f"torch can't list the devices: {reason(error)}", hint)]
    rows = [
        Check(f"cuda:{index}", "devices", "ok", f"{gpu.name}, {gib(gpu.total_memory)}")
        for index, gpu in enumerate(found)
    ]
    if on_gpu and (wanted.index or 0) >= len(found):
        hint = f"Use `--device cpu`, or install a CUDA build of torch (this is {torch.__version__})."
        rows.append(Check(device, "devices", "problem", f"not one of the {len(found)} that torch sees", hint))
    elif not found:
        rows.append(Check("cuda", "devices", "ok", f"none; using the {device}"))
    return rows


def disk(out: Path, *, write: bool) -> list[Check]:
    """Checks the free space of the dataset's disk, and that files can be written, synced and locked there.

    Args:
        out: The dataset's folder; need not exist.
        write: Whether to write an unnamed temporary file there.
    """
    folder = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        hint = "Name another folder with `--out`."
        return [Check("free space", "disk", "problem", f"`{folder}`: {reason(error)}", hint)]
    status: Status = "ok"
    if free < _LITTLE_DISK:
        status = "problem" if free < _LEAST_DISK else "note"
    hint = "" if status == "ok" else "An hour of speech takes 5 to 20 MB: make room, or name another disk with `--out`."
    space = Check("free space", "disk", status, f"{gib(free)} at `{folder}`", hint)
    return [space, _writable(folder) if write else Check("writing", "disk", "note", "not tried: `--dry-run`")]


def _writable(folder: Path) -> Check:
    """Tries what commits and locks need: writing, `fsync` and `flock`."""
    import fcntl

    step = "writing"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"valle")
            file.flush()
            step = "fsync"
            os.fsync(file.fileno())
            step = "locking (flock)"
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
    except OSError as error:
        hint = "Name a writable folder on a local disk with `--out`."
        return Check("writing", "disk", "problem", f"{step} in `{folder}` fails: {reason(error)}", hint)
    return Check("writing", "disk", "ok", "files can be written, synced and locked")


def scratch() -> list[Check]:
    """Checks the free space of shared memory and of the folder for temporary files."""
    rows = []
    for name, folder in (("shared memory", Path("/dev/shm")), ("temporary files", Path(tempfile.gettempdir()))):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            continue  # only Linux has /dev/shm
        little = free < _LITTLE_SCRATCH
        hint = ("Start the container with `--shm-size`." if "shm" in folder.name else "Set TMPDIR.") if little else ""
        rows.append(Check(name, "disk", "note" if little else "ok", f"{gib(free)} free in `{folder}`", hint))
    return rows


def open_files(scheduler: str, jobs: int | None) -> list[Check]:
    """Checks the limit of open files against the number that a local cluster opens."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    needed = _FILES_OF_CLIENT + _FILES_PER_WORKER * (jobs or cores()) * (scheduler == "local")
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return [Check("open files", "disk", "ok", f"{shown} allowed")]
    most = "" if hard == resource.RLIM_INFINITY else f" (at most {hard:,} here)"
    return [Check("open files", "disk", "note", f"{shown} allowed", f"Raise it with `ulimit -n {needed}`{most}.")]


def scheduler(name: str, *, jobs: int | None, device: str) -> list[Check]:
    """Checks `--scheduler`. Connects to a running cluster to count its workers, but starts none.

    Args:
        name: The value of `--scheduler`.
        jobs: The value of `--jobs`.
        device: `cpu`, `cuda` or `cuda:N`.
    """
    try:
        named = parse_scheduler(name, jobs=jobs, device=device)
        if named.kind not in {"address", "file"}:
            return [Check("scheduler", "cluster", "ok", _to_start(named))]
        found = survey(named)
    except (ValleError, ImportError) as error:
        hint = "Name another, or use `--scheduler local`."
        return [Check("scheduler", "cluster", "problem", str(error), hint)]
    value = f"`{name}`: {found['workers']} workers, {found['threads']} threads, {gib(found['memory'])} of memory"
    if found["workers"]:
        return [Check("scheduler", "cluster", "ok", value)]
    return [Check("scheduler", "cluster", "problem", value, f"Start workers: `dask worker {name} --nthreads 1`.")]


def _to_start(named: Scheduler) -> str:
    """Describes what a run would start."""
    match named.kind:
        case "sync":
            return "`sync`: this process, one thread"
        case "local":
            workers = named.jobs or cores()
            return f"`local`: {workers} workers of one thread, {gib(memory_bytes() // workers)} of memory each"
        case "cuda":
            return "`cuda`: one worker per GPU"
    return f"`slurm:{named.where}`: jobs on Slurm; its file is valid"
