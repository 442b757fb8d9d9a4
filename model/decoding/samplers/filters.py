"""Filters on logits: temperature, top-k, top-p."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def temperature_scaled(logits_BV: "Tensor", temperature: float) -> "Tensor":
    """Divides the logits; below 1 the likely codes become likelier."""
    return logits_BV / temperature


def top_k_only(logits_BV: "Tensor", k: int) -> "Tensor":
    """Keeps exactly the `k` greatest logits of each row; among equals those that `topk` takes."""
    import torch

    values_BK, ids_BK = logits_BV.topk(min(k, logits_BV.shape[-1]), dim=-1)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, ids_BK, values_BK)


def top_p_only(logits_BV: "Tensor", p: float) -> "Tensor":
    """Keeps the smallest set of likeliest codes whose probability reaches `p`; at least one.

    Source: nucleus sampling, https://arxiv.org/abs/1904.09751.
    """
    import torch

    sorted_BV, order_BV = logits_BV.sort(dim=-1, descending=True, stable=True)
    probabilities_BV = sorted_BV.softmax(-1)
    before_BV = probabilities_BV.cumsum(-1) - probabilities_BV
    kept_BV = before_BV < p
    kept_BV[..., 0].fill_(True)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, order_BV, sorted_BV.where(kept_BV, -torch.inf))
