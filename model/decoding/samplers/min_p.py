"""Min-p: keeps the codes that are at least so likely, compared with the likeliest."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def min_p_only(logits_BV: "Tensor", p: float) -> "Tensor":
    """Keeps codes whose probability is at least `p` times the greatest.

    Source: section 3 of https://arxiv.org/abs/2407.01082.
    """
    import torch

    probabilities_BV = logits_BV.softmax(-1)
    least_B1 = p * probabilities_BV.amax(-1, keepdim=True)
    return logits_BV.masked_fill(probabilities_BV < least_B1, -torch.inf)


MIN_P = Sampler(
    "min-p",
    80,
    options=(
        Option(
            "min_p",
            float,
            0.0,
            "Draw only from codes at least so likely, as a share of the likeliest's probability; 0 is off.",
            rule="0 (off) to 1",
            allows=lambda value: 0 <= value <= 1,
        ),
    ),
    apply=min_p_only,
)
