"""How several processes train together, by name; what that means for network and optimisers."""

from functools import partial
from typing import TYPE_CHECKING, cast

from torch import nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from model.config import Strategy, TrainConfig
from model.network import Decoder
from model.optimizer import make_optimizers

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
    for block in network.blocks:
        if config.trainer.activation_checkpointing:
            recompute(block)
        if config.trainer.compile:
            block.compile(dynamic=True)
    wrapped = fabric.setup_module(network)
    # One by one, since Fabric gives several as a tuple and one as itself; and now, since `fsdp` replaced the weights.
    return wrapped, [cast("Optimizer", fabric.setup_optimizers(one)) for one in make_optimizers(network, config.optimizer)]


def recompute(block: nn.Module) -> None:
    """Has a block keep its inputs only, and compute the rest again for its gradient.

    Source: https://arxiv.org/abs/1604.06174, section 4, with a segment a block.
    """
    block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
