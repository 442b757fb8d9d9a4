"""Length penalty: makes the stop code likelier, or less likely, the longer the response is."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Draws, Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def length_penalised(logits_BV: "Tensor", draws: Draws, penalty: float) -> "Tensor":
    """Multiplies the odds of the stop code by (n + 1)^penalty, n the frames drawn so far.

    Adding to the logit, unlike dividing it, has the same effect whatever its sign.
    """
    if draws.stop is None:
        return logits_BV
    penalised_BV = logits_BV.clone()
    penalised_BV[:, draws.stop] += penalty * draws.lengths_B.to(logits_BV.dtype).log1p()
    return penalised_BV


LENGTH_PENALTY = Sampler(
    "length-penalty",
    30,
    options=(
        Option(
            "length_penalty",
            float,
            0.0,
            "Above 0, speech ends sooner the longer it is; below 0, later. 0 is off.",
            rule="finite",
            allows=lambda value: -float("inf") < value < float("inf"),
        ),
    ),
    apply=length_penalised,
    looks_back=True,
    penalty=True,
)
