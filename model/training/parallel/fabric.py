"""Sets up Lightning Fabric: devices, precision and strategy."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING

import torch

from model.config import TrainConfig
from model.device import resolve_device, resolve_precision
from model.training.parallel.strategy import make_strategy, under_torchrun
from stages.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(config: TrainConfig) -> "Fabric":
    """Returns a launched Lightning Fabric with the configured devices, precision and strategy.

    Raises:
        UsageError: if the device isn't available or doesn't suit the strategy.
    """
    with _version_alone("torchmetrics"):
        from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
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


@contextmanager
def _version_alone(package: str) -> Iterator[None]:
    """Lets imports find a package's version and nothing else of it.

    Fabric imports all of torchmetrics to compare its version, and with it transformers, SciPy and Matplotlib: more than
    two seconds of every process of every run.
    """
    try:
        found = version(package)
    except PackageNotFoundError:
        found = None
    if package in sys.modules or found is None:
        yield
        return
    stub = sys.modules[package] = ModuleType(package)
    vars(stub)["__version__"] = found
    try:
        yield
    finally:
        del sys.modules[package]
