"""Classifier-free guidance."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def guide(with_MV: "Tensor", without_MV: "Tensor", guidance: float, rescale: float) -> "Tensor":
    """Returns guided logits, scaled back to the spread of the conditional ones by the share `rescale`.

    Source: section 3.4 of https://arxiv.org/abs/2305.08891.
    """
    guided_MV = guided(with_MV, without_MV, guidance)
    spread = with_MV.std(-1, keepdim=True) / guided_MV.std(-1, keepdim=True).clamp_min(1e-6)
    return guided_MV * (rescale * spread + 1 - rescale)


def guided(with_BV: "Tensor", without_BV: "Tensor", guidance: "float | Tensor") -> "Tensor":
    """Returns n + (p - n) g, with p the logits with the condition, n those without, and g the guidance scale.

    Source: classifier-free guidance, section 3.2 of https://arxiv.org/abs/2207.12598, where 1 + w is g; for
    autoregressive models https://arxiv.org/abs/2306.17806, section 2.
    """
    return without_BV + (with_BV - without_BV) * guidance
