"""Early exit: a step of the mode `ar` ends after a layer whose output makes the model sure of the next code.

Sources: leaving when the intermediate prediction is confident, CALM, section 3, https://arxiv.org/abs/2207.07061; the
model's own head on earlier layers, LayerSkip, section 4.2, https://arxiv.org/abs/2404.16710. Confidence by entropy and
varentropy: entropix, https://github.com/xjdr-alt/entropix.

Axes: V codes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

ENTROPY, VARENTROPY = 0.1, 0.1
"""Default thresholds, those of entropix."""


@dataclass(frozen=True, slots=True)
class EarlyExit:
    """When a step ends early."""

    exit_layer: int | None = None
    """The first layer, counted from 1, after which a step may end; None for the middle one."""
    entropy: float = ENTROPY
    """The entropy of the next code must be below this, in nats."""
    varentropy: float = VARENTROPY
    """The variance of its surprise must be below this, in square nats."""

    def __str__(self) -> str:
        """Returns the settings in a few words."""
        first = "the middle layer" if self.exit_layer is None else f"layer {self.exit_layer}"
        return f"early exit from {first} on (entropy {self.entropy:g}, varentropy {self.varentropy:g})"

    def first(self, layers: int) -> int:
        """Returns the first layer after which a step of a network with so many layers may end.

        Raises:
            UsageError: if there is no layer after it.
        """
        first = max(1, layers // 2) if self.exit_layer is None else self.exit_layer
        if first >= layers:
            raise UsageError(
                f"`layer_skip_exit_layer` must be less than the model's number of layers ({layers}), but is {first}:"
                " after the last layer there is none to leave out."
            )
        return first

    def sure(self, logits: "Tensor") -> "Tensor":
        """Returns for which distributions `[..., V]` entropy and varentropy are below the thresholds, `[...]` bool."""
        entropy, varentropy = spread(logits)
        return (entropy < self.entropy) & (varentropy < self.varentropy)


@dataclass(frozen=True, slots=True)
class Layers:
    """How many layers early exit left out."""

    saved: int
    of: int
    """All layers of all steps."""

    def __add__(self, other: "Layers") -> "Layers":
        return Layers(self.saved + other.saved, self.of + other.of)


def spread(logits: "Tensor") -> "tuple[Tensor, Tensor]":
    """Returns the entropy H = -sum p ln p and the varentropy sum p (ln p + H)^2 of distributions `[..., V]`."""
    logp = logits.float().log_softmax(-1)
    p = logp.exp()
    entropy = -(p * logp).sum(-1)
    return entropy, (p * (logp + entropy[..., None]).square()).sum(-1)
