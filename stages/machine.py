"""The machine that a process runs on: its processor, its devices, and whether it may download."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stages.errors import UsageError

_DEVICE = re.compile(r"(cpu|cuda)|cuda:([0-9]+)")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that `cpu`, `cuda` or `cuda:N` names; it need not exist."""

    kind: Literal["cpu", "cuda"]
    index: int | None = None
    """N of `cuda:N`; None otherwise."""


def cores() -> int:
    """Returns the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Returns the bytes of memory this process may use, the least of machine and control group; 0 if unknown."""
    sizes = []
    if "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # missing, or `max`
            continue
    return min(sizes, default=0)


def processor() -> str:
    """Returns the processor's name, for measurements."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def user_cache() -> Path:
    """Returns the folder of the user's caches; raises `RuntimeError` if the user has no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def parse_device(name: str, *, option: str | None = None) -> Device:
    """Parses the name of a device.

    Args:
        name: `cpu`, `cuda` or `cuda:N`.
        option: The option that gave the name and also accepts `auto`, for the message; None if there is none.

    Raises:
        UsageError: if the name isn't one of these.
    """
    match = _DEVICE.fullmatch(name)
    if match is None:
        if option:
            raise UsageError(f"`{option}` must be auto, cpu, cuda or cuda:N, but is `{name}`.")
        raise UsageError(f"`{name}` must be a device: `cpu`, `cuda` or `cuda:N`.")
    return Device("cpu") if match[1] == "cpu" else Device("cuda", None if match[2] is None else int(match[2]))


def on_gpu(device: str) -> bool:
    """Returns whether a device, `cpu`, `cuda` or `cuda:N`, is a GPU."""
    return parse_device(device).kind == "cuda"


_may_fetch = ContextVar("_may_fetch", default=True)


def may_fetch() -> bool:
    """Returns whether weights may be downloaded: everywhere but in a block of `nothing_fetched`."""
    return _may_fetch.get()


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Forbids downloads of weights inside its block."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


@contextmanager
def threads_kept() -> Iterator[None]:
    """Keeps the number of threads that torch computes with, where it is loaded.

    Making a model of CTranslate2 may set it for the whole process (findings/ctranslate2-sets-threads-of-torch.sh).
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(threads)
