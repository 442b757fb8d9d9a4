"""Top-nσ: keeps the codes whose logit is close to the greatest, measured by the spread of all logits."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def top_n_sigma_only(logits_BV: "Tensor", n: float) -> "Tensor":
    """Keeps logits of at least max - n σ, σ the standard deviation of the row's logits that aren't ruled out.

    The temperature has no effect on which codes are kept.

    Source: section 3 of https://arxiv.org/abs/2411.07641.
    """
    import torch

    possible_BV = logits_BV > -torch.inf
    count_B1 = possible_BV.sum(-1, keepdim=True)
    mean_B1 = logits_BV.where(possible_BV, 0).sum(-1, keepdim=True) / count_B1
    square_BV = (logits_BV - mean_B1).where(possible_BV, 0).square()
    sigma_B1 = (square_BV.sum(-1, keepdim=True) / count_B1).sqrt()
    return logits_BV.masked_fill(logits_BV < logits_BV.amax(-1, keepdim=True) - n * sigma_B1, -torch.inf)


TOP_N_SIGMA = Sampler(
    "top-n-sigma",
    50,
    options=(
        Option(
            "top_n_sigma",
            float,
            0.0,
            "Draw only from codes with a logit within so many standard deviations of the greatest; 0 is off.",
            rule="0 (off) or more",
            allows=lambda value: 0 <= value < float("inf"),
        ),
    ),
    apply=top_n_sigma_only,
)
