"""How several processes train together, by name; what that means for network and optimisers."""

import os
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from model.attention import Attend
from model.config import Strategy, TrainConfig
from model.network import Decoder
from model.optimizer import make_optimizers
from stages.errors import UsageError

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.strategies.strategy import Strategy as FabricStrategy
    from lightning.fabric.wrappers import _FabricModule
    from torch.distributed.device_mesh import DeviceMesh


def make_strategy(name: Strategy, processes: int) -> "FabricStrategy | str":
    """Returns what Fabric is given for a strategy and a number of processes."""
    from lightning.fabric.strategies.model_parallel import ModelParallelStrategy

    match name:
        case "auto":
            return "ddp" if processes > 1 else "auto"
        case "ddp":
            return "ddp"
        case "fsdp":
            return ModelParallelStrategy(_shard, data_parallel_size=processes, tensor_parallel_size=1)


def _shard(network: nn.Module, mesh: "DeviceMesh") -> nn.Module:
    """Spreads the weights over the processes, block by block (PyTorch's FSDP2)."""
    from torch.distributed.fsdp import fully_shard

    assert isinstance(network, Decoder)
    for part in (*network.blocks, network):
        fully_shard(part, mesh=mesh["data_parallel"])
    return network


def set_up(fabric: "Fabric", network: Decoder, config: TrainConfig) -> tuple["_FabricModule", list[Optimizer]]:
    """Brings a network to its device and its strategy, and makes its optimisers.

    Returns:
        The network to call, which keeps the processes together, and the optimisers.
    """
    if config.trainer.compile:
        _check_compiler()
    for block in network.blocks:
        if config.trainer.compile:
            block.forward = torch.compile(block.forward, dynamic=True)
        if config.trainer.activation_checkpointing:
            recompute(block)
    wrapped = fabric.setup_module(network)
    made = make_optimizers(network, config.optimizer)  # not before, since `fsdp` replaces the weights
    return wrapped, [cast("Optimizer", fabric.setup_optimizers(one)) for one in made]


def total(fabric: "Fabric", values: Tensor) -> Tensor:
    """Returns the sum of a tensor over all processes."""
    if fabric.world_size == 1:
        return values
    return cast("Tensor", fabric.all_reduce(values.to(fabric.device), reduce_op="sum"))


def anywhere(fabric: "Fabric", here: object) -> bool:
    """Returns whether something holds in any of the processes; all must ask."""
    return bool(total(fabric, torch.tensor(int(bool(here)))))


def recompute(block: nn.Module) -> None:
    """Has a block keep its inputs only, and compute the rest again for its gradient.

    Source: https://arxiv.org/abs/1604.06174, section 4, with a segment a block.
    """
    block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UsageError(
            f"`trainer.compile` needs a C++ compiler, but there is no `{compiler}`."
            " Install one (`apt install g++`), name it in CXX, or leave `trainer.compile` out."
        )


@dataclass(frozen=True, slots=True)
class Uncompiled:
    """Attention that compiled blocks call as it is: its lists of lengths would be compiled anew for each batch."""

    attend: Attend

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attends."""
        return self.attend(layer, q, k, v)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Retains."""
        return self.attend.retain(layer, q, k, v)
