"""Convolutions over time as matrix products, strip by strip.

A CPU spends most of a codec's time on moving activations through memory, and on convolutions with few channels. Here
times are rows and channels are neighbours, so that a strided or a transposed convolution is a matrix product on the
rows as they lie. A strip's activations stay in the cache from one operation to the next. Filters with several taps
share multiplications (`toom.py`). The filters are prepared when they are first used, from the weights in memory.

Axes: T times, C channels in, D channels out, R taps, N points, Q tiles, G stride.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.kernels import loops
from stages.kernels.toom import toom

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
Window = Callable[[Floats, int, Floats], None]
"""Fills its last argument with the activated times of a signal from a first time on; times outside are padding."""

_STRIP_FLOATS = 130_000
"""Floats of a strip's evaluated inputs, in order that a strip stays in a core's second cache."""
_FEWEST_TILES = 128
"""Tiles of a strip if rows are wide: a matrix product needs so many to be worth reading its filter."""


def empty(*shape: int) -> Floats:
    """Returns an array on a boundary of 64 bytes."""
    import torch

    found: Floats = torch.empty(shape).numpy()
    return found


class Rooms:
    """Two rooms by turns for the signals of one call: a layer reads one and writes the other.

    Fresh memory is slow, because the system clears it page by page.
    """

    def __init__(self) -> None:
        self._rooms = [empty(0), empty(0)]

    def take(self, length: int, channels: int) -> Floats:
        """Returns `[length, channels]`, which is valid until the next but one is taken."""
        self._rooms.reverse()
        if self._rooms[0].size < length * channels:
            self._rooms[0] = empty(length * channels)
        return self._rooms[0][: length * channels].reshape(length, channels)


def plain(mirror: int) -> Window:
    """Makes the `Window` without an activation; see `loops.copy_window`."""
    return lambda x_TC, first, out_TC: loops.copy_window(x_TC, first, mirror, out_TC)


def elu(mirror: int, bias_C: Floats) -> Window:
    """Makes the `Window` of an exponential linear unit of x + bias; see `loops.elu_window`."""
    return lambda x_TC, first, out_TC: loops.elu_window(x_TC, bias_C, first, mirror, out_TC)


def snake(alpha: "Tensor", bias_C: Floats) -> Window:
    """Makes the `Window` of a snake activation of x + bias, with zeros outside; its alpha is `[1, C, 1]`."""
    alpha_C = array(alpha.flatten())
    inverse_C = array(1 / (alpha.flatten() + 1e-9))  # as the library guards against 0
    return lambda x_TC, first, out_TC: loops.snake_window(x_TC, bias_C, first, alpha_C, inverse_C, out_TC)


def array(tensor: "Tensor") -> Floats:
    """Returns a copy of a tensor, contiguous."""
    found: Floats = tensor.detach().float().contiguous().clone().numpy()
    return found


@dataclass(frozen=True, slots=True)
class Taps:
    """A convolution without stride: rows of C channels in, rows of D channels out."""

    points_NCD: Floats
    """The filter at the points of `toom`."""
    bias_D: Floats
    outputs: int
    """How many a tile gives: m."""
    taps: int
    step: int
    """The dilation."""
    even: Floats
    odd: Floats
    weights: Floats

    @property
    def block(self) -> int:
        """Outputs are made in multiples of so many."""
        return self.outputs * self.step

    @property
    def reach(self) -> int:
        """Times that a sum spans beyond its first."""
        return (self.taps - 1) * self.step

    def whole(self, outputs: int) -> int:
        """Rounds a number of outputs up to whole blocks."""
        return -(-outputs // self.block) * self.block

    def rows(self) -> int:
        """Returns how many outputs to make at a time."""
        points, channels, _ = self.points_NCD.shape
        tiles: int = max(_FEWEST_TILES, _STRIP_FLOATS // (points * channels))
        return -(-tiles // self.step) * self.block

    def scratch(self, outputs: int) -> tuple[Floats, Floats]:
        """Returns room for the points of the inputs and of the results of so many outputs or fewer."""
        points, channels, wide = self.points_NCD.shape
        tiles = self.whole(outputs) // self.outputs
        return empty(points * tiles * channels), empty(points * tiles * wide)

    def __call__(self, x_TC: Floats, out_TD: Floats, scratch: tuple[Floats, Floats]) -> None:
        """Convolves: out[t] is the sum over taps r of x[t + r * step] @ filter[r], plus the bias.

        Args:
            x_TC: At least `reach` plus the outputs rounded up to whole blocks.
            out_TD: The outputs, as many as wanted.
            scratch: Of `scratch`; kept from strip to strip, it stays in the cache.
        """
        points, channels, wide = self.points_NCD.shape
        tiles = self.whole(len(out_TD)) // self.outputs
        assert len(x_TC) >= tiles * self.outputs + self.reach
        values_NQC = scratch[0][: points * tiles * channels].reshape(points, tiles, channels)
        products_NQD = scratch[1][: points * tiles * wide].reshape(points, tiles, wide)
        loops.EVALUATE[points](x_TC, self.even, self.odd, self.outputs, self.step, values_NQC)
        np.matmul(values_NQC, self.points_NCD, out=products_NQD)
        loops.INTERPOLATE[points](products_NQD, self.weights, self.bias_D, self.step, out_TD)


def taps(filter_RCD: "Tensor", bias_D: "Tensor | None", outputs: int, step: int = 1) -> Taps:
    """Prepares a convolution; `filter_RCD` may be float32 and is evaluated in float64."""
    import torch

    count, _, wide = filter_RCD.shape
    cook = toom(outputs, count)
    flat_RX = filter_RCD.detach().double().reshape(count, -1)
    points_NCD = (torch.from_numpy(cook.filter_NR) @ flat_RX).reshape(-1, *filter_RCD.shape[1:])
    positive = [1, *range(1, cook.points - 1, 2)]
    even = cook.inputs_NN[[0, *positive[1:]], 0::2]
    odd = cook.inputs_NN[[cook.points - 1, *positive[1:]], 1::2]
    weights = cook.outputs_MN[:, 1 : cook.points - 1 : 2]
    bias = np.zeros(wide, np.float32) if bias_D is None else array(bias_D)
    tables = (np.ascontiguousarray(table, np.float32) for table in (even, odd, weights))
    return Taps(array(points_NCD), bias, outputs, count, step, *tables)


@dataclass(frozen=True, slots=True)
class Convolution:
    """An activation and a convolution, strip by strip."""

    window: Window
    taps: Taps
    before: int
    """Times of padding before the first."""
    stride: int = 1
    """G: a row of the convolution is so many times wide, and each output stands so many further."""

    def __call__(self, x_TC: Floats, length: int, rooms: Rooms) -> Floats:
        """Returns `[length, D]` in one of the rooms."""
        channels = x_TC.shape[1]
        taps = self.taps
        out_TD = rooms.take(length, taps.points_NCD.shape[2])
        strip = taps.rows()
        most = min(strip, length)
        window, scratch = empty(taps.whole(most) + taps.reach, self.stride * channels), taps.scratch(most)
        for first in range(0, length, strip):
            out = out_TD[first : first + strip]
            rows = window[: taps.whole(len(out)) + taps.reach]
            self.window(x_TC, first * self.stride - self.before, rows.reshape(-1, channels))
            taps(rows, out, scratch)
        return out_TD


def strided(window: Window, conv: Any, before: int) -> Convolution:
    """Prepares a `Conv1d` whose taps are two strides."""
    wide, channels, count = conv.weight.shape
    stride = conv.stride[0]
    assert count == 2 * stride
    filter_RCD = conv.weight.permute(2, 1, 0).reshape(2, stride * channels, wide)
    return Convolution(window, taps(filter_RCD, conv.bias, 7), before, stride)


def transposed(window: Window, conv: Any) -> Convolution:
    """Prepares a `ConvTranspose1d` whose taps are two strides.

    Its rows are one stride of outputs wide: row t is made of the inputs t - 1 and t, and starts at the output
    t * stride before the padding is cut off.
    """
    channels, wide, count = conv.weight.shape
    stride = conv.stride[0]
    assert count == 2 * stride
    halves = conv.weight.permute(2, 0, 1).reshape(2, stride, channels, wide).permute(0, 2, 1, 3)
    filter_RCD = halves.reshape(2, channels, stride * wide).flip(0)
    return Convolution(window, taps(filter_RCD, conv.bias.repeat(stride), 5), 1)


def to_one(window: Window, conv: Any, before: int) -> "Callable[[Floats], Tensor]":
    """Prepares a `Conv1d` to a single channel: returns a function from `[T, C]` to `[T]`."""
    import torch

    filter_CR = conv.weight.detach()[0].contiguous()
    bias, count = conv.bias.detach().item(), conv.kernel_size[0]

    def convolve(x_TC: Floats) -> "Tensor":
        length, channels = x_TC.shape
        out_T = empty(length)
        strip = max(1, _STRIP_FLOATS // channels)
        scratch = empty(min(strip, length) + count - 1, channels)
        for first in range(0, length, strip):
            out = out_T[first : first + strip]
            rows = scratch[: len(out) + count - 1]
            window(x_TC, first - before, rows)
            loops.diagonals((torch.from_numpy(rows) @ filter_CR).numpy(), bias, out)
        return torch.from_numpy(out_T)

    return convolve


def from_one(conv: Any, before: int, mirror: int) -> "Callable[[Tensor, Rooms], Floats]":
    """Prepares a `Conv1d` from a single channel: returns a function from `[T]` to `[T, D]`."""
    import torch

    filter_RD, bias_D, count = conv.weight.detach()[:, 0].T.contiguous(), conv.bias.detach(), conv.kernel_size[0]

    def convolve(wave_T: "Tensor", rooms: Rooms) -> Floats:
        padded = empty(len(wave_T) + count - 1, 1)
        loops.copy_window(wave_T[:, None].contiguous().numpy(), -before, mirror, padded)
        out_TD = rooms.take(len(wave_T), len(bias_D))
        windows_TR = torch.from_numpy(padded[:, 0]).unfold(0, count, 1)
        torch.addmm(bias_D, windows_TR, filter_RD, out=torch.from_numpy(out_TD))
        return out_TD

    return convolve
