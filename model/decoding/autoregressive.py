"""Generates codebook 0 step by step with a cache (mode `ar`).

Axes: B batch, A rows passed to the network (with guidance 2 B), C columns of codes, G frames of a group, M = B * G
codes drawn per step, T response frames, V codes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.decoding.prefill import prefill
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.guidance import guided
from model.network.cache import Cached
from model.network.decoder import Decoder
from model.sequences.documents import ABSENT, Condition, document, group_columns
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
    sampling: Sampling,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[Codes]:
    """Draws codebook 0 group by group (frame by frame if the group is 1) until each row's first stop code.

    The stop code can't be drawn in the first `min_frames` frames. With a `guidance` above 1 (`samplers.guidance`) each
    response has a second row in the batch, without text, prompt, input and tone.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1.
        sampling: How codes are drawn.
        guidance: Guidance scale; 1 is off.
        generator: On the network's device.

    Returns:
        One `[1, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    device = network.token_embedding.weight.device
    batch, stop, group = len(conditions), network.codebook_size, network.config.group
    asked = [*conditions, *(condition.dropped() for condition in conditions)] if guidance > 1 else conditions
    copies = len(asked) // batch
    documents = [document(tokenizer, condition, condition.begun(), 0, stop, group=group) for condition in asked]
    begun_A1 = torch.tensor([[condition.begun().shape[1] // group] for condition in asked], device=device)
    steps = -(-max_frames // group)
    cache, last_AD = prefill(network, tokenizer, documents, room=steps)
    level_A1 = torch.full((len(asked), 1), tokenizer.level(0), device=device)
    # A tensor, since a list would be copied to the device in each step, and the host would wait for it.
    columns = torch.tensor(group_columns(network.num_codebooks, group), device=device)
    codes_A1C = torch.full((len(asked), 1, network.num_codebooks + group - 1), ABSENT, device=device)
    drawn: list[Tensor] = []
    ended_B = torch.zeros(batch, dtype=torch.bool, device=device)
    for step in range(steps):
        logits_MV = network.logits(last_AD, 0)
        if copies > 1:
            with_MV, without_MV = logits_MV.chunk(2)
            logits_MV = guided(with_MV, without_MV, guidance)
        may_not_end = max(0, min_frames - step * group)
        logits_MV.view(batch, group, -1)[:, :may_not_end, stop].fill_(-torch.inf)
        code_BG = sample(logits_MV, sampling, generator).view(batch, group)
        drawn.append(code_BG)
        ended_B |= (code_BG == stop).any(1)
        if step + 1 == steps or all_ended(ended_B, step):
            break
        codes_A1C[:, 0, columns] = code_BG.where(code_BG != stop, ABSENT).repeat(copies, 1)
        position_A1 = begun_A1 + step + 1
        last_AD = network.hidden(level_A1, codes_A1C, position_A1, Cached(cache, 1))[:, 0]
        cache.advance(1, 1)
    codes_BT = torch.cat(drawn, dim=1)[:, :max_frames].cpu().numpy()
    return [until(row, stop)[None].astype(np.uint16) for row in codes_BT]


def all_ended(ended_B: Tensor, step: int) -> bool:
    """Returns whether all rows have ended; checks only every few steps, since on a GPU a check makes the host wait."""
    return step % CHECK_EVERY.get(ended_B.device.type, 16) == 0 and bool(ended_B.all())


def until(ids_T: np.ndarray, stop: int) -> np.ndarray:
    """Returns the ids before the first `stop`."""
    ends = np.flatnonzero(ids_T == stop)
    return ids_T[: ends[0] if len(ends) else None]
