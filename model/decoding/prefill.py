"""Runs the network over the given part of each document, before decoding begins.

Axes: B batch, D width, K codebooks, L positions, P prompt frames.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from model.decoding.engine.graphs import Graphs
from model.network.attention import Attend, Packed
from model.network.cache import Cached, KVCache, Window
from model.network.decoder import Decoder
from model.network.feedforward import waits
from model.network.given import Beside, Kept
from model.network.packing import collate, in_order
from model.network.transfer import to_device
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
        room: Positions that the cache has free for decoding; with `model.window`, no more than the ring takes.

    Returns:
        The cache, and the hidden state at each document's last position, `[B, D]`.
    """
    weight = network.token_embedding.weight
    lengths = [len(item) for item in documents]
    lengths_B = to_device(torch.tensor(lengths), weight.device)
    ring, before_B = network.config.ring, None
    size = len(documents), max(lengths) + room
    if ring is not None and all(item.before for item in documents):
        before_B = to_device(torch.tensor([item.before for item in documents]), weight.device)
        size = len(documents), min(size[1], max(item.before for item in documents) + ring)
    cache = KVCache.allocate(network.config, *size, device=weight.device, dtype=weight.dtype)
    # A CPU gains nothing from reading several at once, and one by one each is read to the last bit as it is alone.
    at_once = 1 if weight.device.type == "cpu" else len(documents)
    last = []
    for start in range(0, len(documents), at_once):
        some, lengths_b = documents[start : start + at_once], lengths_B[start : start + at_once]
        part = cache.part(start, len(some), torch.zeros_like(lengths_b), 0)
        window = None
        if before_B is not None:
            window = Window(before_B[start : start + at_once], network.config.window_positions or 0, ring)
        last.append(_read(network, tokenizer, some, part, window))
    cache.advance(lengths_B, max(lengths))
    return cache, torch.cat(last)


def _read(
    network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document], cache: KVCache, window: Window | None
) -> Tensor:
    """Reads documents into an empty cache of as many rows; returns the hidden state at the last position of each."""
    tokens_BL, codes_BLK, positions_BL, lengths_B = _padded(network, tokenizer, documents)
    batch, length = tokens_BL.shape
    mixtures = _mixtures(network, documents, [row * length for row in range(batch)])
    read = tokens_BL, codes_BLK, positions_BL
    hidden_BLD = _hidden(network, read, Cached(cache, length, lengths_B, window=window), mixtures)
    return hidden_BLD[torch.arange(batch, device=lengths_B.device), lengths_B - 1]


def told_to(documents: Sequence[Document], silence: int, device: torch.device) -> dict[str, Tensor]:
    """Returns what the frames of responses are told to say, for `told_at`.

    Args:
        documents: What the responses begin with.
        silence: Says that no symbol is said.
        device: The network's.

    Returns:
        `said`, `[B, T]`, and `end`, `[B]`: from that frame on nothing is said, and what isn't told has no symbol.
    """
    said = [[*item.said_T, silence] if len(item.said_T) else [ABSENT] for item in documents]
    longest = max(map(len, said))
    said_BT = torch.tensor([row + row[-1:] * (longest - len(row)) for row in said])
    end_B = torch.tensor([len(row) - 1 for row in said])
    return {"said": to_device(said_BT, device), "end": to_device(end_B, device)}


def told_at(said_BT: Tensor, end_B: Tensor, positions_BL: Tensor) -> Tensor:
    """Returns what is told at positions of the responses' segments, `[B, L]`: what the next frame of each says."""
    return said_BT.gather(1, torch.minimum(positions_BL, end_B[:, None]))


