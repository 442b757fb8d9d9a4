"""Temperature: sharpens or flattens the distribution."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def temperature_scaled(logits_BV: "Tensor", temperature: float) -> "Tensor":
    """Divides the logits by the temperature; below 1, likely codes become likelier."""
    return logits_BV / temperature


TEMPERATURE = Sampler(
    "temperature",
    10,
    options=(
        Option(
            "temperature",
            float,
            1.0,
            "0 is greedy, 1 the model's own distribution.",
            rule="0 or more",
            allows=lambda value: 0 <= value < float("inf"),
            hint="0 is greedy, 1 the model's own distribution.",
        ),
    ),
    apply=temperature_scaled,
)
