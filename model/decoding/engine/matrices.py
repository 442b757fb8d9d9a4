"""Linear layers as the engine applies them: as they are, or with 8-bit weights.

Axes: ... any leading axes, B rows, D inputs, E outputs.
"""

import copy
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from model.decoding.engine import Quantization
from model.network.decoder import Decoder
from model.network.feedforward import SwiGLU
from stages.errors import UsageError

Matrix = Callable[[Tensor], Tensor]
"""Maps `[B, D]` to `[B, E]`, each row by itself."""

_ZERO = 128
"""oneDNN's fast kernels take unsigned inputs, so ours are moved up by half the range."""
_ROUNDING = 3 * 2**22 + _ZERO
"""Float32 numbers of this size are whole: adding it rounds, and leaves a whole number plus `_ZERO` in the last byte.
PyTorch rounds to bytes in twice the time."""
_ROWS = 256
"""Rows of a feed-forward that are computed at once: so few that what lies between its layers stays in the cache."""


def matrix(weight_ED: Tensor, quantization: Quantization) -> Matrix:
    """Prepares a linear layer without bias.

    Args:
        weight_ED: Its weight.
        quantization: How to hold it.

    Raises:
        UsageError: if the weights are to be 8-bit, but aren't on a CPU whose PyTorch has oneDNN.
    """
    if quantization == "none":
        return partial(F.linear, weight=weight_ED)
    if weight_ED.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        raise UsageError(
            f"`quantize` must be `none` on {weight_ED.device}, but is `{quantization}`: 8-bit weights need a CPU and a"
            " PyTorch with oneDNN."
        )
    if not _sums_are_exact():
        raise UsageError(
            f"`quantize` must be `none` on this processor, but is `{quantization}`: its 8-bit products overflow, which"
            " processors with AVX-512 VNNI or AVX-VNNI avoid."
        )
    return Int8(weight_ED)


def quantized(network: Decoder, quantization: Quantization) -> Decoder:
    """Returns a network whose linear layers are held as asked; all else is shared with the given one.

    Raises:
        UsageError: as `matrix` does.
    """
    if quantization == "none":
        return network
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    changed = copy.deepcopy(network, shared)
    for kind in (nn.Linear, SwiGLU):  # the latter are made of linear layers
        for name, layer in [*changed.named_modules()]:
            if isinstance(layer, kind):
                parent, _, child = name.rpartition(".")
                held = _FeedForward(layer) if isinstance(layer, SwiGLU) else _Linear(matrix(layer.weight, quantization))
                owner = changed.get_submodule(parent)
                if isinstance(owner, nn.ModuleList):
                    owner[int(child)] = held
                else:
                    setattr(owner, child, held)
    return changed


class _Linear(nn.Module):
    """A linear layer that is held in another form."""

    def __init__(self, held: Matrix) -> None:
        super().__init__()
        self._held = held

    def forward(self, x: Tensor) -> Tensor:
        """Maps `[..., D]` to `[..., E]`."""
        flat_BE = self._held(x.flatten(0, -2))
        return flat_BE.view(*x.shape[:-1], flat_BE.shape[-1])


class _FeedForward(nn.Module):
    """A feed-forward that takes a few rows at a time; none depends on the others."""

    def __init__(self, whole: SwiGLU) -> None:
        super().__init__()
        self._whole = whole

    def forward(self, x: Tensor) -> Tensor:
        """Maps each position of `[..., D]` separately."""
        rows_BD = x.flatten(0, -2)
        return torch.cat([self._whole(some) for some in torch.split(rows_BD, _ROWS)]).view_as(x)


@cache
def _sums_are_exact() -> bool:
    """Returns whether the greatest products add up: older x86 processors add pairs in 16 bits, which overflow."""
    ones_1D = torch.ones(1, 64)
    return torch.allclose(Int8(ones_1D)(ones_1D), ones_1D @ ones_1D.T)


class Int8:
    """A linear layer with 8-bit weights and inputs and exact 32-bit sums.

    Each output has its own scale, and each input row its own. So a row's result doesn't depend on the other rows of
    the batch, which scales shared by a batch (`torch.ao.quantization.quantize_dynamic`) don't give.

    Source: per-channel weights and per-token inputs, ZeroQuant, section 3.1, https://arxiv.org/abs/2206.01861.
    """

    def __init__(self, weight_ED: Tensor) -> None:
        weight_ED = weight_ED.detach().float()
        self._scale_E = weight_ED.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / 127
        rounded_ED = (weight_ED / self._scale_E[:, None]).round().to(torch.int8)
        self._packed: Any = torch.ops.onednn.qlinear_prepack(rounded_ED, None)
        self._zeros_E = torch.zeros(len(weight_ED), dtype=torch.int64)

    def __call__(self, x_BD: Tensor) -> Tensor:
        """Applies the layer to float32 rows."""
        scale_B1 = x_BD.abs().amax(-1, keepdim=True).clamp_min_(1e-30).mul_(1 / 127)
        rounded_BD = (x_BD / scale_B1).add_(_ROUNDING).view(torch.int32).to(torch.uint8)
        sums_BE: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(rounded_BD, 1.0, _ZERO, self._packed, self._scale_E, self._zeros_E, None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
        return sums_BE.mul_(scale_B1)
