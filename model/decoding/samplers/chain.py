"""The table of samplers, their fixed order, and the draw.

Logits `[B, V]` pass through guidance, then through the samplers by rank; then a code is drawn, and samplers that act on
the draw may change it. A sampler rules a code out by the logit -inf.

To add a sampler, write one file in this folder: a pure function on logits, and a `Sampler` with its options. `Sampling`
and the command line take the options from there. `--help` imports these files, so none may import PyTorch at its top.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from model.decoding.samplers.noise import draw
from model.decoding.samplers.sampler import Drawn, Draws, Sampler, check_together
from stages.tables import rows_in

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Given = TypeVar("Given")


SAMPLERS = tuple(rows_in("model.decoding.samplers", Sampler).values())
"""The samplers, in the order in which they are applied."""

OPTIONS = tuple(option for sampler in SAMPLERS for option in sampler.options)
"""The options of all samplers, in their order."""

_TEMPERATURE = next(place for place, option in enumerate(OPTIONS) if option.name == "temperature")


@dataclass(frozen=True, slots=True, init=False)
class Sampling:
    """How codes are drawn from logits: a value for each of `OPTIONS`, by default the option's own.

    Example:
        >>> Sampling(0.8, top_k=20)["top_k"]
        20
    """

    values: tuple[float, ...]
    """The values, in the order of `OPTIONS`."""
    on: tuple[tuple[Sampler, tuple[float, ...]], ...] = field(compare=False, repr=False)
    """The samplers that are on, in order, with the values of their options."""

    def __init__(self, temperature: float = 1.0, **others: float) -> None:
        """Takes the options by name; raises `UsageError` for values out of range, or that contradict each other."""
        given = {"temperature": temperature, **others}
        if unknown := given.keys() - {option.name for option in OPTIONS}:
            raise TypeError(f"no sampler has an option `{min(unknown)}`")
        values = tuple(given.get(option.name, option.default) for option in OPTIONS)
        for option, value in zip(OPTIONS, values, strict=True):
            option.check(value)
        rest = iter(values)
        rows = [(sampler, tuple(next(rest) for _ in sampler.options)) for sampler in SAMPLERS]
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "on", tuple((sampler, own) for sampler, own in rows if sampler.is_on(own)))
        check_together(rows)

    def __getitem__(self, name: str) -> float:
        """Returns the value of an option."""
        return self.named()[name]

    def named(self) -> dict[str, float]:
        """Returns the values by the options' names."""
        return {option.name: value for option, value in zip(OPTIONS, self.values, strict=True)}

    def cooled(self, factor: float) -> "Sampling":
        """Returns a copy with the temperatures multiplied by `factor`."""
        values = self.named()
        heats = ("temperature", "min_temperature")
        return Sampling(**{**values, **{name: values[name] * factor for name in heats if values[name] >= 0}})

    @property
    def greedy(self) -> bool:
        """Whether the likeliest code is taken."""
        return self.values[_TEMPERATURE] == 0

    @property
    def random(self) -> bool:
        """Whether a draw needs keys."""
        return not self.greedy or any(sampler.after for sampler, _ in self.on)

    @property
    def looks_back(self) -> bool:
        """Whether a draw needs to know what was drawn before (`Draws`)."""
        return any(sampler.looks_back for sampler, _ in self.on)

    def begin(self, batch: int, device: "torch.device") -> "dict[str, Tensor]":
        """Returns the state of `Draws` for rows that nothing was drawn for yet, `[batch, …]` each."""
        state: dict[str, Tensor] = {}
        for sampler, values in self.on:
            if sampler.begin:
                state |= sampler.begin(batch, device, *values)
        return state

    def __str__(self) -> str:
        """Returns the temperature and what else isn't the default in a line."""
        named = self.named()
        defaults = {option.name: option.default for option in OPTIONS}
        shown = {name: value for name, value in named.items() if name == "temperature" or value != defaults[name]}
        return ", ".join(f"{name.replace('_', '-')} {value:g}" for name, value in shown.items())


PLAIN = Sampling()
"""The model's own distribution."""

GREEDY = Sampling(temperature=0.0)
"""The likeliest code."""


def sample(
    logits_BV: "Tensor", sampling: Sampling, keys_B: "Tensor | None" = None, draws: Draws | None = None
) -> "Tensor":
    """Samples a code `[B]` for each row. The caller then appends it to the draws (`Draws.add`).

    Nothing is exchanged with the device, and no shape depends on the data.

    Args:
        logits_BV: Float logits.
        sampling: The samplers' settings; temperature 0 takes the likeliest code.
        keys_B: Of this draw (`samplers.noise.keys_of`); needed if the sampling is `random`.
        draws: What was drawn before; needed if the sampling `looks_back`. Its state is changed in place.
    """
    raw_BV = logits_BV = logits_BV.float()
    greedy, acting = sampling.greedy, []
    for sampler, values in sampling.on:
        if sampler.after:
            acting.append((sampler.after, logits_BV, values))
        if sampler.penalty or not greedy:
            logits_BV = _applied(sampler, values, logits_BV, draws)
    code_B = logits_BV.argmax(-1) if greedy else draw(logits_BV, _given(keys_B))
    for after, given_BV, values in acting:
        code_B = after(code_B, Drawn(given_BV, raw_BV, _given(draws), _given(keys_B)), *values)
    return code_B


def penalised(logits_BV: "Tensor", sampling: Sampling, draws: Draws | None) -> "Tensor":
    """Returns the logits after those samplers that change which code is the likeliest."""
    for sampler, values in sampling.on:
        if sampler.penalty:
            logits_BV = _applied(sampler, values, logits_BV, draws)
    return logits_BV


def _applied(sampler: Sampler, values: tuple[float, ...], logits_BV: "Tensor", draws: Draws | None) -> "Tensor":
    if sampler.apply is None:
        return logits_BV
    return sampler.apply(logits_BV, *([_given(draws)] if sampler.looks_back else []), *values)


def _given(needed: Given | None) -> Given:
    if needed is None:
        raise ValueError("this sampling needs keys and what was drawn before")
    return needed
