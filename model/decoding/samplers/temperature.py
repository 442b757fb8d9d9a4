"""Temperature: sharpens or flattens the distribution, the same for all codes or by how sure the model is."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler
from stages.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

OFF = -1.0
"""Of the least temperature: the same temperature everywhere."""


def temperature_scaled(logits_BV: "Tensor", temperature: float, least: float = OFF) -> "Tensor":
    """Divides the logits by the temperature; below 1, likely codes become likelier.

    With a least temperature Tmin, a row's own is T = Tmax - (Tmax - Tmin) / (1 + exp(-10 (p - 0.5))), where Tmax is
    `temperature` and p the greatest probability: the surer the model, the cooler.

    Source: dynamic temperature by kalomaze, in its form with the greatest probability.
    """
    if least == OFF:
        return logits_BV / temperature
    surest_B1 = logits_BV.softmax(-1).amax(-1, keepdim=True)
    return logits_BV / (temperature - (temperature - least) * (10 * (surest_B1 - 0.5)).sigmoid())


def _check(temperature: float, least: float) -> None:
    if least > temperature:
        raise UsageError(
            f"`min_temperature` must be at most `temperature` ({temperature:g}), but is {least:g}. Raise the one or"
            " lower the other."
        )


TEMPERATURE = Sampler(
    "temperature",
    40,
    options=(
        Option(
            "temperature",
            float,
            1.0,
            "Of the first codebook: 0 is greedy, 1 the model's own distribution.",
            rule="0 or more",
            allows=lambda value: 0 <= value < float("inf"),
            hint="0 is greedy, 1 the model's own distribution.",
            alias="ar_temperature",
        ),
        Option(
            "min_temperature",
            float,
            OFF,
            "The temperature where the model is sure; --temperature then counts where it is unsure. -1 is off.",
            rule="-1 (off), or 0 or more",
            allows=lambda value: value == OFF or 0 <= value < float("inf"),
        ),
    ),
    apply=temperature_scaled,
    check=_check,
    switches=2,
)
