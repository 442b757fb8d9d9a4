"""A model in memory, with everything needed for synthesis."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from model.checkpoints.checkpoint import Meta
from model.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Model:
    """A model, independent of its file format."""

    parts: dict[str, Any]
    """The parsed JSON of each of `model.checkpoints.checkpoint.PARTS`."""
    config: TrainConfig
    meta: Meta
    weights: dict[str, Tensor]
    """Tensors by the network's parameter names, in their stored dtype."""

    @property
    def num_parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(weight.numel() for weight in self.weights.values())
