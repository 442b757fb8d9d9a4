"""Who may look at whom: the three forms of attention and of retention, each an argument of the network.

`Packed` for documents laid end to end (training, NAR), `Padded` for a batch with padding at its end (the baseline that
packing is checked and measured against), and `Cached` in `model.network.cache` for decoding step by step.

Axes: B batch, L positions, N heads, H head width.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from model.device import AMPERE
from model.network.retention import chunkwise
from model.network.transfer import to_device

_PRODUCTS_UP_TO = 1024
"""Most positions for which the weights of all pairs are kept."""

_FLASH_UP_TO = 256
"""The widest heads that flash attention takes."""


class Attend(Protocol):
    """Attention, or retention, within one layer."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attends.

        Args:
            layer: The layer's number.
            q: `[..., L, N, H]`.
            k: `[..., L, M, H]`, N a multiple of M.
            v: Like `k`.

        Returns:
            The heads' outputs, like `q`.
        """

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Retains (`model.network.retention`): takes and returns what `__call__` does, with as many key heads as others."""


def sdpa(q_BLNH: Tensor, k_BLMH: Tensor, v_BLMH: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """Scaled dot-product attention over the `[B, L, N, H]` layout; `mask` is True where one may look."""
    q, k, v = (x.transpose(1, 2) for x in (q_BLNH, k_BLMH, v_BLMH))
    grouped = q.shape[1] != k.shape[1]
    # PyTorch's CPU kernel does most of its work for bfloat16 in float32: products take half its time where they fit.
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and not grouped and q.shape[2] <= _PRODUCTS_UP_TO:
        return _products(q, k, v, mask, causal).transpose(1, 2)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    return out.transpose(1, 2)


def _products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Attends over `[B, N, L, H]` by two matrix products, with all the weights in memory between them."""
    scores = (q @ k.mT).float() * q.shape[-1] ** -0.5
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    out: Tensor = scores.softmax(-1).to(v.dtype) @ v
    return out


def flash_takes(device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Tells whether PyTorch's flash attention takes heads of a width and dtype on a device."""
    fits = dtype in (torch.bfloat16, torch.float16) and head_width % 8 == 0 and head_width <= _FLASH_UP_TO
    return fits and device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE


class Packed:
    """Each of several documents laid end to end sees itself: the first `causal` ones causally, the others in full.

    On CUDA in half precision each kind is one call of PyTorch's variable-length flash attention; elsewhere, on devices
    before Ampere and for heads that it doesn't take, one SDPA call per document. Retention goes over each kind in
    chunks.

    Args:
        lengths: Positions of each document; they add up to L.
        causal: Number of documents that are causal.
        device: Where the tensors are.
    """

    def __init__(self, lengths: Sequence[int], causal: int, device: torch.device) -> None:
        self.documents = tuple((length, number < causal) for number, length in enumerate(lengths))
        self.device = device
        self.kinds = [(part, kind) for part, kind in ((lengths[:causal], True), (lengths[causal:], False)) if part]

    @cached_property
    def _bounds(self) -> list[Tensor]:
        """Where the documents of each kind begin and end, `[documents + 1]` int32."""
        return [to_device(torch.tensor([0, *part]).cumsum(0).int(), self.device) for part, _ in self.kinds]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Attends over `[L, N, H]` tensors."""
        if flash_takes(q.device, q.dtype, q.shape[-1]):
            return self._varlen(q, k, v)
        sizes = [length for length, _ in self.documents]
        split = zip(self.documents, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        return torch.cat(
            [sdpa(q_i[None], k_i[None], v_i[None], causal=causal)[0] for (_, causal), q_i, k_i, v_i in split]
        )

    def _varlen(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        from torch.nn.attention.varlen import varlen_attn

        groups = q.shape[1] // k.shape[1]
        if groups > 1:  # `enable_gqa` is newer than the oldest PyTorch this runs on.
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        sizes = [sum(part) for part, _ in self.kinds]
        split = zip(self.kinds, self._bounds, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        out = []
        for (part, causal), bounds, q_i, k_i, v_i in split:
            window = (-1, 0) if causal else (-1, -1)
            out.append(varlen_attn(q_i, k_i, v_i, bounds, bounds, max(part), max(part), window_size=window))
        return torch.cat(cast("list[Tensor]", out))

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002 (stateless)
        """Retains over `[L, N, H]` tensors."""
        sizes = [sum(part) for part, _ in self.kinds]
        split = zip(self.kinds, self._bounds, *(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        return torch.cat([chunkwise(q_i, k_i, v_i, bounds, causal=kind) for (_, kind), bounds, q_i, k_i, v_i in split])
