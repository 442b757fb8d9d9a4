"""Attention to what is given, which is read once for several passes over what follows it (`Document.given`).

`Kept` reads the given positions of several documents and keeps their keys and values. `Beside` then attends from the
other positions to these and to each other, pass after pass. Together they compute what `Packed` does at once.

Axes: L positions, N heads, H head width.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from model.network.attention import Packed, Reach, flash_takes, sdpa
from model.network.ssm import Scan


class Kept:
    """Attention within the given positions of documents laid end to end; keeps keys and values of each layer.

    Args:
        given: Given positions of each document, at least 1; their sum is L.
        device: Device of the tensors.
    """

    def __init__(self, given: Sequence[int], device: torch.device) -> None:
        self.lengths = tuple(given)
        self.device = device
        self.layers: list[tuple[Tensor, Tensor]] = []
        """Keys and values of each layer, `[L, M, H]` each."""
        self._packed = Packed(given, 0, device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[L, N, H]` tensors."""
        self.layers.append((k, v))
        return self._packed(layer, q, k, v)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Raises `NotImplementedError`: a state that has read what is given knows nothing of what follows."""
        raise NotImplementedError("retention has no keys and values to keep")

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Raises `NotImplementedError`, as `retain` does."""
        raise NotImplementedError("a state space has no keys and values to keep")

    def first(self, documents: int) -> "Kept":
        """Returns what was read of the first documents."""
        some = Kept(self.lengths[:documents], self.device)
        some.layers = [(k[: sum(some.lengths)], v[: sum(some.lengths)]) for k, v in self.layers]
        return some


class Beside:
    """Attention from what follows to what is given and to itself.

    Args:
        kept: What was read.
        lengths: Positions of each document after the given ones; their sum is L.
    """

    def __init__(self, kept: Kept, lengths: Sequence[int]) -> None:
        self.kept, self._lengths = kept, tuple(lengths)
        total = sum(kept.lengths)
        firsts, starts = ([0, *accumulate(part)] for part in (kept.lengths, self._lengths))
        keys = [
            np.concatenate([np.arange(first, first + given), np.arange(total + start, total + start + length)])
            for first, given, start, length in zip(firsts, kept.lengths, starts, self._lengths, strict=False)
        ]
        self._reach = Reach(self._lengths, keys, kept.device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[L, N, H]` tensors."""
        given_k, given_v = self.kept.layers[layer]
        if flash_takes(q.device, q.dtype, q.shape[-1]):
            return self._reach.attend(q, torch.cat((given_k, k)), torch.cat((given_v, v)))
        before = (torch.split(x, list(self.kept.lengths)) for x in (given_k, given_v))
        after = (torch.split(x, list(self._lengths)) for x in (q, k, v))
        return torch.cat(
            [
                sdpa(q_i[None], torch.cat((first_k, k_i))[None], torch.cat((first_v, v_i))[None])[0]
                for first_k, first_v, q_i, k_i, v_i in zip(*before, *after, strict=True)
            ]
        )

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Raises `NotImplementedError`, as `Kept` does."""
        raise NotImplementedError("retention has no keys and values to keep")

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Raises `NotImplementedError`, as `retain` does."""
        raise NotImplementedError("a state space has no keys and values to keep")
