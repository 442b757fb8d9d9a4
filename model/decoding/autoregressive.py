"""Generates codebook 0 step by step with a cache (mode `ar`).

Axes: B batch, G frames of a group, S of them drawn at once, M = B * S codes, T response frames, V codes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.decoding.engine.step import Step
from model.decoding.options import Decoding
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import keys_of, seeds_of
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes

CHECK_EVERY = {"cpu": 1}
"""Steps between two checks whether all rows have ended, by kind of device; 16 on others."""


@torch.inference_mode()
def generate_first(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    decoding: Decoding,
    seeds: Sequence[int] | None = None,
    step: Step | None = None,
) -> list[Codes]:
    """Draws codebook 0 group by group (frame by frame if the group is 1) until each row's first stop code.

    The stop code can't be drawn in the first `min_frames` frames.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1.
        decoding: How codes are drawn: `ar`, `guidance`, `refine_on_stop` and `max_ar_context` of it.
        seeds: Of each condition's draws; 0 by default.
        step: The network laid out for single steps, if there is one.

    Returns:
        One `[1, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    most = -(-max_frames // network.config.group)
    guidance, context, sampling = decoding.guidance or 1.0, decoding.max_ar_context, decoding.ar
    steps = Steps(network, tokenizer, conditions, most=most, guidance=guidance, context=context, step=step)
    batch, stop, device = len(conditions), steps.stop, steps.device
    draws = Draws.allocate(batch, most * steps.group, stop=stop, state=sampling.begin(batch, device), device=device)
    seeds_B = seeds_of(seeds or [0] * batch, device)
    ended_B = torch.zeros(batch, dtype=torch.bool, device=device)
    likeliest: list[Tensor] = []
    for number in range(most):
        logits_BGV = steps.logits(min_frames)
        if decoding.refine_on_stop:
            likeliest.append(logits_BGV[..., :stop].argmax(-1))
        code_BG = draw_group(logits_BGV, sampling, seeds_B, draws)
        ended_B |= (code_BG == stop).any(1)
        if number + 1 == most or all_ended(ended_B, number):
            break
        steps.take(code_BG)
    codes_BT = draws.codes_BT[:, : min((number + 1) * steps.group, max_frames)].cpu().numpy()
    responses = [until(row, stop) for row in codes_BT]
    if likeliest:
        refined_BT = torch.cat(likeliest, 1).cpu().numpy()
        pairs = zip(responses, refined_BT, strict=True)
        responses = [refined[: len(row)] if len(row) < codes_BT.shape[1] else row for row, refined in pairs]
    return [row[None].astype(np.uint16) for row in responses]


def draw_group(logits_BGV: Tensor, sampling: Sampling, seeds_B: Tensor, draws: Draws) -> Tensor:
    """Draws a group, `[B, G]`, and appends it to the draws; samplers that look back see the group's earlier codes."""
    at_once = 1 if sampling.looks_back else logits_BGV.shape[1]
    drawn = []
    for logits_BSV in torch.split(logits_BGV, at_once, 1):
        places_BS = draws.lengths_B[:, None] + torch.arange(at_once, device=seeds_B.device)
        keys_M = keys_of(seeds_B[:, None], places_BS).flatten() if sampling.random else None
        drawn.append(sample(logits_BSV.flatten(0, 1), sampling, keys_M, draws).view(-1, at_once))
        draws.add(drawn[-1])
    return torch.cat(drawn, 1)


def all_ended(ended_B: Tensor, step: int) -> bool:
    """Returns whether all rows have ended; checks only every few steps, since on a GPU a check makes the host wait."""
    return step % CHECK_EVERY.get(ended_B.device.type, 16) == 0 and bool(ended_B.all())


def until(ids_T: np.ndarray, stop: int) -> np.ndarray:
    """Returns the ids before the first `stop`."""
    ends = np.flatnonzero(ids_T == stop)
    return ids_T[: ends[0] if len(ends) else None]
