"""Attention over packed documents: which positions may attend to which.

The network takes an `Attend` as an argument and calls it in each layer. `Packed` is for documents laid end to end
(training, NAR); `Cached` in `model.network.cache` is for decoding step by step.

Axes: B batch, L positions, N heads, H head width.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from model.device import AMPERE
from model.network.retention import chunkwise
from model.network.ssm import Scan, both_ways
from model.network.transfer import to_device
from model.network.window import chunks, near

_PRODUCTS_UP_TO = 1024
"""Longest sequence for which the attention weights of all pairs are held in memory."""

_FLASH_UP_TO = 256
"""Widest heads that flash attention supports."""


class Attend(Protocol):
    """Attention, retention or a state space within one layer."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention.

        Args:
            layer: The layer's number, from 0.
            q: Queries `[..., L, N, H]`.
            k: Keys `[..., L, M, H]`; N is a multiple of M.
            v: Values, shaped like `k`.

        Returns:
            The heads' outputs, shaped like `q`.
        """

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes retention (`model.network.retention`); arguments as in `__call__`, with M = N."""

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Computes a state space (`model.network.ssm`).

        Args:
            layer: The layer's number, from 0.
            features: What is convolved, `[..., L, E]`.
            steps: Step widths, `[..., L, N]`.
            ways: The weights forwards and backwards.

        Returns:
            The heads' outputs, `[..., L, N, H]`.
        """


def sdpa(q_BLNH: Tensor, k_BLMH: Tensor, v_BLMH: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Computes scaled dot-product attention on `[B, L, N, H]` tensors; `mask` is True where attention is allowed."""
    q, k, v = (x.transpose(1, 2) for x in (q_BLNH, k_BLMH, v_BLMH))
    grouped = q.shape[1] != k.shape[1]
    # PyTorch's CPU kernel computes bfloat16 mostly in float32; two matrix products take half its time.
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and not grouped and q.shape[2] <= _PRODUCTS_UP_TO:
        return _products(q, k, v, mask, causal).transpose(1, 2)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    return out.transpose(1, 2)


def _products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Computes attention on `[B, N, L, H]` by two matrix products, holding all attention weights in memory."""
    scores = (q @ k.mT).float() * q.shape[-1] ** -0.5
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    out: Tensor = scores.softmax(-1).to(v.dtype) @ v
    return out


def flash_takes(device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Returns whether PyTorch's flash attention supports heads of this width and dtype on a device."""
    fits = dtype in (torch.bfloat16, torch.float16) and head_width % 8 == 0 and head_width <= _FLASH_UP_TO
    return fits and device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE


def varlen(
    q: Tensor, k: Tensor, v: Tensor, bounds: tuple[Tensor, Tensor], longest: tuple[int, int], *, causal: bool = False
) -> Tensor:
    """Computes attention within parts laid end to end, `[L, N, H]`, by PyTorch's variable-length flash attention.

    Args:
        q: Queries.
        k: Keys; may be more, or fewer.
        v: Values.
        bounds: Where the parts of the queries and of the keys begin, and their ends, `[parts + 1]` int32 each.
        longest: The longest part of each.
        causal: Whether a query attends to no later key.
    """
    from torch.nn.attention.varlen import varlen_attn

    groups = q.shape[1] // k.shape[1]
    if groups > 1:  # the oldest PyTorch supported here has no `enable_gqa`
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    window = (-1, 0) if causal else (-1, -1)
    return cast("Tensor", varlen_attn(q, k, v, *bounds, *longest, window_size=window))


