"""Top-p (nucleus sampling): keeps the likeliest codes that together reach a probability."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def top_p_only(logits_BV: "Tensor", p: float) -> "Tensor":
    """Keeps the smallest set of likeliest codes with a total probability of at least `p`; at least one code.

    Source: nucleus sampling, https://arxiv.org/abs/1904.09751.
    """
    import torch

    sorted_BV, order_BV = logits_BV.sort(dim=-1, descending=True, stable=True)
    probabilities_BV = sorted_BV.softmax(-1)
    before_BV = probabilities_BV.cumsum(-1) - probabilities_BV
    kept_BV = before_BV < p
    kept_BV[..., 0].fill_(True)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, order_BV, sorted_BV.where(kept_BV, -torch.inf))


TOP_P = Sampler(
    "top-p",
    70,
    options=(
        Option(
            "top_p",
            float,
            1.0,
            "Draw from the likeliest codes that reach this total probability only; 1 is off.",
            rule="above 0 and at most 1 (off)",
            allows=lambda value: 0 < value <= 1,
        ),
    ),
    apply=top_p_only,
)
