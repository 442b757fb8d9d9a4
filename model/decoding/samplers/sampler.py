"""What a sampler is: a row of the table, and the options that it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a sampler is told."""

    name: str
    """As `Sampling` takes it; on the command line `top_k` is `--top-k`."""
    kind: type[int] | type[float]
    default: float
    help: str
    """What the command line says of it."""
    rule: str
    """What it must be, in words."""
    holds: Callable[[float], bool]
    """Whether a value is so."""
    hint: str = ""
    """What else to say of a value that isn't."""

    def check(self, value: float) -> None:
        """Raises `UsageError` for a value out of range."""
        if not self.holds(value):
            hint = f" {self.hint}" if self.hint else ""
            raise UsageError(f"`{self.name}` must be {self.rule}, but is {value}.{hint}")


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of the table of samplers."""

    name: str
    rank: int
    """Its place in the order: samplers of a lower rank are applied first."""
    options: tuple[Option, ...]
    """While the first one has its default, the sampler is off."""
    apply: "Callable[..., Tensor]"
    """From logits `[B, V]`, and the values of the options in their order, to logits."""
