"""The table of samplers, their fixed order, and the draw.

Logits `[B, V]` pass through guidance, then through the samplers by rank (temperature, top-k, top-p); then a code is
drawn. A sampler rules a code out by the logit -inf.

To add a sampler, write one file in this folder: a pure function on logits, and a `Sampler` with its options. `Sampling`
and the command line take the options from there. `--help` imports these files, so none may import PyTorch at its top.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Sampler
from stages.tables import rows_in

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def draw(logits_BV: "Tensor", generator: "torch.Generator | None") -> "Tensor":
    """Draws a code `[B]` for each row, distributed as softmax(logits).

    Uses the exponential race: the argmax of p / e, with e exponential, is distributed as p. It needs no
    synchronisation with the device.
    """
    import torch

    noise_BV = torch.empty_like(logits_BV).exponential_(generator=generator)
    return (logits_BV.softmax(-1) / noise_BV).argmax(-1)


SAMPLERS = tuple(rows_in("model.decoding.samplers", Sampler).values())
"""The samplers, in the order in which they are applied."""

OPTIONS = tuple(option for sampler in SAMPLERS for option in sampler.options)
"""The options of all samplers, in their order."""


@dataclass(frozen=True, slots=True, init=False)
class Sampling:
    """How codes are drawn from logits: a value for each of `OPTIONS`, by default the option's own.

    Example:
        >>> Sampling(0.8, top_k=20)["top_k"]
        20
    """

    values: tuple[float, ...]
    """The values, in the order of `OPTIONS`."""

    def __init__(self, temperature: float = 1.0, **others: float) -> None:
        """Takes the options by name; raises `UsageError` for a value out of range."""
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
        """Returns a copy with the temperature multiplied by `factor`."""
        values = self.named()
        return Sampling(**{**values, "temperature": values["temperature"] * factor})

    def applied(self) -> Iterator[tuple[Sampler, tuple[float, ...]]]:
        """Yields the samplers that are on, in order, with the values of their options."""
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
    """Samples a code `[B]` for each row.

    Args:
        logits_BV: Float logits.
        sampling: The samplers' settings; temperature 0 takes the likeliest code.
        generator: On the logits' device; needed for repeatable results unless the temperature is 0.
    """
    if sampling["temperature"] == 0:
        return logits_BV.argmax(-1)
    for sampler, values in sampling.applied():
        logits_BV = sampler.apply(logits_BV, *values)
    return draw(logits_BV, generator)
