"""A model with all that is needed to speak."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from model.checkpoints.checkpoint import Meta
from model.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Model:
    """A model, apart from the files it came in."""

    parts: dict[str, Any]
    """The values of `PARTS`."""
    config: TrainConfig
    meta: Meta
    weights: dict[str, Tensor]
    """By the network's names, as they were stored."""

    @property
    def num_parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(weight.numel() for weight in self.weights.values())
