"""Samplers: pure functions on `[B, V]` logits, and their fixed order.

guidance, then temperature, then top-k, then top-p, then the draw. A code that is ruled out has the logit -inf.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stages.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn from logits."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the likeliest code."""
    top_k: int = 0
    """Only the k likeliest codes; 0 for all."""
    top_p: float = 1.0
    """Only the likeliest codes that together have this probability."""

    def cooled(self, factor: float) -> "Sampling":
        """Returns the same with the temperature multiplied."""
        return replace(self, temperature=self.temperature * factor)

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"`temperature` must be 0 or more, but is {self.temperature}. 0 is greedy, 1 the model's.")
        if self.top_k < 0:
            raise UsageError(f"`top_k` must be 0 (off) or more, but is {self.top_k}.")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"`top_p` must be above 0 and at most 1 (off), but is {self.top_p}.")


PLAIN = Sampling()
"""The model's own distribution."""

GREEDY = Sampling(temperature=0.0)
"""The likeliest code."""


def guided(with_BV: Tensor, without_BV: Tensor, guidance: float) -> Tensor:
    """Returns n + (p - n) g: logits that go from those without a condition (n) beyond those with it (p).

    Source: classifier-free guidance, section 3.2 of https://arxiv.org/abs/2207.12598, where 1 + w is g; for
    autoregressive models https://arxiv.org/abs/2306.17806, section 2.
    """
    return without_BV + (with_BV - without_BV) * guidance


def temperature_scaled(logits_BV: Tensor, temperature: float) -> Tensor:
    """Divides the logits; below 1 the likely codes become likelier."""
    return logits_BV / temperature


def top_k_only(logits_BV: Tensor, k: int) -> Tensor:
    """Keeps exactly the `k` greatest logits of each row; among equals those that `topk` takes."""
    values_BK, ids_BK = logits_BV.topk(min(k, logits_BV.shape[-1]), dim=-1)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, ids_BK, values_BK)


def top_p_only(logits_BV: Tensor, p: float) -> Tensor:
    """Keeps the smallest set of likeliest codes whose probability reaches `p`; at least one.

    Source: nucleus sampling, https://arxiv.org/abs/1904.09751.
    """
    sorted_BV, order_BV = logits_BV.sort(dim=-1, descending=True, stable=True)
    probabilities_BV = sorted_BV.softmax(-1)
    before_BV = probabilities_BV.cumsum(-1) - probabilities_BV
    kept_BV = before_BV < p
    kept_BV[..., 0].fill_(True)
    return torch.full_like(logits_BV, -torch.inf).scatter(-1, order_BV, sorted_BV.where(kept_BV, -torch.inf))


def draw(logits_BV: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws a code `[B]` for each row with the probabilities that the logits give.

    By the exponential race: the argmax of p / e with e exponential is distributed as p, and needs no synchronisation.
    """
    noise_BV = torch.empty_like(logits_BV).exponential_(generator=generator)
    return (logits_BV.softmax(-1) / noise_BV).argmax(-1)


def sample(logits_BV: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Returns a code `[B]` for each row.

    Args:
        logits_BV: Float logits.
        sampling: What to apply.
        generator: Of the logits' device; needed where the temperature isn't 0 and the outcome is to be repeatable.
    """
    if sampling.temperature == 0:
        return logits_BV.argmax(-1)
    logits_BV = temperature_scaled(logits_BV, sampling.temperature)
    if sampling.top_k:
        logits_BV = top_k_only(logits_BV, sampling.top_k)
    if sampling.top_p < 1:
        logits_BV = top_p_only(logits_BV, sampling.top_p)
    return draw(logits_BV, generator)
