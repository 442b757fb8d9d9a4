"""Padded batches: a row per document, all as long as the longest (`data.sampler: buckets`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from model.network.attention import sdpa
from model.network.packing import Batch
from model.network.retention import parallel
from model.network.ssm import Scan, wide
from model.network.transfer import to_device
from model.sequences.documents import ABSENT


class Padded:
    """Attention over a padded batch: each row sees its own positions, but not the padding.

    Args:
        lengths_B: Length of each row without padding.
        causal_B: Whether each row is causal.
        length: L, the length of the rows with padding.
        given: The first positions of each row that see each other alone (`Document.given`); () for none.
        window: As for `Packed`.
        before: As for `Packed`.
    """

    def __init__(
        self,
        lengths_B: Tensor,
        causal_B: Tensor,
        length: int,
        given: Sequence[int] = (),
        *,
        window: int | None = None,
        before: Sequence[int] = (),
    ) -> None:
        self.lengths_B, self.causal_B = lengths_B, causal_B
        at = torch.arange(length, device=lengths_B.device)
        inside_B11L = (at < lengths_B[:, None])[:, None, None]
        behind_LL = at <= at[:, None]
        self.mask_B1LL = inside_B11L & (behind_LL | ~causal_B[:, None, None])[:, None]
        self.whole_B1LL = self.mask_B1LL
        if given:
            given_B1 = to_device(torch.tensor(given), lengths_B.device)[:, None]
            hidden_BLL = (at < given_B1)[:, :, None] & (at >= given_B1)[:, None]
            self.mask_B1LL = self.mask_B1LL & ~hidden_BLL[:, None]
        if window is not None and before:
            before_B1 = to_device(torch.tensor(before), lengths_B.device)[:, None]
            kept_BLL = (at < before_B1)[:, None] | (at > at[:, None] - window) | (before_B1 == 0)[:, :, None]
            self.mask_B1LL = self.mask_B1LL & kept_BLL[:, None]

    @classmethod
    def of(cls, batch: Batch, device: torch.device, *, window: int | None = None) -> Self:
        """Returns the attention of a padded batch, with its tensors on a device."""
        lengths_B = to_device(torch.tensor(batch.lengths), device)
        causal_B = torch.arange(len(batch.lengths), device=device) < batch.causal
        length = batch.tokens_L.shape[1]
        return cls(lengths_B, causal_B, length, batch.given, window=window, before=batch.before)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Attends over `[B, L, N, H]` tensors."""
        return sdpa(q, k, v, mask=self.mask_B1LL)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Computes retention over `[B, L, N, H]` tensors."""
        return parallel(q, k, v, self.whole_B1LL)

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:  # noqa: ARG002
        """Computes a state space over `[B, L, E]` features."""
        rows, length, _ = features.shape
        empty = wide(features).new_zeros(rows, ways[0].kept)
        forwards, _ = ways[0].rows(features, steps, empty, self.lengths_B)
        at_BL = torch.arange(length, device=features.device).expand(rows, -1)
        turned_BL = torch.where(at_BL < self.lengths_B[:, None], self.lengths_B[:, None] - 1 - at_BL, at_BL)
        row_B1 = torch.arange(rows, device=features.device)[:, None]
        turned = features[row_B1, turned_BL], steps[row_B1, turned_BL]
        backwards, _ = ways[1].rows(*turned, empty, self.lengths_B)
        return forwards + backwards[row_B1, turned_BL] * ~self.causal_B[:, None, None, None]


def padded(batch: Batch) -> tuple[Batch, Tensor, Tensor]:
    """Turns a packed batch into one with a row per document, padded to the longest.

    Returns:
        The batch, with `[B, L]` tensors in place of `[L]`, and row indices into the flattened tensors; the lengths
        `[B]`; and whether each row is causal, `[B]`.
    """
    device = batch.tokens_L.device
    lengths_B = torch.tensor(batch.lengths, device=device)
    longest = max(batch.lengths)
    starts_B = lengths_B.cumsum(0) - lengths_B
    document_L = torch.arange(len(batch.lengths), device=device).repeat_interleave(lengths_B)
    slot_L = torch.arange(len(document_L), device=device) - starts_B[document_L] + document_L * longest

    def spread(packed: Tensor, fill: int) -> Tensor:
        wide = packed.new_full((len(batch.lengths) * longest, *packed.shape[1:]), fill)
        wide[slot_L] = packed
        return wide.view(-1, longest, *packed.shape[1:])

    wide = replace(
        batch,
        tokens_L=spread(batch.tokens_L, 0),
        codes_LK=spread(batch.codes_LK, ABSENT),
        positions_L=spread(batch.positions_L, 0),
        rows=tuple(slot_L[rows] for rows in batch.rows),
    )
    return wide, lengths_B, torch.arange(len(batch.lengths), device=device) < batch.causal
