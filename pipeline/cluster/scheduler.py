"""Parses `--scheduler`.

Every worker has one thread. GPU jobs ask for `resources={"GPU": 1}`. Our own clusters offer it if the device is a GPU;
`start.gpu_problem` reports a joined one that doesn't.
"""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.cluster.slurm import SlurmConfig
from stages.config import load_config
from stages.errors import UsageError
from stages.machine import on_gpu, parse_device

_WAIT_S = 60.0
"""Default seconds to wait for a worker."""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """The parsed and checked `--scheduler`; nothing is started."""

    kind: Literal["sync", "local", "cuda", "address", "file", "slurm"]
    where: str
    """The address, or the path of the file; "" for the other kinds."""
    jobs: int | None
    """The value of `--jobs`."""
    device: str
    """`cpu`, `cuda` or `cuda:N`."""
    slurm: SlurmConfig | None = None
    """The content of the file of `slurm:FILE`."""

    @property
    def wait_s(self) -> float:
        """Seconds to wait for a worker when the cluster has none."""
        return self.slurm.wait_s if self.slurm else _WAIT_S

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return on_gpu(self.device)

    @property
    def worker_device(self) -> str:
        """The device of the stages on a worker: with `cuda`, each worker sees only its own GPU."""
        return "cuda" if self.kind == "cuda" else self.device

    @property
    def option(self) -> str:
        """The option as it was given, for messages."""
        given = {"address": self.where, "file": self.where, "slurm": f"slurm:{self.where}"}
        return f"--scheduler {given.get(self.kind, self.kind)}"


def parse_scheduler(text: str, *, jobs: int | None, device: str) -> Scheduler:
    """Parses `--scheduler`; starts and connects nothing.

    Args:
        text: `sync`, `local`, `cuda`, an address such as `tcp://host:8786`, the path of a scheduler file, or
            `slurm:FILE` with a file as `SlurmConfig` describes it.
        jobs: Workers of a local cluster, or Slurm jobs; None for one per core, one per GPU, or the file's number.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: if the name is none of these, or doesn't fit the device.
        ConfigError: if the file of `slurm:FILE` is missing or wrong.
    """
    match text:
        case "sync" | "local":
            return Scheduler(text, "", jobs, device)
        case "cuda":
            if not on_gpu(device):
                raise UsageError(
                    "`--scheduler cuda` computes on GPUs, but the device is `cpu`."
                    " Give `--device cuda`, or `--scheduler local` to compute on the CPU."
                )
            return Scheduler("cuda", "", jobs, device)
    if text.startswith("slurm:"):
        return _parse_slurm(text.removeprefix("slurm:"), jobs, device)
    if "://" in text:
        return Scheduler("address", text, jobs, device)
    if Path(text).is_file():
        address_in(text)
        return Scheduler("file", text, jobs, device)
    near = difflib.get_close_matches(text, ["sync", "local", "cuda"], n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise UsageError(
        "`--scheduler` must be `sync`, `local`, `cuda`, an address such as `tcp://host:8786`, a scheduler file or"
        f" `slurm:FILE`, but is `{text}`.{hint}"
    )


def _parse_slurm(path: str, jobs: int | None, device: str) -> Scheduler:
    if not Path(path).expanduser().is_file():
        raise UsageError(
            f"`--scheduler slurm:FILE` must name a YAML file with the keys {', '.join(SlurmConfig.model_fields)},"
            f" but `{path}` isn't a file."
        )
    config = load_config(SlurmConfig, Path(path).expanduser())
    scheduler = Scheduler("slurm", path, jobs, device, config)
    if scheduler.on_gpu and not config.gpus:
        raise UsageError(
            f"`--device {device}` needs jobs with a GPU, but `gpus` is 0 ({path})."
            " Set it to at least 1, or give `--device cpu`."
        )
    if parse_device(device).index is not None:
        raise UsageError(
            f"`--device` must be `cuda` on Slurm, where the job decides which GPU it gets, but is `{device}`."
        )
    return scheduler


def address_in(path: str) -> str:
    """Reads the address from a scheduler file.

    Raises:
        UsageError: if `dask scheduler` didn't write the file.
    """
    try:
        address = json.loads(Path(path).read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, KeyError, TypeError):
        address = None
    if not isinstance(address, str):
        raise UsageError(
            f"`--scheduler {path}` must be a file that `dask scheduler --scheduler-file {path}` wrote, but holds no"
            " address. For Slurm, give `slurm:FILE`."
        )
    return address
