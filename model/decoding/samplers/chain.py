"""Samplers: pure functions on `[B, V]` logits, and their fixed order.

guidance, then the rows of `SAMPLERS` from first to last (temperature, top-k, top-p), then the draw. A code that is
ruled out has the logit -inf.

A new sampler is a function and a row in `SAMPLERS`: `Sampling` takes its options, and so does the command line, which
reads them here. For its sake nothing loads PyTorch before something is drawn.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

from model.decoding.samplers.filters import temperature_scaled, top_k_only, top_p_only


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
    """A row of the table."""

    options: tuple[Option, ...]
    """While the first one has its default, the sampler is off."""
    apply: "Callable[..., Tensor]"
    """From logits `[B, V]`, and the values of the options in their order, to logits."""


def draw(logits_BV: "Tensor", generator: "torch.Generator | None") -> "Tensor":
    """Draws a code `[B]` for each row with the probabilities that the logits give.

    By the exponential race: the argmax of p / e with e exponential is distributed as p, and needs no synchronisation.
    """
    import torch

    noise_BV = torch.empty_like(logits_BV).exponential_(generator=generator)
    return (logits_BV.softmax(-1) / noise_BV).argmax(-1)


SAMPLERS = (
    Sampler(
        options=(
            Option(
                "temperature",
                float,
                1.0,
                "0 is greedy, 1 the model's own spread.",
                rule="0 or more",
                holds=lambda value: 0 <= value < float("inf"),
                hint="0 is greedy, 1 the model's.",
            ),
        ),
        apply=temperature_scaled,
    ),
    Sampler(
        options=(
            Option(
                "top_k",
                int,
                0,
                "Only the k likeliest codes; 0 for all.",
                rule="0 (off) or more",
                holds=lambda value: value >= 0,
            ),
        ),
        apply=top_k_only,
    ),
    Sampler(
        options=(
            Option(
                "top_p",
                float,
                1.0,
                "Only the likeliest codes of this probability.",
                rule="above 0 and at most 1 (off)",
                holds=lambda value: 0 < value <= 1,
            ),
        ),
        apply=top_p_only,
    ),
)
"""In the order in which they are applied."""

OPTIONS = tuple(option for sampler in SAMPLERS for option in sampler.options)
"""Of all samplers, in their order."""


@dataclass(frozen=True, slots=True, init=False)
class Sampling:
    """How codes are drawn from logits: a value for each of `OPTIONS`, its default where none is given.

    Example:
        >>> Sampling(0.8, top_k=20)["top_k"]
        20
    """

    values: tuple[float, ...]
    """In the order of `OPTIONS`."""

    def __init__(self, temperature: float = 1.0, **others: float) -> None:
        """Takes the options by their names; raises `UsageError` for a value out of range."""
        given = {"temperature": temperature, **others}
        if unknown := given.keys() - {option.name for option in OPTIONS}:
            raise TypeError(f"no sampler has an option `{min(unknown)}`")
        values = tuple(given.get(option.name, option.default) for option in OPTIONS)
        for option, value in zip(OPTIONS, values, strict=True):
            option.check(value)
        object.__setattr__(self, "values", values)

    def __getitem__(self, name: str) -> float:
        """Returns the value of an option."""
        return self.named()[name]

    def named(self) -> dict[str, float]:
        """Returns the values by the options' names."""
        return {option.name: value for option, value in zip(OPTIONS, self.values, strict=True)}

    def cooled(self, factor: float) -> "Sampling":
        """Returns the same with the temperature multiplied."""
        values = self.named()
        return Sampling(**{**values, "temperature": values["temperature"] * factor})

    def applied(self) -> Iterator[tuple[Sampler, tuple[float, ...]]]:
        """Yields the samplers that are on, in their order, with the values of their options."""
        values = iter(self.values)
        for sampler in SAMPLERS:
            own = tuple(next(values) for _ in sampler.options)
            if own[0] != sampler.options[0].default:
                yield sampler, own

    def __str__(self) -> str:
        """Returns the values in a line."""
        shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in self.named().items()}
        return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in shown.items())


PLAIN = Sampling()
"""The model's own distribution."""

GREEDY = Sampling(temperature=0.0)
"""The likeliest code."""


def sample(logits_BV: "Tensor", sampling: Sampling, generator: "torch.Generator | None" = None) -> "Tensor":
    """Returns a code `[B]` for each row.

    Args:
        logits_BV: Float logits.
        sampling: What to apply.
        generator: Of the logits' device; needed where the temperature isn't 0 and the outcome is to be repeatable.
    """
    if sampling["temperature"] == 0:
        return logits_BV.argmax(-1)
    for sampler, values in sampling.applied():
        logits_BV = sampler.apply(logits_BV, *values)
    return draw(logits_BV, generator)
