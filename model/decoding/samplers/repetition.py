"""Repetition penalty: makes codes that were drawn before less likely."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Draws, Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def repetition_penalised(logits_BV: "Tensor", draws: Draws, penalty: float, decay: float) -> "Tensor":
    """Divides positive logits of codes drawn before by a factor of at least 1, and multiplies negative ones by it.

    A code that was last drawn n frames ago (1 for the last frame) has the factor 1 + (penalty - 1) (1 - decay)^(n - 1).

    Source: CTRL, section 4.1, https://arxiv.org/abs/1909.05858, which has no decay and divides negative logits too.
    """
    import torch

    back_BT = draws.back()
    known_BT = back_BT > 0
    weight_BT = torch.where(known_BT, (1 - decay) ** (back_BT - 1), 0)
    nothing_BV = torch.zeros_like(logits_BV)
    weight_BV = nothing_BV.scatter_reduce(1, draws.codes_BT.where(known_BT, 0), weight_BT.to(logits_BV.dtype), "amax")
    factor_BV = 1 + (penalty - 1) * weight_BV
    return torch.where(logits_BV > 0, logits_BV / factor_BV, logits_BV * factor_BV)


REPETITION = Sampler(
    "repetition-penalty",
    10,
    options=(
        Option(
            "repetition_penalty",
            float,
            1.0,
            "Makes codes drawn before less likely; 1 is off.",
            rule="1 (off) or more",
            allows=lambda value: 1 <= value < float("inf"),
        ),
        Option(
            "repetition_penalty_decay",
            float,
            0.0,
            "The share of the repetition penalty that is lost with each frame since.",
            rule="0 or more and less than 1",
            allows=lambda value: 0 <= value < 1,
        ),
    ),
    apply=repetition_penalised,
    looks_back=True,
    penalty=True,
)
