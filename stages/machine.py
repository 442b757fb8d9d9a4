"""The machine that a process runs on: its processor cores, and the devices that names stand for."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stages.errors import UsageError

_DEVICE = re.compile(r"(cpu|cuda)|cuda:([0-9]+)")


@dataclass(frozen=True, slots=True)
class Device:
    """What `cpu`, `cuda` or `cuda:N` names; whether it is there isn't looked at."""

    kind: Literal["cpu", "cuda"]
    index: int | None = None
    """N, where one GPU is named."""


def cores() -> int:
    """Returns how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Returns what the processor is called, as measurements name it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def parse_device(name: str, *, option: str | None = None) -> Device:
    """Returns the device that a name stands for.

    Args:
        name: `cpu`, `cuda` or `cuda:N`.
        option: What the user gave it by, where `auto` may be given too: the message names it.

    Raises:
        UsageError: if it names no device.
    """
    found = _DEVICE.fullmatch(name)
    if found is None:
        if option:
            raise UsageError(f"`{option}` must be auto, cpu, cuda or cuda:N, but is `{name}`.")
        raise UsageError(f"`{name}` must be a device: `cpu`, `cuda` or `cuda:N`.")
    return Device("cpu") if found[1] == "cpu" else Device("cuda", None if found[2] is None else int(found[2]))


def on_gpu(device: str) -> bool:
    """Returns whether a device, `cpu`, `cuda` or `cuda:N`, is a GPU."""
    return parse_device(device).kind == "cuda"
