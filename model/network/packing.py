"""Packs documents into one sequence without padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from model.network.transfer import to_device
from model.sequences.documents import Document, widened
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
    """Packed documents, the causal ones first, then the bidirectional ones."""

    tokens_L: Tensor
    codes_LK: Tensor
    positions_L: Tensor
    lengths: tuple[int, ...]
    """Positions of each document."""
    causal: int
    """Number of causal documents."""
    rows: tuple[Tensor, ...]
    """For each head (see `Document.head`), the positions where it predicts, `[M]`."""
    targets: tuple[Tensor, ...]
    """For each head, what to predict there (see `Document.targets_M`)."""
    tasks: tuple[Tensor, ...]
    """For each head, the task of each target, as an index into `TASKS`."""
    place: Place = START
    """Where the stream continues after this batch."""

    @property
    def num_targets(self) -> int:
        """Number of codes and tokens to predict."""
        return sum(len(target) for target in self.targets)

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


def in_order(documents: Sequence[Document]) -> list[Document]:
    """Returns documents in the order of a batch: the causal ones first, otherwise as they are."""
    return sorted(documents, key=lambda document: not document.causal)


def collate(documents: Sequence[Document], num_codebooks: int, place: Place = START) -> Batch:
    """Packs documents into a batch, the causal ones first, otherwise in their order."""
    ordered = in_order(documents)
    starts = np.cumsum([0, *map(len, ordered)])
    columns = max(item.codes_LK.shape[1] for item in documents)
    rows: list[list[np.ndarray]] = [[] for _ in range(num_codebooks + 2)]
    targets: list[list[np.ndarray]] = [[] for _ in range(num_codebooks + 2)]
    tasks: list[list[np.ndarray]] = [[] for _ in range(num_codebooks + 2)]
    for start, item in zip(starts, ordered, strict=False):
        rows[item.head].append(item.rows_M + start)
        targets[item.head].append(item.targets_M)
        tasks[item.head].append(np.full(len(item.targets_M), TASKS.index(item.task)))
    return Batch(
        _joined([item.tokens_L for item in ordered]),
        _joined([widened(item.codes_LK, columns) for item in ordered]),
        _joined([item.positions_L for item in ordered]),
        tuple(map(len, ordered)),
        sum(item.causal for item in ordered),
        tuple(map(_joined, rows)),
        tuple(map(_joined, targets)),
        tuple(map(_joined, tasks)),
        place,
    )


def _joined(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays)) if arrays else torch.zeros(0, dtype=torch.int64)
