"""Mirostat v2: keeps the surprise of the codes drawn near a target, by a limit that each row moves for itself."""

import math
from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Drawn, Draws, Option, Sampler

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LIMIT = "mirostat_limit"
"""The state: the greatest surprise allowed, in bits, `[B]`."""


def surprise(logits_BV: "Tensor") -> "Tensor":
    """Returns -log2 of each code's probability, `[B, V]`."""
    return logits_BV.log_softmax(-1) / -math.log(2)


def little_surprise_only(logits_BV: "Tensor", draws: Draws, tau: float, eta: float) -> "Tensor":  # noqa: ARG001
    """Keeps codes of at most so much surprise as the row's limit, and the likeliest.

    Source: https://arxiv.org/abs/2007.14966, section 4; v2, which compares the surprise itself, in the authors' notes,
    https://github.com/basusourya/mirostat.
    """
    import torch

    too_much_BV = surprise(logits_BV) > draws.state[LIMIT][:, None]
    return logits_BV.masked_fill(too_much_BV & (logits_BV < logits_BV.amax(-1, keepdim=True)), -torch.inf)


def limit_moved(code_B: "Tensor", drawn: Drawn, tau: float, eta: float) -> "Tensor":
    """Lowers the limit by eta times what the code's surprise is above tau; returns the code as it was drawn."""
    surprise_B = surprise(drawn.given_BV).gather(1, code_B[:, None])[:, 0]
    drawn.draws.state[LIMIT].sub_(eta * (surprise_B - tau))
    return code_B


def limits(batch: int, device: "torch.device", tau: float, eta: float) -> "dict[str, Tensor]":  # noqa: ARG001
    """Returns the limit at first, 2 tau for each row."""
    import torch

    return {LIMIT: torch.full((batch,), 2 * tau, dtype=torch.float32, device=device)}


MIROSTAT = Sampler(
    "mirostat",
    110,
    options=(
        Option(
            "mirostat_tau",
            float,
            0.0,
            "The surprise of the codes drawn, in bits, that mirostat v2 aims at; 0 is off.",
            rule="0 (off) or more",
            allows=lambda value: 0 <= value < float("inf"),
        ),
        Option(
            "mirostat_eta",
            float,
            0.1,
            "How fast mirostat corrects itself.",
            rule="above 0 and at most 1",
            allows=lambda value: 0 < value <= 1,
        ),
    ),
    apply=little_surprise_only,
    looks_back=True,
    begin=limits,
    after=limit_moved,
    excludes=("temperature 0", "top-n-sigma", "top-k", "top-p", "min-p"),
)
