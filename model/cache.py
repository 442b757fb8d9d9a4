"""The KV cache: keys and values of what was read, allocated once by the caller and passed in.

Axes: B batch, L positions, N heads, H head width, C capacity.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.attention import sdpa
from model.config import ModelConfig


@dataclass(slots=True)
class KVCache:
    """Fixed buffers and how far each row has filled them."""

    kv: Tensor
    """`[layers, 2, B, C, N, H]`: keys, then values."""
    lengths_B: Tensor
    """Slots of each row that hold something."""
    longest: int
    """Greatest of `lengths_B`, known without asking the device."""

    @classmethod
    def allocate(
        cls, config: ModelConfig, batch: int, capacity: int, *, device: torch.device, dtype: torch.dtype
    ) -> "KVCache":
        """Returns an empty cache for `batch` rows of at most `capacity` positions."""
        shape = (config.layers, 2, batch, capacity, config.num_kv_heads, config.head_width)
        kv = torch.zeros(shape, device=device, dtype=dtype)
        return cls(kv, torch.zeros(batch, dtype=torch.int64, device=device), 0)

    def advance(self, lengths: Tensor | int, longest: int) -> None:
        """Counts what was written as read.

        Args:
            lengths: Positions added to each row, `[B]` or the same for all; what was written beyond is written over.
            longest: Greatest of them.
        """
        self.lengths_B = self.lengths_B + lengths
        self.longest += longest


class Cached:
    """Causal attention of `length` new positions per row to themselves and to what the cache holds.

    Writes keys and values behind each row's filled slots; `KVCache.advance` makes them count. New positions that are
    padding must stand at the end of their row.
    """

    def __init__(self, cache: KVCache, length: int) -> None:
        batch, capacity = cache.kv.shape[2:4]
        if cache.longest + length > capacity:
            raise ValueError(f"the cache must hold {cache.longest + length} positions, but has {capacity}")
        self.cache = cache
        self.end = cache.longest + length
        device = cache.kv.device
        self.rows_B1 = torch.arange(batch, device=device)[:, None]
        self.slots_BL = cache.lengths_B[:, None] + torch.arange(length, device=device)
        self.fresh = cache.longest == 0
        self.mask_B1LC: Tensor | None = None
        if not self.fresh and not (batch == 1 and length == 1):
            self.mask_B1LC = (torch.arange(self.end, device=device) <= self.slots_BL[:, :, None])[:, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attends over `[B, L, N, H]` tensors."""
        keys, values = self.cache.kv[layer]
        keys[self.rows_B1, self.slots_BL] = k.to(keys.dtype)
        values[self.rows_B1, self.slots_BL] = v.to(values.dtype)
        if self.fresh:
            return sdpa(q, k, v, causal=True)
        return sdpa(q, keys[:, : self.end].to(q.dtype), values[:, : self.end].to(q.dtype), mask=self.mask_B1LC)
