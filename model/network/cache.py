"""The KV cache: what is kept of what was read, allocated once by the caller and passed in.

Axes: B batch, L positions, N heads, H head width, C capacity.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from model.config import ModelConfig
from model.network.attention import sdpa
from model.network.retention import recurrent


@dataclass(slots=True)
class KVCache:
    """Fixed buffers and how far each row has filled them."""

    kv: Tensor
    """Of attention `[layers, 2, B, C, N, H]`: keys, then values. Of retention `[layers, B, N, H, H]`, float32: its
    states, whatever the length."""
    lengths_B: Tensor
    """Positions of each row that were read."""
    longest: int
    """Greatest of `lengths_B`, known without asking the device."""
    capacity: int | None
    """C; None where there is no limit."""

    @classmethod
    def allocate(
        cls, config: ModelConfig, batch: int, capacity: int, *, device: torch.device, dtype: torch.dtype
    ) -> "KVCache":
        """Returns an empty cache for `batch` rows of at most `capacity` positions."""
        lengths_B = torch.zeros(batch, dtype=torch.int64, device=device)
        if config.arch == "retnet":
            state = torch.zeros(config.layers, batch, config.heads, config.head_width, config.head_width, device=device)
            return cls(state, lengths_B, 0, None)
        shape = (config.layers, 2, batch, capacity, config.num_kv_heads, config.head_width)
        return cls(torch.zeros(shape, device=device, dtype=dtype), lengths_B, 0, capacity)

    def advance(self, lengths: Tensor | int, longest: int) -> None:
        """Counts what was written as read.

        Args:
            lengths: Positions added to each row, `[B]` or the same for all.
            longest: Greatest of them.
        """
        self.lengths_B = self.lengths_B + lengths
        self.longest += longest


class Cached:
    """Causal attention, or retention, of `length` new positions per row to themselves and to what the cache holds.

    Writes into the cache; `KVCache.advance` makes it count. New positions that are padding must stand at the end of
    their row: attention writes over them later, retention leaves them out of its state.

    Args:
        cache: What was read.
        length: L, with padding.
        lengths_B: New positions of each row that aren't padding; all L if not given.
    """

    def __init__(self, cache: KVCache, length: int, lengths_B: Tensor | None = None) -> None:
        self.end = cache.longest + length
        if cache.capacity is not None and self.end > cache.capacity:
            raise ValueError(f"the cache must hold {self.end} positions, but has {cache.capacity}")
        self.cache = cache
        self.length = length
        self.lengths_B = torch.full_like(cache.lengths_B, length) if lengths_B is None else lengths_B

    @cached_property
    def _slots(self) -> tuple[Tensor, Tensor]:
        """Row and slot of each new position, `[B, 1]` and `[B, L]`."""
        lengths_B = self.cache.lengths_B
        rows_B = torch.arange(len(lengths_B), device=lengths_B.device)
        return rows_B[:, None], lengths_B[:, None] + torch.arange(self.length, device=lengths_B.device)

    @cached_property
    def _mask_B1LC(self) -> Tensor | None:  # noqa: N802 (its axes)
        """Which slots each new position may look at; None where it is all."""
        slots_BL = self._slots[1]
        if slots_BL.numel() == 1:
            return None
        return (torch.arange(self.end, device=slots_BL.device) <= slots_BL[:, :, None])[:, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attends over `[B, L, N, H]` tensors."""
        keys, values = self.cache.kv[layer]
        keys[self._slots] = k.to(keys.dtype)
        values[self._slots] = v.to(values.dtype)
        if self.end == self.length:
            return sdpa(q, k, v, causal=True)
        return sdpa(q, keys[:, : self.end].to(q.dtype), values[:, : self.end].to(q.dtype), mask=self._mask_B1LC)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Retains over `[B, L, N, H]` tensors."""
        state_BNHH, read_B = self.cache.kv[layer], self.cache.lengths_B
        out, self.cache.kv[layer] = recurrent(q, k, v, state_BNHH, read_B=read_B, new_B=self.lengths_B)
        return out
