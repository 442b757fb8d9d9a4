"""Attention as compiled blocks call it. Importing this imports the compiler, 1.4 s, so only runs that compile do."""

import torch
from torch import Tensor

from model.network.attention import Attend
from model.network.ssm import Scan


class Uncompiled:
    """Attention excluded from compilation, as its lists of lengths would force a recompilation for each batch.

    It isn't a dataclass because Fabric looks for tensors to convert in the fields of dataclasses, and refuses frozen
    ones.
    """

    def __init__(self, attend: Attend) -> None:
        self.attend = attend

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention."""
        return self.attend(layer, q, k, v)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes retention."""
        return self.attend.retain(layer, q, k, v)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Computes a state space."""
        return self.attend.scan(layer, features, steps, ways)
