"""Weights and optimiser states as whole tensors on the CPU, whatever the strategy spreads them over, and back.

So a checkpoint is the same whatever wrote it, and opens under every strategy. Under `fsdp` each process holds a part of
every weight (a `DTensor`); both ways then need all processes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer


def local(tensor: Tensor) -> Tensor:
    """Returns the part of a tensor that this process holds: a view."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def forget_gathered(network: nn.Module) -> None:
    """Has a network gather its weights anew: under `fsdp` it keeps what a forward pass without a backward one took."""
    if isinstance(network, FSDPModule):
        network.reshard()


def whole(tree: Any, *, keep: bool = True) -> Any:
    """Returns a copy of nested dictionaries and lists, its tensors whole and on the CPU; None unless to `keep` it."""
    if isinstance(tree, Tensor):
        gathered = tree.full_tensor() if isinstance(tree, DTensor) else tree
        return gathered.detach().to("cpu", copy=True).contiguous() if keep else None
    if isinstance(tree, Mapping):
        return {key: whole(value, keep=keep) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [whole(value, keep=keep) for value in tree]
    return tree


def _like(values: Tensor, weight: Tensor) -> Tensor:
    """Spreads whole values as a weight is spread."""
    if not isinstance(weight, DTensor):
        return values
    return distribute_tensor(values.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


@torch.no_grad()
def put(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Sets weights in place to whole tensors of the same names and shapes."""
    for name, weight in weights.items():
        weight.detach().copy_(_like(values[name], weight))


def put_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Sets an optimiser's state from what `whole` made of its `state_dict`."""
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
