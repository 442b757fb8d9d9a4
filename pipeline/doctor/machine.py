"""What `valle-prep doctor` finds on this machine: devices, disk, limits and the cluster."""

import os
import shutil
import tempfile
from pathlib import Path

from pipeline.cluster.scheduler import Scheduler, parse_scheduler
from pipeline.cluster.start import survey
from pipeline.doctor.check import GIB, Check, Status, gib, reason
from stages.errors import ValleError
from stages.machine import cores, parse_device

_LEAST_DISK = GIB // 4
"""Bytes free under which even a small dataset fails."""
_LITTLE_DISK = 10 * GIB
_LITTLE_SCRATCH = GIB
_FILES_OF_A_WORKER = 64
_FILES_OF_OURS = 512


def processor() -> list[Check]:
    """Checks the processor's cores and the memory."""
    return [
        Check("cores", "devices", "ok", f"{cores()} usable"),
        Check("memory", "devices", "ok", gib(_memory()) if _memory() else "unknown"),
    ]


def _memory() -> int:
    """Returns the bytes of memory this process may use: the machine's, or its control group's if less; 0: unknown."""
    sizes = []
    if "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # not there, or `max`
            continue
    return min(sizes, default=0)


def cuda(device: str) -> list[Check]:
    """Checks the CUDA devices, as torch sees them.

    Args:
        device: What is to be computed on: `cpu`, `cuda` or `cuda:N`.
    """
    wanted = parse_device(device)
    on_gpu = wanted.kind == "cuda"
    try:
        import torch

        found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        mend = "Run `make setup`" + (", or compute with `--device cpu`." if on_gpu else ".")
        return [Check("cuda", "devices", "problem", f"torch can't say: {reason(error)}", mend)]
    rows = [
        Check(f"cuda:{index}", "devices", "ok", f"{one.name}, {gib(one.total_memory)}")
        for index, one in enumerate(found)
    ]
    if on_gpu and (wanted.index or 0) >= len(found):
        hint = f"Compute with `--device cpu`, or install a CUDA build of torch (this is {torch.__version__})."
        rows.append(Check(device, "devices", "problem", f"not among the {len(found)} that torch sees", hint))
    elif not found:
        rows.append(Check("cuda", "devices", "ok", f"none; computing on the {device}"))
    return rows


def disk(out: Path, *, write: bool) -> list[Check]:
    """Checks the disk that the dataset lies on, or would lie on.

    Args:
        out: The dataset's folder; it needn't be there.
        write: Whether a file without a name may be written there for a moment.
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
    """Tries what commits and locks need: writing, `fsync` of the file and of the folder, `flock`."""
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
        hint = "Name a folder on a local disk, and one that you may write to, with `--out`."
        return Check("writing", "disk", "problem", f"{step} in `{folder}` fails: {reason(error)}", hint)
    return Check("writing", "disk", "ok", "files can be written, synced and locked")


def scratch() -> list[Check]:
    """Checks the folders that processes exchange and park their data in."""
    rows = []
    for name, folder in (("shared memory", Path("/dev/shm")), ("temporary files", Path(tempfile.gettempdir()))):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            continue  # /dev/shm is Linux's alone
        little = free < _LITTLE_SCRATCH
        hint = ("Start the container with `--shm-size`." if "shm" in folder.name else "Set TMPDIR.") if little else ""
        rows.append(Check(name, "disk", "note" if little else "ok", f"{gib(free)} free in `{folder}`", hint))
    return rows


def open_files(scheduler: str, jobs: int | None) -> list[Check]:
    """Checks how many files may be open at once against what a local cluster opens."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    needed = _FILES_OF_OURS + _FILES_OF_A_WORKER * (jobs or cores()) * (scheduler == "local")
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return [Check("open files", "disk", "ok", f"{shown} allowed")]
    most = "" if hard == resource.RLIM_INFINITY else f" (at most {hard:,} here)"
    return [Check("open files", "disk", "note", f"{shown} allowed", f"Raise it with `ulimit -n {needed}`{most}.")]


def scheduler(name: str, *, jobs: int | None, device: str) -> list[Check]:
    """Checks the scheduler that is named; one with an address is asked for its workers, none is started.

    Args:
        name: What `--scheduler` says.
        jobs: What `--jobs` says.
        device: `cpu`, `cuda` or `cuda:N`.
    """
    try:
        named = parse_scheduler(name, jobs=jobs, device=device)
        if named.kind not in {"address", "file"}:
            return [Check("scheduler", "cluster", "ok", _to_start(named))]
        found = survey(named)
    except (ValleError, ImportError) as error:
        hint = "Name another, or work here: `--scheduler local`."
        return [Check("scheduler", "cluster", "problem", str(error), hint)]
    value = f"`{name}`: {found['workers']} workers, {found['threads']} threads, {gib(found['memory'])} of memory"
    if found["workers"]:
        return [Check("scheduler", "cluster", "ok", value)]
    return [Check("scheduler", "cluster", "problem", value, f"Start workers: `dask worker {name} --nthreads 1`.")]


def _to_start(named: Scheduler) -> str:
    """Returns what a run would start."""
    match named.kind:
        case "sync":
            return "`sync`: this process, one thread"
        case "local":
            workers = named.jobs or cores()
            return f"`local`: {workers} workers of one thread, {gib(_memory() // workers)} of memory each"
        case "cuda":
            return "`cuda`: a worker a GPU"
    return f"`slurm:{named.where}`: jobs on Slurm; its file is sound"
