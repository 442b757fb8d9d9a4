"""Runs the network over the given part of each document, before decoding begins.

Axes: B batch, D width, K codebooks, L positions, P prompt frames.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from model.network.attention import Attend, Packed
from model.network.cache import Cached, KVCache
from model.network.decoder import Decoder
from model.network.packing import Batch, collate, in_order
from model.sequences.documents import ABSENT, Document
from model.sequences.tokenizer import Tokenizer


def prefill(
    network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document], *, room: int
) -> tuple[KVCache, Tensor]:
    """Reads the documents into a new cache.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        documents: What is given; lengths may differ.
        room: Positions that the cache has free for decoding.

    Returns:
        The cache, and the hidden state at each document's last position, `[B, D]`.
    """
    tokens_BL, codes_BLK, positions_BL, lengths_B = _padded(network, tokenizer, documents)
    batch, length = tokens_BL.shape
    weight = network.token_embedding.weight
    cache = KVCache.allocate(network.config, batch, length + room, device=weight.device, dtype=weight.dtype)
    attend = Cached(cache, length, lengths_B)
    starts = [row * length for row in range(batch)]
    hidden_BLD = _hidden(network, (tokens_BL, codes_BLK, positions_BL), attend, documents, starts)
    cache.advance(lengths_B, length)
    return cache, hidden_BLD[torch.arange(batch, device=weight.device), lengths_B - 1]


def read_packed(network: Decoder, documents: Sequence[Document]) -> tuple[Batch, Tensor]:
    """Reads the documents in one packed pass; returns the batch and its hidden states, `[L, D]`."""
    device = network.token_embedding.weight.device
    batch = collate(documents, network.num_codebooks).to(device)
    attend = Packed(batch.lengths, batch.causal, device)
    starts = [end - length for length, end in zip(batch.lengths, accumulate(batch.lengths), strict=True)]
    read = batch.tokens_L, batch.codes_LK, batch.positions_L
    return batch, _hidden(network, read, attend, in_order(documents), starts)


def _hidden(
    network: Decoder,
    read: tuple[Tensor, Tensor, Tensor],
    attend: Attend,
    documents: Sequence[Document],
    starts: Sequence[int],
) -> Tensor:
    """Returns the hidden states, `[..., L, D]`; a mixed prompt is read as the weighted sum of embeddings.

    Args:
        network: In evaluation mode.
        read: Tokens `[..., L]`, codes `[..., L, C]` and positions `[..., L]`.
        attend: Attention or retention.
        documents: What is read.
        starts: Where each begins in the flattened leading axes.
    """
    tokens, codes, positions = read
    if not any(item.mixed for item in documents):
        return network.hidden(tokens, codes, positions, attend)
    embedded = network.embed(tokens, codes)
    flat = embedded.flatten(0, -2)
    for start, item in zip(starts, documents, strict=True):
        if item.mixed:
            first = start + item.prompt_at
            flat[first : first + item.mixed[0][1].shape[1]] = _mixture(network, item)
    return network.read(flat.view_as(embedded), positions, attend)


def _mixture(network: Decoder, item: Document) -> Tensor:
    """Returns the weighted sum of the embeddings of a document's mixed prompts, `[P, D]`."""
    device = network.token_embedding.weight.device
    frames = item.mixed[0][1].shape[1]
    tokens_P = torch.from_numpy(item.tokens_L[item.prompt_at : item.prompt_at + frames]).to(device)
    parts = [
        weight * network.embed(tokens_P, torch.from_numpy(codes_KP.T.astype("int64")).to(device))
        for weight, codes_KP in item.mixed
    ]
    return torch.stack(parts).sum(0)


def _padded(network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document]) -> tuple[Tensor, ...]:
    """Pads the documents at their ends; returns tokens, codes, positions and lengths."""
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
