"""Where the network runs, and in which precision."""

import logging
import os
from typing import TYPE_CHECKING, Literal

import torch

from model.attention import AMPERE
from model.config import Precision, TrainConfig
from model.strategy import make_strategy, under_torchrun
from stages.errors import UsageError
from stages.machine import parse_device

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def make_fabric(config: TrainConfig) -> "Fabric":
    """Returns Lightning Fabric for the devices and the precision that the configuration asks for, launched.

    Raises:
        UsageError: if the device isn't there, or not what the strategy needs.
    """
    from lightning.fabric import Fabric

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trainer = config.trainer
    device = resolve_device(trainer.device)
    if trainer.threads:
        torch.set_num_threads(trainer.threads)
    launched = under_torchrun()
    here = int(os.environ["LOCAL_WORLD_SIZE"]) if launched else trainer.devices
    nodes = int(os.environ["GROUP_WORLD_SIZE"]) if launched else 1
    alone = here == 1 and not launched
    if device.index is not None and not alone:
        how = "`torchrun` gives each process its own" if launched else f"`trainer.devices` is {here}"
        raise UsageError(f"`trainer.device` is {trainer.device!r}, a single device, but {how}. Set it to cuda.")
    precision = resolve_precision(trainer.precision, device)
    fabric = Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if alone and device.type == "cuda" else here,
        num_nodes=nodes,
        strategy=make_strategy(config, device, here * nodes, precision),
        precision=precision,
    )
    fabric.launch()
    return fabric


def resolve_precision(name: Precision, device: torch.device) -> Literal["32-true", "bf16-mixed", "bf16-true"]:
    """Returns what `auto` stands for on a device: bf16-mixed where it multiplies in bfloat16.

    CUDA devices do from Ampere on, and newer CPUs. On those training is about three times as fast with it, elsewhere
    slower.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= AMPERE
    else:
        found = torch.cpu.get_capabilities()
        fast = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return "bf16-mixed" if fast else "32-true"


def resolve_device(name: str) -> torch.device:
    """Returns the device that `auto`, `cpu`, `cuda` or `cuda:N` names.

    Raises:
        UsageError: if there is no such device.
    """
    available = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    found = parse_device(name, option="device")
    if found.kind == "cuda" and (found.index or 0) >= available:
        raise UsageError(f"`device` is {name!r}, but {available} CUDA devices are here. Use `--device cpu`.")
    return torch.device(name)
