"""The row of a sampler in the table, its options, and what it may know of what was drawn.

Axes: B rows, G codes of a group, T places of a row's history, V codes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import UsageError

if TYPE_CHECKING:
    import torch
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
    alias: str = ""
    """Another name on the command line."""

    def check(self, value: float) -> None:
        """Raises `UsageError` for a value out of range."""
        if not self.allows(value):
            hint = f" {self.hint}" if self.hint else ""
            raise UsageError(f"`{self.name}` must be {self.rule}, but is {value}.{hint}")


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn so far for each row, in buffers of a fixed size that the caller allocates.

    All is changed in place, so that the buffers of a CUDA graph stay where they are.
    """

    codes_BT: "Tensor"
    """int64, `[B, T]`; undefined from `lengths_B` on. T is the most that a row may hold."""
    lengths_B: "Tensor"
    """int64, `[B]`: the codes drawn so far."""
    stop: int | None
    """The stop code; None where no row ends by itself."""
    state: "dict[str, Tensor]"
    """What samplers keep for each row, `[B, …]`, by their own names: at first as `Sampling.begin` returns it."""

    @classmethod
    def allocate(
        cls, batch: int, capacity: int, *, stop: int | None, state: "dict[str, Tensor]", device: "torch.device"
    ) -> "Draws":
        """Allocates an empty history of `batch` rows of at most `capacity` codes."""
        import torch

        codes_BT = torch.zeros(batch, capacity, dtype=torch.int64, device=device)
        return cls(codes_BT, torch.zeros(batch, dtype=torch.int64, device=device), stop, state)

    def add(self, codes_BG: "Tensor") -> None:
        """Appends the codes drawn last, `[B, G]`."""
        import torch

        places_G = torch.arange(codes_BG.shape[1], device=codes_BG.device)
        self.codes_BT.scatter_(1, self.lengths_B[:, None] + places_G, codes_BG)
        self.lengths_B.add_(codes_BG.shape[1])

    def back(self) -> "Tensor":
        """Returns how long ago each code was drawn, `[B, T]`: 1 for the last one, 0 or less where none is yet."""
        import torch

        return self.lengths_B[:, None] - torch.arange(self.codes_BT.shape[1], device=self.codes_BT.device)


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of the table of samplers."""

    name: str
    rank: int
    """Samplers of a lower rank are applied first."""
    options: tuple[Option, ...]
    """The sampler is off while the first of them (the first `switches`) have their default values."""
    apply: "Callable[..., Tensor] | None" = None
    """Takes logits `[B, V]`, the `Draws` if it `looks_back`, and the options' values in order; returns logits."""
    looks_back: bool = False
    """Whether it needs the `Draws`."""
    penalty: bool = False
    """Whether it changes which code is the likeliest, and so counts for greedy decoding and beam search too."""
    after: "Callable[..., Tensor] | None" = None
    """Acts on the draw; takes the codes drawn, `[B]`, a `Drawn` and the options' values; returns codes."""
    begin: "Callable[..., dict[str, Tensor]] | None" = None
    """Takes the number of rows, the device and the options' values; returns the state that `Draws` then holds."""
    check: Callable[..., None] | None = None
    """Takes the options' values; raises `UsageError` for those that don't go together."""
    excludes: tuple[str, ...] = ()
    """Names of samplers that contradict it."""
    switches: int = 1

    def is_on(self, values: tuple[float, ...]) -> bool:
        """Returns whether the sampler is on with these values of its options."""
        switches = zip(self.options[: self.switches], values, strict=False)
        return any(value != option.default for option, value in switches)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a sampler that acts on the draw is told, beside the code."""

    given_BV: "Tensor"
    """The logits as this sampler was given them."""
    raw_BV: "Tensor"
    """The logits before all samplers."""
    draws: Draws
    """The codes drawn before; the sampler's own state may be changed in place."""
    keys_B: "Tensor"
    """The keys of the draw; a second one takes `noise.again` of them."""


def check_together(rows: Sequence[tuple[Sampler, tuple[float, ...]]]) -> None:
    """Checks the values of all samplers' options against each other.

    Raises:
        UsageError: if some contradict each other, or one has no effect.
    """
    on = {sampler.name for sampler, values in rows if sampler.is_on(values)}
    if any(sampler.name == "temperature" and values[0] == 0 for sampler, values in rows):
        on.add("temperature 0")
    for sampler, values in rows:
        switch = sampler.options[0]
        if sampler.name not in on:
            for option, value in zip(sampler.options, values, strict=True):
                if value != option.default:
                    raise UsageError(
                        f"`{option.name}` has no effect while `{switch.name}` is {switch.default:g} (off). Set"
                        f" `{switch.name}` too, or leave `{option.name}` out."
                    )
            continue
        if sampler.check:
            sampler.check(*values)
        if both := [name for name in sampler.excludes if name in on]:
            raise UsageError(f"`{switch.name}` can't go with {both[0]}. Leave one of them out.")
