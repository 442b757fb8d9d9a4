"""Top-k: keeps the k likeliest codes."""

from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def top_k_only(logits_BV: "Tensor", k: int) -> "Tensor":
    """Keeps exactly the `k` greatest logits of each row; PyTorch's `topk` decides among equal ones."""
    import torch

    values_BK, ids_BK = logits_BV.topk(min(k, logits_BV.shape[-1]), dim=-1)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, ids_BK, values_BK)


TOP_K = Sampler(
    "top-k",
    60,
    options=(
        Option(
            "top_k",
            int,
            0,
            "Draw from the k likeliest codes only; 0 is off.",
            rule="0 (off) or more",
            allows=lambda value: value >= 0,
        ),
    ),
    apply=top_k_only,
)
