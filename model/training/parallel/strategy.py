"""Strategies for training on several processes, and their setup of network and optimisers."""

import os
import shutil
import warnings
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from model.config import OptimizerConfig, TrainConfig
from model.network.attention import Attend
from model.network.decoder import Decoder
from model.network.feedforward import Experts
from model.network.transfer import to_device
from model.training.parallel.updates import Updates, ZeroUpdates
from model.training.step.optimizer import make_optimizers
from stages.errors import UsageError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.strategy import Strategy as FabricStrategy
    from lightning_fabric.wrappers import _FabricModule
    from torch.distributed.device_mesh import DeviceMesh


def make_strategy(config: TrainConfig, device: torch.device, processes: int, precision: str) -> "FabricStrategy | str":
    """Returns the strategy for Lightning Fabric.

    Args:
        config: All sections; `trainer.strategy` names the strategy.
        device: The kind of device.
        processes: Number of processes on all nodes.
        precision: `trainer.precision`, resolved.

    Raises:
        UsageError: if the strategy needs other devices or a package that isn't installed.
    """
    from lightning_fabric.strategies.deepspeed import DeepSpeedStrategy
    from lightning_fabric.strategies.model_parallel import ModelParallelStrategy

    match config.trainer.strategy:
        case "auto":
            return "ddp" if processes > 1 or under_torchrun() else "auto"
        case "ddp":
            return "ddp"
        case "fsdp":
            return ModelParallelStrategy(_shard, data_parallel_size=processes, tensor_parallel_size=1)
        case "deepspeed":
            _check_deepspeed(device)
            return DeepSpeedStrategy(config=zero_config(config.optimizer, precision))


def under_torchrun() -> bool:
    """Returns whether `torchrun` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _check_deepspeed(device: torch.device) -> None:
    if find_spec("deepspeed") is None:
        raise UsageError(
            "`trainer.strategy` = deepspeed needs the package deepspeed, 0.19 or later, which isn't installed."
            " Install it (`pip install 'deepspeed>=0.19'`), or take `fsdp`, which needs none."
        )
    if device.type != "cuda":
        raise UsageError(f"`trainer.strategy` = deepspeed needs CUDA, but the device is `{device}`. Take ddp or fsdp.")


def zero_config(optimizer: OptimizerConfig, precision: str) -> dict[str, Any]:
    """Returns DeepSpeed's configuration: ZeRO stage 2 with float32 weights and sums, like every other strategy."""
    return {
        "zero_optimization": {"stage": 2},
        "zero_allow_untested_optimizer": True,  # PyTorch's AdamW in place of DeepSpeed's own
        "gradient_clipping": optimizer.clip_norm,
        "bf16": {"enabled": False},
        "torch_autocast": {"enabled": precision == "bf16-mixed", "dtype": "bfloat16"},
    }


def _shard(network: nn.Module, mesh: "DeviceMesh") -> nn.Module:
    """Shards the weights over the processes, block by block (PyTorch's FSDP2)."""
    from torch.distributed.fsdp import fully_shard

    assert isinstance(network, Decoder)
    warnings.filterwarnings(
        "ignore", message="FSDP2-wrapped module .* returned a view"
    )  # harmless: nothing works in place
    for part in (*network.blocks, network):
        fully_shard(part, mesh=mesh["data_parallel"])
    return network


def set_up(fabric: "Fabric", network: Decoder, config: TrainConfig) -> tuple["_FabricModule", Updates]:
    """Moves a network to its device, applies the strategy, and makes the optimisers.

    Returns:
        The wrapped network, which synchronises the processes when called, and its updates.
    """
    if config.trainer.compile and fabric.device.type == "cpu":
        _check_compiler()
    for block in network.blocks:
        if config.trainer.compile:
            for part in block.modules():
                if isinstance(part, Experts):
                    part.leave_uncompiled()
            block.forward = torch.compile(block.forward, dynamic=True)
        if config.trainer.activation_checkpointing:
            recompute(block)
    if config.trainer.strategy == "deepspeed":
        (adamw,) = make_optimizers(network, config.optimizer)
        groups = [list(group["params"]) for group in adamw.param_groups]
        wrapped, optimizer = fabric.setup(network, adamw)
        return wrapped, ZeroUpdates(fabric, wrapped, cast("Optimizer", optimizer), groups)
    wrapped = fabric.setup_module(network)
    made = make_optimizers(network, config.optimizer)  # only now: `fsdp` has replaced the weights
    optimizers = [cast("Optimizer", fabric.setup_optimizers(optimizer)) for optimizer in made]
    return wrapped, Updates(fabric, wrapped, optimizers, clip_norm=config.optimizer.clip_norm)


def total(fabric: "Fabric", values: Tensor) -> Tensor:
    """Sums a tensor over all processes."""
    if fabric.world_size == 1:
        return values
    sums = to_device(values, fabric.device).clone()
    torch.distributed.all_reduce(sums)  # Fabric's own way waits at a barrier first
    return sums


def anywhere(fabric: "Fabric", *conditions: object) -> list[bool]:
    """Returns for each condition whether it is true in any process; all processes must call this together."""
    return [count > 0 for count in total(fabric, torch.tensor([int(bool(item)) for item in conditions])).tolist()]


def uncompiled(attend: Attend) -> Attend:
    """Excludes attention from the compilation of the blocks that call it."""
    from model.training.parallel.uncompiled import Uncompiled

    return Uncompiled(attend)


def recompute(block: nn.Module) -> None:
    """Switches a block to activation checkpointing: it keeps only its inputs and recomputes the rest for its gradient.

    Source: https://arxiv.org/abs/1604.06174, section 4, with one segment per block.
    """
    block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UsageError(
            f"`trainer.compile` needs a C++ compiler on the CPU, but there is no `{compiler}`."
            " Install one (`apt install g++`), name it in CXX, or leave `trainer.compile` out."
        )