class Reach:
    """Parts of packed queries that each attend to keys of their own.

    Args:
        lengths: Queries of each part; their sum is L.
        keys: The numbers of each part's keys among the packed ones.
        device: Device of the tensors.
    """

    def __init__(self, lengths: Sequence[int], keys: Sequence[np.ndarray], device: torch.device) -> None:
        reached = [len(part) for part in keys]
        self._longest = max(lengths), max(reached)
        self._bounds = tuple(to_device(torch.tensor([0, *part]).cumsum(0).int(), device) for part in (lengths, reached))
        self._keys = to_device(torch.from_numpy(np.concatenate(keys)), device)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[L, N, H]` tensors as `varlen` does."""
        first, second = self._bounds
        return varlen(q, k[self._keys], v[self._keys], (first, second), self._longest)


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)][:-1]


class Packed:
    """Attention within each of several documents laid end to end: the first `causal` ones causal, the others full.

    In a full one, the first positions may be `given`: these attend to each other alone, the others to all. Retention
    and state spaces take such a document as full.

    On CUDA in half precision, each kind (causal, full) is one call of PyTorch's variable-length flash attention. On the
    CPU, before Ampere, and for heads that flash attention doesn't support, each document is one SDPA call. Retention is
    computed chunk by chunk over all documents of a kind.

    With a `window`, positions of a response see all before it, but only the last ones of the response
    (`model.network.window`). A document longer than that is a few SDPA calls, on CUDA too, since a window of flash
    attention would hide what comes before the response.

    Args:
        lengths: Positions of each document; their sum is L.
        causal: Number of causal documents; they come first.
        device: Device of the tensors.
        given: The given positions of each document; () for none.
        window: Positions of a response that one of its positions sees, itself included; None for all.
        before: Positions of each document before its response (`Document.before`); () for no response that is limited.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        causal: int,
        device: torch.device,
        given: Sequence[int] = (),
        *,
        window: int | None = None,
        before: Sequence[int] = (),
    ) -> None:
        self.documents = tuple((length, number < causal) for number, length in enumerate(lengths))
        self.given = tuple(given) or (0,) * len(self.documents)
        self.device = device
        self.kinds = [(part, kind) for part, kind in ((lengths[:causal], True), (lengths[causal:], False)) if part]
        self.window = window
        self.before = tuple(before) or (0,) * len(self.documents)
        self._near: dict[tuple[int, int], Tensor] = {}
        """Masks of chunks, by their queries and what comes before, kept for the other layers."""

    @cached_property
    def _bounds(self) -> list[Tensor]:
        """Document boundaries of each kind, `[documents + 1]` int32."""
        return [to_device(torch.tensor([0, *part]).cumsum(0).int(), self.device) for part, _ in self.kinds]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Computes attention on `[L, N, H]` tensors."""
        if flash_takes(q.device, q.dtype, q.shape[-1]):
            return self._varlen(q, k, v)
        sizes = [length for length, _ in self.documents]
        split = zip(self.documents, self.given, self.before, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        out: list[Tensor] = []
        for (_, causal), given, before, q_i, k_i, v_i in split:
            if self.window and before:
                out += self._sliding(q_i, k_i, v_i, before, self.window)
                continue
            if given:
                out.append(sdpa(q_i[None, :given], k_i[None, :given], v_i[None, :given])[0])
            out.append(sdpa(q_i[None, given:], k_i[None], v_i[None], causal=causal)[0])
        return torch.cat(out)

    def _sliding(self, q: Tensor, k: Tensor, v: Tensor, before: int, window: int) -> list[Tensor]:
        """Computes causal attention within a document whose response is limited to a window, part after part."""
        whole = before + window  # up to here, positions see all before them
        out = [sdpa(q[None, :whole], k[None, :whole], v[None, :whole], causal=True)[0]]
        for start, end in chunks(len(q), before, window):
            key = end - start, before
            if key not in self._near:
                self._near[key] = near(*key, window, q.device)
            first = start - window + 1
            near_k, near_v = (torch.cat((x[:before], x[first:end]))[None] for x in (k, v))
            out.append(sdpa(q[None, start:end], near_k, near_v, mask=self._near[key])[0])
        return out

    @cached_property
    def _reach(self) -> "Reach":
        """Which positions of the full documents attend to which, where some are given."""
        full = [length for length, causal in self.documents if not causal]
        pairs = list(zip(self.given[len(self.given) - len(full) :], full, strict=True))
        parts = [part for given, length in pairs for part in ((given, given), (length - given, length)) if part[0]]
        starts = [start for (given, _), start in zip(pairs, _starts(full), strict=True) for _ in range(1 + bool(given))]
        keys = [np.arange(start, start + reached) for start, (_, reached) in zip(starts, parts, strict=True)]
        return Reach([own for own, _ in parts], keys, self.device)

    @property
    def _slides(self) -> bool:
        """Whether some document has positions that its window hides from others."""
        window = self.window
        pairs = zip(self.before, self.documents, strict=True)
        return window is not None and any(before and length > before + window for before, (length, _) in pairs)

    def _varlen(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        sizes = [sum(part) for part, _ in self.kinds]
        split = zip(self.kinds, self._bounds, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        out = []
        for (part, causal), bounds, q_i, k_i, v_i in split:
            if any(self.given) and not causal:
                out.append(self._reach.attend(q_i, k_i, v_i))
            elif causal and self._slides:
                whole = zip(part, self.before, *(torch.split(x, list(part)) for x in (q_i, k_i, v_i)), strict=False)
                for length, before, q_j, k_j, v_j in whole:
                    out += self._sliding(q_j, k_j, v_j, before or length, self.window or length)
            else:
                out.append(varlen(q_i, k_i, v_i, (bounds, bounds), (max(part), max(part)), causal=causal))
        return torch.cat(out)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Computes retention on `[L, N, H]` tensors."""
        sizes = [sum(part) for part, _ in self.kinds]
        split = zip(self.kinds, self._bounds, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        return torch.cat([chunkwise(q_i, k_i, v_i, bounds, causal=kind) for (_, kind), bounds, q_i, k_i, v_i in split])

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:  # noqa: ARG002
        """Computes a state space on `[L, E]` features.

        What it makes between is computed again in the backward pass, as the paper's kernels do: kept, it would be
        several times as much as all else in a block.
        """
        sizes = [sum(part) for part, _ in self.kinds]
        split = zip(self.kinds, self._bounds, torch.split(features, sizes), torch.split(steps, sizes), strict=True)
        read: Callable[..., Tensor] = both_ways
        if torch.is_grad_enabled():
            read = partial(checkpoint, both_ways, use_reentrant=False, preserve_rng_state=False)
        out = torch.cat([read(ways, x, steps_i, bounds, causal=kind) for (_, kind), bounds, x, steps_i in split])
        if torch.is_grad_enabled() and all(kind for _, kind in self.kinds):  # several devices wait for all gradients
            out = out + ways[1].nothing().to(out.dtype)
        return out
