"""From conditions to codes: ids in, ids out. Codebook 0 step by step with a cache, the others one pass each.

Axes: B batch, A rows that the network is asked (with guidance 2 B), L positions, K codebooks, C columns of codes, G
frames of a group, M = B * G drawn at a time, P prompt frames, T response frames, V codes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.attention import Packed
from model.batching import Batch, collate
from model.cache import Cached, KVCache
from model.documents import ABSENT, Condition, Document, document, group_columns
from model.network import Decoder
from model.samplers import GREEDY, PLAIN, Sampling, guided, sample
from model.tokenizer import Tokenizer
from stages.records import Codes

CHECK_EVERY = {"cpu": 1}
"""Steps between two looks at whether all rows have ended, on a kind of device; 16 on others."""


@torch.inference_mode()
def generate(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    ar: Sampling = PLAIN,
    nar: Sampling = GREEDY,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[Codes]:
    """Speaks each condition.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1.
        ar: How codebook 0 is drawn.
        nar: How the other codebooks are drawn.
        guidance: Of codebook 0, see `generate_first`.
        generator: Of the network's device.

    Returns:
        One `[K, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    first_codes = generate_first(
        *(network, tokenizer, conditions),
        max_frames=max_frames,
        min_frames=min_frames,
        sampling=ar,
        guidance=guidance,
        generator=generator,
    )
    return generate_rest(network, tokenizer, conditions, first_codes, sampling=nar, generator=generator)


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
    """Draws codebook 0 group by group (frame by frame, with a group of 1) until each row's first stop code.

    The stop code is ruled out for the first `min_frames` frames. With a `guidance` above 1 (`model.samplers.guided`)
    each response has a second row in the batch, which knows only what was drawn.

    Returns:
        `[1, T]` for each condition.
    """
    device = network.token_embedding.weight.device
    batch, stop, group = len(conditions), network.codebook_size, network.config.group
    asked = [*conditions, *(condition.dropped() for condition in conditions)] if guidance > 1 else conditions
    copies = len(asked) // batch
    nothing = np.zeros((network.num_codebooks, 0), np.uint16)
    documents = [document(tokenizer, condition, nothing, 0, stop, group=group) for condition in asked]
    steps = -(-max_frames // group)
    cache, last_AD = prefill(network, tokenizer, documents, room=steps)
    level_A1 = torch.full((len(asked), 1), tokenizer.level(0), device=device)
    # A tensor: a list of numbers would be brought to the device, which makes the host wait for it, in each step.
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
        position_A1 = torch.full((len(asked), 1), step + 1, device=device)
        last_AD = network.hidden(level_A1, codes_A1C, position_A1, Cached(cache, 1))[:, 0]
        cache.advance(1, 1)
    codes_BT = torch.cat(drawn, dim=1)[:, :max_frames].cpu().numpy()
    return [until(row, stop)[None].astype(np.uint16) for row in codes_BT]


def all_ended(ended_B: Tensor, step: int) -> bool:
    """Tells whether all rows have ended; looks only now and then, since on a device looking makes the host wait."""
    return step % CHECK_EVERY.get(ended_B.device.type, 16) == 0 and bool(ended_B.all())


def until(ids_T: np.ndarray, stop: int) -> np.ndarray:
    """Returns what comes before the first `stop`."""
    ends = np.flatnonzero(ids_T == stop)
    return ids_T[: ends[0] if len(ends) else None]


def prefill(
    network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document], *, room: int
) -> tuple[KVCache, Tensor]:
    """Reads the documents into a cache with room for so many more positions.

    Returns:
        The cache, and what the network makes of each document's last position, `[B, D]`.
    """
    tokens_BL, codes_BLK, positions_BL, lengths_B = _padded(network, tokenizer, documents)
    batch, length = tokens_BL.shape
    weight = network.token_embedding.weight
    cache = KVCache.allocate(network.config, batch, length + room, device=weight.device, dtype=weight.dtype)
    hidden_BLD = network.hidden(tokens_BL, codes_BLK, positions_BL, Cached(cache, length, lengths_B))
    cache.advance(lengths_B, length)
    return cache, hidden_BLD[torch.arange(batch, device=weight.device), lengths_B - 1]


def read_packed(network: Decoder, documents: Sequence[Document]) -> tuple[Batch, Tensor]:
    """Reads the documents in one packed pass; returns the batch and what the network makes of it, `[L, D]`."""
    device = network.token_embedding.weight.device
    batch = collate(documents, network.num_codebooks).to(device)
    attend = Packed(batch.lengths, batch.causal, device)
    return batch, network.hidden(batch.tokens_L, batch.codes_LK, batch.positions_L, attend)


def _padded(network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document]) -> tuple[Tensor, ...]:
    """Returns the documents as a batch, padded at the end: tokens, codes, positions, and their lengths."""
    device = network.token_embedding.weight.device
    lengths_B = torch.tensor([len(item) for item in documents])
    shape = len(documents), int(lengths_B.max())
    tokens_BL = torch.full(shape, tokenizer.unknown)
    codes_BLK = torch.full((*shape, documents[0].codes_LK.shape[1]), ABSENT)
    positions_BL = torch.zeros(shape, dtype=torch.int64)
    for row, item in enumerate(documents):
        tokens_BL[row, : len(item)] = torch.from_numpy(item.tokens_L)
        codes_BLK[row, : len(item)] = torch.from_numpy(item.codes_LK)
        positions_BL[row, : len(item)] = torch.from_numpy(item.positions_L)
    return tokens_BL.to(device), codes_BLK.to(device), positions_BL.to(device), lengths_B.to(device)


@torch.inference_mode()
def generate_rest(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    first_codes: Sequence[Codes],
    *,
    sampling: Sampling = GREEDY,
    generator: torch.Generator | None = None,
) -> list[Codes]:
    """Draws codebooks 1 ... K-1, one pass each, packed; `first_codes` are the `[1, T]` of codebook 0."""
    num_codebooks, stop = network.num_codebooks, network.codebook_size
    responses: list[Codes] = [np.zeros((num_codebooks, codes.shape[1]), np.uint16) for codes in first_codes]
    for response_KT, codes in zip(responses, first_codes, strict=True):
        response_KT[0] = codes[0]
    for level in range(1, num_codebooks):
        pairs = zip(conditions, responses, strict=True)
        documents = [document(tokenizer, condition, response_KT, level, stop) for condition, response_KT in pairs]
        batch, hidden_LD = read_packed(network, documents)
        drawn = sample(network.logits(hidden_LD[batch.rows[level]], level), sampling, generator).cpu().numpy()
        ends = np.cumsum([response_KT.shape[1] for response_KT in responses])
        for response_KT, part in zip(responses, np.split(drawn, ends[:-1]), strict=True):
            response_KT[level] = part
    return responses
