"""Tensors with a row for each response, in buffers that stay where they are while responses come and go.

A CUDA graph reads and writes fixed addresses: what was captured for some number of rows serves whenever there are as
many again, until a buffer had to be replaced by a larger one.

Axes: B rows.
"""

import torch
from torch import Tensor


class Rows:
    """Tensors whose first axis is the row.

    Args:
        empty: Of each tensor one without rows, `[0, …]`: its dtype, its device and the shape of a row.

    Example:
        >>> rows = Rows(length=torch.zeros(0, dtype=torch.int64))
        >>> rows.add(length=torch.tensor([5, 7]))
        >>> rows.take(torch.tensor([1]))
        >>> rows["length"]
        tensor([7])
    """

    def __init__(self, **empty: Tensor) -> None:
        self._buffers = empty
        self._rows = 0
        self.moves = 0
        """How often a buffer was replaced by a larger one."""

    def __len__(self) -> int:
        """Number of rows."""
        return self._rows

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors' names."""
        return tuple(self._buffers)

    def __getitem__(self, name: str) -> Tensor:
        """Returns a tensor, `[B, …]`; what is written there in place stays, until rows are added or taken."""
        return self._buffers[name][: self._rows]

    def add(self, **new: Tensor) -> None:
        """Appends rows.

        Args:
            new: Of each tensor as many rows. The rows of one that is longer in its second axis make the others longer,
                by zeros; those of a shorter one are filled with zeros.
        """
        assert new.keys() == self._buffers.keys()
        first = self._rows
        self._rows += len(next(iter(new.values())))
        for name, rows in new.items():
            self._make_room(name, rows.shape[1:])
            into = self._buffers[name][first : self._rows]
            if into.shape != rows.shape:
                into.zero_()
                into = into[:, : rows.shape[1]]
            into.copy_(rows)

    def take(self, order_B: Tensor) -> None:
        """Lets each row become what the row `order_B` was; rows that aren't named go. There may be more than before."""
        taken = {name: self[name].index_select(0, order_B) for name in self._buffers}
        self._rows = len(order_B)
        for name, rows in taken.items():
            self._make_room(name, rows.shape[1:])
            self[name].copy_(rows)

    def _make_room(self, name: str, shape: torch.Size) -> None:
        """Makes a buffer large enough; more rows at least double it, so that it is seldom replaced."""
        held = self._buffers[name]
        shape = torch.Size(map(max, held.shape[1:], shape))
        count = len(held) if self._rows <= len(held) else max(self._rows, 2 * len(held))
        if (count, *shape) == held.shape:
            return
        larger = held.new_zeros(count, *shape)
        larger[(slice(len(held)), *(slice(size) for size in held.shape[1:]))] = held
        self._buffers[name] = larger
        self.moves += 1
