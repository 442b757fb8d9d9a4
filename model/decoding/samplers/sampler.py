"""The row of a sampler in the table, and its options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a sampler takes."""

    name: str
    """Keyword of `Sampling`; on the command line `top_k` is `--top-k`."""
    kind: type[int] | type[float]
    default: float
    help: str
    """Its line in `--help`."""
    rule: str
    """The allowed range in words, for messages."""
    allows: Callable[[float], bool]
    """Returns whether a value is in range."""
    hint: str = ""
    """Appended to the message for a value out of range."""

    def check(self, value: float) -> None:
        """Raises `UsageError` for a value out of range."""
        if not self.allows(value):
            hint = f" {self.hint}" if self.hint else ""
            raise UsageError(f"`{self.name}` must be {self.rule}, but is {value}.{hint}")


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of the table of samplers."""

    name: str
    rank: int
    """Samplers of a lower rank are applied first."""
    options: tuple[Option, ...]
    """The sampler is off while its first option has the default value."""
    apply: "Callable[..., Tensor]"
    """Takes logits `[B, V]` and the options' values in order; returns logits."""