class Reading:
    """Documents laid end to end on the network's device, to be read in one pass, once or several times.

    Between two passes the tokens and codes of `batch` may be changed in place, without the host. Where the first
    positions of every document are given (`Document.given`), they are read once, here, and aren't part of `batch`;
    models with a state read them in each pass.

    Args:
        network: In evaluation mode.
        documents: What is read, all causal or none.
    """

    def __init__(self, network: Decoder, documents: Sequence[Document]) -> None:
        device = network.token_embedding.weight.device
        self._network = network
        self._attend: Attend
        if not network.config.is_recurrent and all(item.given for item in documents):
            before, documents = zip(*(item.split() for item in documents), strict=True)
            kept = Kept([len(item) for item in before], device)
            _read_packed(network, before, kept)
            self.batch = collate(documents, network.num_codebooks).to(device)
            self._attend = Beside(kept, self.batch.lengths)
        else:
            self.batch = collate(documents, network.num_codebooks).to(device)
            self._attend = Packed(self.batch.lengths, self.batch.causal, device, self.batch.given)
        ends = list(accumulate(self.batch.lengths))
        starts = [end - length for length, end in zip(self.batch.lengths, ends, strict=True)]
        self._mixtures = _mixtures(network, in_order(documents), starts)
        self.last = to_device(torch.tensor(ends) - 1, device)
        """Each document's last position, `[B]`."""
        self._graphs = Graphs(device)
        self._out_LD: Tensor | None = None

    def first(self, documents: int) -> "Reading":
        """Returns a reading of the first documents alone, with their tokens and codes as they are; it has no rows."""
        lengths, given = self.batch.lengths[:documents], self.batch.given[:documents]
        end = sum(lengths)
        part = copy(self)
        part.batch = replace(
            self.batch,
            tokens_L=self.batch.tokens_L[:end],
            codes_LK=self.batch.codes_LK[:end],
            positions_L=self.batch.positions_L[:end],
            lengths=lengths,
            given=given,
            rows=(),
            targets=(),
            tasks=(),
        )
        if isinstance(self._attend, Beside):
            part._attend = Beside(self._attend.kept.first(documents), lengths)
        else:
            part._attend = Packed(lengths, 0, self.batch.tokens_L.device, given)
        part._mixtures = [(start, mixed_PD) for start, mixed_PD in self._mixtures if start < end]
        part.last = self.last[:documents]
        part._graphs, part._out_LD = Graphs(self.batch.tokens_L.device), None
        return part

    def hidden(self) -> Tensor:
        """Returns the hidden states, `[L, D]`. On a GPU they are overwritten by the next pass, which a graph does."""
        positions, device = self.batch.tokens_L.numel(), self.batch.tokens_L.device
        if not self._graphs.are_there or waits(self._network.config.experts, positions, device):
            return self._pass()
        self._graphs.run("pass", self._write)
        assert self._out_LD is not None
        return self._out_LD

    def _write(self) -> None:
        found_LD = self._pass()
        if self._out_LD is None:  # in the first pass, which is before the graph
            self._out_LD = torch.empty_like(found_LD)
        self._out_LD.copy_(found_LD)

    def _pass(self) -> Tensor:
        read = self.batch.tokens_L, self.batch.codes_LK, self.batch.positions_L
        return _hidden(self._network, read, self._attend, self._mixtures)


def _read_packed(network: Decoder, documents: Sequence[Document], attend: Attend) -> None:
    """Reads documents that are laid end to end, for what `attend` keeps of them."""
    batch = collate(documents, network.num_codebooks).to(network.token_embedding.weight.device)
    starts = [0, *accumulate(batch.lengths)][:-1]
    read = batch.tokens_L, batch.codes_LK, batch.positions_L
    _hidden(network, read, attend, _mixtures(network, documents, starts))


_Mixtures = Sequence[tuple[int, Tensor]]
"""Where mixed prompts begin in the flattened leading axes, and their embeddings, `[P, D]`."""


def _hidden(network: Decoder, read: tuple[Tensor, Tensor, Tensor], attend: Attend, mixtures: _Mixtures) -> Tensor:
    """Returns the hidden states, `[..., L, D]`; a mixed prompt is read as the weighted sum of embeddings.

    Args:
        network: In evaluation mode.
        read: Tokens `[..., L]`, codes `[..., L, C]` and positions `[..., L]`.
        attend: Attention or what replaces it.
        mixtures: The mixed prompts.
    """
    tokens, codes, positions = read
    if not mixtures:
        return network.hidden(tokens, codes, positions, attend)
    embedded = network.embed(tokens, codes)
    flat = embedded.flatten(0, -2)
    for first, mixed_PD in mixtures:
        flat[first : first + len(mixed_PD)] = mixed_PD
    return network.read(flat.view_as(embedded), positions, attend)


def _mixtures(network: Decoder, documents: Sequence[Document], starts: Sequence[int]) -> _Mixtures:
    """Returns the weighted sums of the embeddings of mixed prompts.

    Args:
        network: In evaluation mode.
        documents: What is read.
        starts: Where each begins in the flattened leading axes.
    """
    device = network.token_embedding.weight.device
    found: list[tuple[int, Tensor]] = []
    for start, item in zip(starts, documents, strict=True):
        if item.mixed:
            frames = item.mixed[0][1].shape[1]
            tokens_P = to_device(torch.from_numpy(item.tokens_L[item.prompt_at : item.prompt_at + frames]), device)
            parts = [
                weight * network.embed(tokens_P, to_device(torch.from_numpy(codes_KP.T.astype("int64")), device))
                for weight, codes_KP in item.mixed
            ]
            found.append((start + item.prompt_at, torch.stack(parts).sum(0)))
    return found


def _padded(network: Decoder, tokenizer: Tokenizer, documents: Sequence[Document]) -> tuple[Tensor, ...]:
    """Pads the documents at their ends; returns tokens, codes, positions and lengths."""
    device = network.token_embedding.weight.device
    lengths_B = torch.tensor([len(item) for item in documents])
    shape = len(documents), int(lengths_B.max())
    tokens_BL = torch.full(shape, tokenizer.unknown)
    codes_BLK = torch.full((*shape, max(item.codes_LK.shape[1] for item in documents)), ABSENT)
    positions_BL = torch.zeros(shape, dtype=torch.int64)
    for row, item in enumerate(documents):
        tokens_BL[row, : len(item)] = torch.from_numpy(item.tokens_L)
        codes_BLK[row, : len(item), : item.codes_LK.shape[1]] = torch.from_numpy(item.codes_LK)
        positions_BL[row, : len(item)] = torch.from_numpy(item.positions_L)
    padded = tokens_BL, codes_BLK, positions_BL, lengths_B
    return tuple(to_device(tensor, device) for tensor in padded)
