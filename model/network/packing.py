"""Packs documents into one sequence without padding; `model.network.padding` lays such a batch out in rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from model.network.transfer import to_device
from model.sequences.aligned import Aligned
from model.sequences.documents import Document, widened
from model.sequences.heads import num_heads
from model.sequences.tokenizer import TASKS


@dataclass(frozen=True, slots=True)
class Place:
    """The place in the stream where the next batch begins."""

    epoch: int = 0
    offset: int = 0
    """Utterances of the epoch already used."""


START = Place()


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed documents, the causal ones first, then the bidirectional ones.

    Of a padded batch the first three tensors are `[B, L]`, and `rows` are places in them when flattened.
    """

    tokens_L: Tensor
    codes_LK: Tensor
    positions_L: Tensor
    lengths: tuple[int, ...]
    """Positions of each document."""
    causal: int
    """Number of causal documents."""
    rows: tuple[Tensor, ...]
    """For each head (see `Document.head`), then for each head ahead, the positions where it predicts, `[M]`."""
    targets: tuple[Tensor, ...]
    """For each of them, what to predict there (see `Document.targets_M`)."""
    tasks: tuple[Tensor, ...]
    """For each of them, the task of each target, as an index into `TASKS`."""
    ahead: int = 0
    """How many heads ahead there are; they are the last."""
    place: Place = START
    """Where the stream continues after this batch."""
    given: tuple[int, ...] = ()
    """First positions of each document that attend to each other alone (`Document.given`); () if none has any."""
    before: tuple[int, ...] = ()
    """Positions of each document before its response (`Document.before`); () if none has any."""
    aligned: tuple[Aligned, ...] = ()
    """Text and response of each document, in its own positions (`Document.aligned`)."""

    @property
    def is_padded(self) -> bool:
        """Whether each document is a row of its own."""
        return self.tokens_L.dim() == 2

    @property
    def num_targets(self) -> int:
        """Number of codes and tokens to predict, without those of the heads ahead."""
        return sum(len(target) for target in self.targets[: len(self.targets) - self.ahead])

    def to(self, device: torch.device) -> "Batch":
        """Copies the batch to a device."""
        move = partial(to_device, device=device)
        return replace(
            self,
            tokens_L=move(self.tokens_L),
            codes_LK=move(self.codes_LK),
            positions_L=move(self.positions_L),
            rows=tuple(map(move, self.rows)),
            targets=tuple(map(move, self.targets)),
            tasks=tuple(map(move, self.tasks)),
        )


def in_parts(batch: Batch, most: int) -> list[Batch]:
    """Splits a batch between documents into parts of at most so many positions; a longer document is alone.

    Args:
        batch: A batch on the CPU.
        most: Most positions of a part, padding included.
    """
    taken = [batch.tokens_L.shape[1]] * len(batch.lengths) if batch.is_padded else batch.lengths
    bounds = np.cumsum([0, *taken])
    firsts = [0]
    for document in range(1, len(batch.lengths)):
        if bounds[document + 1] - bounds[firsts[-1]] > most:
            firsts.append(document)
    if len(firsts) == 1:
        return [batch]
    ends = [*firsts[1:], len(batch.lengths)]
    return [_part(batch, first, end, *map(int, bounds[[first, end]])) for first, end in zip(firsts, ends, strict=True)]


def _part(batch: Batch, first: int, end: int, start: int, stop: int) -> Batch:
    """Returns the documents from `first` to `end`, which are the positions from `start` to `stop`."""
    # The positions of a head ascend, as documents are packed one after the other.
    own = [torch.searchsorted(rows, torch.tensor([start, stop])).tolist() for rows in batch.rows]

    def at(values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Returns what belongs to the positions; with groups of frames, one position has several."""
        each = [len(one) // max(len(rows), 1) for one, rows in zip(values, batch.rows, strict=True)]
        return tuple(one[n * a : n * b] for one, n, (a, b) in zip(values, each, own, strict=True))

    inside = slice(first, end) if batch.is_padded else slice(start, stop)
    return replace(
        batch,
        tokens_L=batch.tokens_L[inside],
        codes_LK=batch.codes_LK[inside],
        positions_L=batch.positions_L[inside],
        lengths=batch.lengths[first:end],
        causal=min(max(batch.causal - first, 0), end - first),
        given=batch.given[first:end],
        before=batch.before[first:end],
        aligned=batch.aligned[first:end],
        rows=tuple(rows - start for rows in at(batch.rows)),
        targets=at(batch.targets),
        tasks=at(batch.tasks),
    )


def in_order(documents: Sequence[Document]) -> list[Document]:
    """Returns documents in the order of a batch: the causal ones first, otherwise as they are."""
    return sorted(documents, key=lambda document: not document.causal)


def collate(documents: Sequence[Document], num_codebooks: int, place: Place = START, *, ahead: int = 0) -> Batch:
    """Packs documents into a batch, the causal ones first, otherwise in their order.

    Args:
        documents: What to pack.
        num_codebooks: K.
        place: The place in the stream after the batch.
        ahead: `model.ahead`. Where head 0 predicts a step, head n of them predicts the one n steps later, if there is
            one.
    """
    ordered = in_order(documents)
    starts = np.cumsum([0, *map(len, ordered)])
    columns = max(item.codes_LK.shape[1] for item in documents)
    first_ahead = num_heads(num_codebooks)
    heads = first_ahead + ahead
    rows: list[list[np.ndarray]] = [[] for _ in range(heads)]
    targets: list[list[np.ndarray]] = [[] for _ in range(heads)]
    tasks: list[list[np.ndarray]] = [[] for _ in range(heads)]
    for start, item in zip(starts, ordered, strict=False):
        steps = len(item.rows_M)
        asked = [(item.head, item.rows_M, item.targets_M), *item.more]
        for n in range(1, ahead + 1) if item.head == 0 else ():
            later_M = item.targets_M[n * len(item.targets_M) // max(steps, 1) :]
            asked.append((first_ahead - 1 + n, item.rows_M[: max(steps - n, 0)], later_M))
        for head, rows_M, targets_M in asked:
            rows[head].append(rows_M + start)
            targets[head].append(targets_M)
            tasks[head].append(np.full(len(targets_M), TASKS.index(item.task)))
    return Batch(
        _joined([item.tokens_L for item in ordered]),
        _joined([widened(item.codes_LK, columns) for item in ordered]),
        _joined([item.positions_L for item in ordered]),
        tuple(map(len, ordered)),
        sum(item.causal for item in ordered),
        tuple(map(_joined, rows)),
        tuple(map(_joined, targets)),
        tuple(map(_joined, tasks)),
        ahead,
        place,
        tuple(item.given for item in ordered) if any(item.given for item in ordered) else (),
        tuple(item.before for item in ordered) if any(item.before for item in ordered) else (),
        tuple(item.aligned for item in ordered),
    )


def _joined(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays)) if arrays else torch.zeros(0, dtype=torch.int64)
