"""Repetition-aware sampling: a code that came too often of late is drawn again from the model's own distribution."""

import math
from typing import TYPE_CHECKING

from model.decoding.samplers.noise import again, draw
from model.decoding.samplers.sampler import Drawn, Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor


def redrawn(code_B: "Tensor", drawn: Drawn, window: int, threshold: float) -> "Tensor":
    """Draws codes again whose share of the last `window` codes is above the threshold.

    The second draw is from the model's own distribution, before all samplers. Places of the window before the first
    frame count as different codes.

    Source: VALL-E 2, section 3.2 (algorithm 1), https://arxiv.org/abs/2406.05370.
    """
    import torch

    draws = drawn.draws
    at_BN = draws.lengths_B[:, None] - torch.arange(1, window + 1, device=code_B.device)
    same_BN = (draws.codes_BT.gather(1, at_BN.clamp_min(0)) == code_B[:, None]) & (at_BN >= 0)
    most = math.floor(threshold * window + 1e-9)  # whole codes, so that rounding can't turn the comparison
    return torch.where(same_BN.sum(1) > most, draw(drawn.raw_BV, again(drawn.keys_B)), code_B)


REPETITION_AWARE = Sampler(
    "repetition-aware",
    100,
    options=(
        Option(
            "ras_window",
            int,
            0,
            "Frames in which repetition-aware sampling (VALL-E 2) counts repeats, such as 10; 0 is off.",
            rule="0 (off) or more",
            allows=lambda value: value >= 0,
        ),
        Option(
            "ras_threshold",
            float,
            0.1,
            "The share of the window that a code may take before it is drawn again.",
            rule="0 or more and less than 1",
            allows=lambda value: 0 <= value < 1,
        ),
    ),
    after=redrawn,
    looks_back=True,
)
