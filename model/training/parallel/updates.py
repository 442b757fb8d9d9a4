"""Updates the weights from the gradients of all batches and processes, by PyTorch or by DeepSpeed."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from model.training.parallel.state import put_optimizer, whole

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

_MOMENTS = "exp_avg", "exp_avg_sq"
"""AdamW's names for the moments of each weight."""


class Updates:
    """Updates by PyTorch's optimisers, where each process has all gradients or, under `fsdp`, its shards.

    Args:
        fabric: The processes.
        network: The network, wrapped by Fabric.
        optimizers: The optimisers, wrapped by Fabric.
        clip_norm: Maximum norm of the gradient; a larger one is scaled down to it.
    """

    def __init__(
        self, fabric: "Fabric", network: "_FabricModule", optimizers: Sequence[Optimizer], *, clip_norm: float
    ) -> None:
        self.optimizers = list(optimizers)
        self._fabric, self._network, self._clip_norm = fabric, network, clip_norm

    def gather(self, *, last: bool) -> AbstractContextManager[Any]:
        """Returns a context for a batch's backward pass; the `last` batch of an update also syncs the processes."""
        return self._fabric.no_backward_sync(self._network, enabled=not last)

    def apply(self) -> float:
        """Clips the gradient and updates the weights; a gradient whose norm isn't finite is dropped instead.

        Returns:
            The norm before clipping, over all processes; the same on each.
        """
        norm = float(whole(clip_grad_norm_(self._network.parameters(), self._clip_norm)))
        if math.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
        self.drop()
        return norm

    def drop(self) -> None:
        """Drops the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def states(self, *, keep: bool) -> list[Any]:
        """Returns the optimisers' `state_dict`s with whole tensors on the CPU; for `keep` see `state.whole`."""
        return [whole(optimizer.state_dict(), keep=keep) for optimizer in self.optimizers]

    def put(self, states: Sequence[dict[str, Any]]) -> None:
        """Restores the optimisers from `states`; set the weights first."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            put_optimizer(optimizer, state)


class ZeroUpdates(Updates):
    """Updates by DeepSpeed's AdamW: each process has all weights, and a part of the gradients and moments.

    Args:
        fabric: The processes.
        network: The network, wrapped by Fabric.
        optimizer: The optimiser, wrapped by Fabric.
        groups: The weights of each of its groups.

    Source: ZeRO, stage 2, section 5 of https://arxiv.org/abs/1910.02054.
    """

    def __init__(
        self, fabric: "Fabric", network: "_FabricModule", optimizer: Optimizer, groups: Sequence[Sequence[nn.Parameter]]
    ) -> None:
        super().__init__(fabric, network, [optimizer], clip_norm=math.inf)
        self._counts = list(map(len, groups))
        self._weights = [weight for group in groups for weight in group]
        self._engine = cast("Any", network._forward_module)
        for flat in self._flat:
            moments = {name: torch.zeros_like(flat) for name in _MOMENTS}
            self._adamw.state[flat] = {"step": torch.zeros((), device=flat.device), **moments}
        # Otherwise DeepSpeed calls this in the middle of the first step, when only the first group has moments.
        self._engine.optimizer._lazy_init_hp_params_optimizer_state()
        # Otherwise, with float32 weights, DeepSpeed applies updates that aren't finite, and returns -1 as the norm.
        self._engine.optimizer.check_grad_overflow = True

    def gather(self, *, last: bool) -> AbstractContextManager[Any]:
        """See `Updates.gather`."""
        self._engine.set_gradient_accumulation_boundary(is_boundary=last)
        return nullcontext()

    def apply(self) -> float:
        """See `Updates.apply`. DeepSpeed clips by its own configuration; a step that it skips has NaN as its norm."""
        self._engine.step()
        return math.nan if self._engine.optimizer.overflow else float(self._engine.get_global_grad_norm())

    @property
    def _adamw(self) -> Optimizer:
        """The optimiser of this process's part."""
        inner: Optimizer = self._engine.optimizer.optimizer
        return inner

    @property
    def _flat(self) -> list[Tensor]:
        """This process's part of the weights: one flat tensor per group."""
        return [flat for group in self._adamw.param_groups for flat in group["params"]]

    def states(self, *, keep: bool) -> list[Any]:
        """See `Updates.states`; the result is the same as from a single process."""
        from deepspeed.utils import safe_get_full_optimizer_state

        steps = whole(self._adamw.state[self._flat[0]]["step"])
        state = {}
        for number, weight in enumerate(self._weights):
            moments = {name: whole(safe_get_full_optimizer_state(weight, name), keep=keep) for name in _MOMENTS}
            state[number] = {"step": steps.clone(), **moments}
        numbers = iter(range(len(self._weights)))
        groups = [
            {**group, "params": list(islice(numbers, count))}
            for group, count in zip(self._adamw.param_groups, self._counts, strict=True)
        ]
        return [{"state": state, "param_groups": groups}]

    def put(self, states: Sequence[dict[str, Any]]) -> None:
        """See `Updates.put`."""
        from deepspeed.utils import safe_set_full_optimizer_state

        self._engine.optimizer.refresh_fp32_params()
        saved = states[0]["state"]
        if not saved:  # every step so far was skipped
            return
        for flat in self._flat:
            self._adamw.state[flat]["step"].copy_(saved[0]["step"])
        for number, weight in enumerate(self._weights):
            for name in _MOMENTS:
                safe_set_full_optimizer_state(weight, saved[number][name].to(weight.device), name)
