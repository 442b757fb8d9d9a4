"""Converts sharded weights and optimiser states to whole tensors on the CPU, and back.

So checkpoints don't depend on the strategy that wrote them and open under every strategy. Under `fsdp` each process
has a part of every weight (a `DTensor`), and all processes must call these functions together.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer


def local(tensor: Tensor) -> Tensor:
    """Returns a view of this process's part of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def forget_gathered(network: nn.Module) -> None:
    """Makes a network gather its weights anew: `fsdp` keeps gathered weights after a forward pass without backward."""
    if isinstance(network, FSDPModule):
        network.reshard()


def whole(tree: Any, *, keep: bool = True) -> Any:
    """Copies nested dictionaries and lists, with whole tensors on the CPU.

    Args:
        tree: Tensors and plain values in dictionaries and lists.
        keep: Whether this process keeps the copy; otherwise tensors become None, but the process still takes part.
    """
    if isinstance(tree, Tensor):
        gathered = tree.full_tensor() if isinstance(tree, DTensor) else tree
        return gathered.detach().to("cpu", copy=True).contiguous() if keep else None
    if isinstance(tree, Mapping):
        return {key: whole(value, keep=keep) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [whole(value, keep=keep) for value in tree]
    return tree


def _like(values: Tensor, weight: Tensor) -> Tensor:
    """Shards whole values like a weight."""
    if not isinstance(weight, DTensor):
        return values
    return distribute_tensor(values.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


@torch.no_grad()
def put(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Sets weights in place from whole tensors with the same names and shapes."""
    for name, weight in weights.items():
        weight.detach().copy_(_like(values[name], weight))


def put_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Sets an optimiser's state from a `state_dict` that `whole` converted."""
    parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
    spread = {
        number: {
            name: _like(value, parameters[number]) if _shaped(value, parameters[number]) else value
            for name, value in values.items()
        }
        for number, values in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": spread})


def _shaped(value: Any, weight: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == weight.shape
