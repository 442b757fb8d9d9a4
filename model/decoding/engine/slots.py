"""The rows of the engine's batch: a cache in which they enter at the end and close ranks when one leaves.

Axes: B rows, C capacity.
"""

import torch
from torch import Tensor

from model.config import ModelConfig
from model.network.cache import KVCache


class Slots:
    """A KV cache for a changing number of rows; those in use are always the first ones.

    Args:
        config: Of the network.
        device: Where the network is.
        dtype: Of its weights.
    """

    def __init__(self, config: ModelConfig, *, device: torch.device, dtype: torch.dtype) -> None:
        self._config, self._device, self._dtype = config, device, dtype
        self._cache = KVCache.allocate(config, 0, 0, device=device, dtype=dtype)
        self._recurrent = self._cache.capacity is None
        self.lengths: list[int] = []
        """Positions that each row has read; the host keeps count, so that no step asks the device."""

    def __len__(self) -> int:
        """Number of rows in use."""
        return len(self.lengths)

    @property
    def uniform(self) -> bool:
        """Whether all rows have read equally many positions."""
        return len(set(self.lengths)) < 2

    def view(self, first: int = 0, last: int | None = None) -> KVCache:
        """Returns the cache of some of the rows in use; what is written to it is written here."""
        last = len(self) if last is None else last
        lengths = self.lengths[first:last]
        kv = self._cache.kv[:, first:last] if self._recurrent else self._cache.kv[:, :, first:last]
        counts_B = torch.tensor(lengths, device=self._device)
        return KVCache(kv, counts_B, max(lengths, default=0), self._cache.capacity)

    def enter(self, rows: int, capacity: int) -> KVCache:
        """Adds empty rows at the end, with room for so many positions each; returns their cache."""
        first = len(self)
        self._grow(first + rows, capacity)
        self.lengths += [0] * rows
        view = self.view(first)
        if self._recurrent:
            view.kv.zero_()
        return view

    def leave(self, row: int) -> int:
        """Frees a row. The last row moves into its place.

        Returns:
            The number that the moved row had.
        """
        last = len(self) - 1
        if row != last:
            axis = 1 if self._recurrent else 2
            target, source = self._cache.kv.select(axis, row), self._cache.kv.select(axis, last)
            if self._recurrent:
                target.copy_(source)
            else:
                target[:, :, : self.lengths[last]] = source[:, :, : self.lengths[last]]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        return last

    def advance(self) -> None:
        """Counts one more position of every row as read."""
        self.lengths = [length + 1 for length in self.lengths]

    def _grow(self, rows: int, capacity: int) -> None:
        """Makes room for rows and positions; what is there stays."""
        old: Tensor = self._cache.kv
        has_rows = old.shape[1 if self._recurrent else 2]
        has = 0 if self._recurrent else old.shape[3]
        if rows <= has_rows and (self._recurrent or capacity <= has):
            return
        rows, capacity = max(rows, has_rows), max(capacity, has)
        self._cache = KVCache.allocate(self._config, rows, capacity, device=self._device, dtype=self._dtype)
        if self._recurrent:
            self._cache.kv[:, :has_rows] = old
        else:
            self._cache.kv[:, :, :has_rows, :has] = old
