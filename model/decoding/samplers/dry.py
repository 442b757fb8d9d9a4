"""DRY ("don't repeat yourself"): makes codes less likely that would go on with a repeat of what was drawn before.

Axes: B rows, T places of a row's history, N places of a match, V codes.
"""

import math
from typing import TYPE_CHECKING

from model.decoding.samplers.sampler import Draws, Option, Sampler

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 32
"""Frames of a match that are compared: longer ones count as so long."""

_MOST = 1e4
"""Largest penalty: enough to rule a code out, and finite, so that some code is left where all repeat."""


def dry_penalised(logits_BV: "Tensor", draws: Draws, multiplier: float, base: float, allowed: int) -> "Tensor":
    """Subtracts multiplier * base^(n - allowed) from the logit of a code that would extend a repeat of n codes.

    n is the length of the longest sequence that the codes drawn so far end with and that the code followed before.
    Repeats of less than `allowed` codes cost nothing.

    Source: p-e-w, https://github.com/oobabooga/text-generation-webui/pull/5677.
    """
    import torch

    known_BT = draws.back() > 0
    match_BT = torch.where(known_BT, matches(draws), 0).to(logits_BV.dtype)
    nothing_BV = torch.zeros_like(logits_BV)
    match_BV = nothing_BV.scatter_reduce(1, draws.codes_BT.where(known_BT, 0), match_BT, "amax")
    penalty_BV = (multiplier * ((match_BV - allowed) * math.log(base)).exp()).clamp_max(_MOST)
    return logits_BV - penalty_BV.where(match_BV >= allowed, 0)


def matches(draws: Draws) -> "Tensor":
    """Returns how many codes before each place equal the last ones drawn, `[B, T]`, at most `LONGEST`."""
    import torch

    back_BT = draws.back()
    batch, capacity = back_BT.shape
    longest = min(LONGEST, capacity)
    codes_BT = draws.codes_BT.where(back_BT > 0, -1).int()
    ago_N = torch.arange(longest, 0, -1, device=codes_BT.device)
    at_BN = draws.lengths_B[:, None] - ago_N
    tail_BN = codes_BT.gather(1, at_BN.clamp_min(0)).where(at_BN >= 0, -2)
    before_BTN = torch.cat([codes_BT.new_full((batch, longest), -1), codes_BT], 1).unfold(1, longest, 1)[:, :-1]
    # The match ends at the last place, counted from 1, where the two differ.
    same_BNT = before_BTN.transpose(1, 2) == tail_BN[:, :, None]
    places_N1 = torch.arange(1, longest + 1, device=codes_BT.device, dtype=torch.uint8)[:, None]
    return longest - places_N1.masked_fill(same_BNT, 0).amax(1).long()


DRY = Sampler(
    "dry",
    20,
    options=(
        Option(
            "dry_multiplier",
            float,
            0.0,
            "Makes codes less likely that go on with a repeat (DRY), by so much at least; 0 is off.",
            rule="0 (off) or more",
            allows=lambda value: 0 <= value < float("inf"),
        ),
        Option(
            "dry_base",
            float,
            1.75,
            "DRY's penalty grows by this factor with each code of the repeat.",
            rule="1 or more",
            allows=lambda value: 1 <= value < float("inf"),
        ),
        Option(
            "dry_allowed_length",
            int,
            2,
            "Repeats of fewer codes cost nothing in DRY.",
            rule="1 or more",
            allows=lambda value: value >= 1,
        ),
    ),
    apply=dry_penalised,
    looks_back=True,
    penalty=True,
)
