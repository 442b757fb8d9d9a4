"""DAC's encoder and decoder on the CPU.

Axes: L samples, T times, C and D channels, R taps.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.kernels.conv import (
    Convolution,
    Floats,
    Rooms,
    Taps,
    Window,
    array,
    empty,
    from_one,
    plain,
    snake,
    strided,
    taps,
    to_one,
    transposed,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Residual:
    """A residual unit: snake, seven taps, snake, one tap, and the sum with its input.

    The bias of the last is left to whatever reads the sum.
    """

    first: Window
    taps: Taps
    second: Window
    filter_CC: "Tensor"

    def __call__(self, x_TC: Floats) -> None:
        """Adds to the input in place."""
        import torch

        length, channels = x_TC.shape
        taps, reach = self.taps, self.taps.reach
        strip = taps.rows()
        most = taps.whole(min(strip, length))
        scratch = taps.scratch(most)
        rows, middle, hidden = empty(most + reach, channels), empty(most, channels), empty(most, channels)
        for start in range(0, length, strip):
            x = x_TC[start : start + strip]
            whole = taps.whole(len(x))
            if start:  # the last strip's own times are overwritten by now
                rows[:reach] = rows[strip : strip + reach]
                self.first(x_TC, start + reach // 2, rows[reach : whole + reach])
            else:
                self.first(x_TC, -(reach // 2), rows[: whole + reach])
            taps(rows[: whole + reach], middle[: len(x)], scratch)
            self.second(middle, 0, hidden[: len(x)])
            torch.from_numpy(x).addmm_(torch.from_numpy(hidden[: len(x)]), self.filter_CC)


def _residuals(units: Any, outputs: int) -> tuple[list[_Residual], Floats]:
    """Prepares residual units one after the other; returns them and the sum of the biases that they leave."""
    prepared = []
    left_C = np.zeros(units[0].block[1].in_channels, np.float32)
    for unit in units:
        first, seven, second, one = unit.block
        middle = taps(seven.weight.permute(2, 1, 0), seven.bias, outputs, seven.dilation[0])
        activations = snake(first.alpha, left_C), snake(second.alpha, np.zeros_like(left_C))
        filter_CC = one.weight.detach()[:, :, 0].T.contiguous()
        prepared.append(_Residual(activations[0], middle, activations[1], filter_CC))
        left_C = left_C + array(one.bias)
    return prepared, left_C


class DacEncoder:
    """Computes `dac.DAC.encoder` on the CPU.

    Args:
        encoder: The library's module, with weight normalisation folded.
    """

    def __init__(self, encoder: "torch.nn.Module") -> None:
        first, *blocks, last_snake, last = encoder.block  # type: ignore[misc]
        self._first = from_one(first, 3, 0)
        self._stages: list[tuple[list[_Residual], Convolution]] = []
        for block in blocks:
            *units, act, down = block.block
            prepared, left_C = _residuals(units, 4)
            self._stages.append((prepared, strided(snake(act.alpha, left_C), down, down.padding[0])))
        window = snake(last_snake.alpha, np.zeros(last.in_channels, np.float32))
        self._last = Convolution(window, taps(last.weight.permute(2, 1, 0), last.bias, 4), 1)

    def __call__(self, wave_L: "Tensor") -> "Tensor":
        """Returns the latents, `[1, D, T]`, of a wave of whole frames, `[L]`."""
        import torch

        rooms = Rooms()
        x_TC = self._first(wave_L, rooms)
        for units, down in self._stages:
            for unit in units:
                unit(x_TC)
            x_TC = down(x_TC, (len(x_TC) + 2 * down.before) // down.stride - 1, rooms)
        return torch.from_numpy(self._last(x_TC, len(x_TC), rooms)).T[None].contiguous()


class DacDecoder:
    """Computes `dac.DAC.decoder` on the CPU.

    Args:
        decoder: The library's module, with weight normalisation folded.
    """

    def __init__(self, decoder: "torch.nn.Module") -> None:
        first, *blocks, last_snake, last, _ = decoder.model  # type: ignore[misc]
        self._first = Convolution(plain(0), taps(first.weight.permute(2, 1, 0), first.bias, 6), 3)
        self._stages: list[tuple[Convolution, int, int, list[_Residual]]] = []
        left_C = np.zeros(first.out_channels, np.float32)
        for block in blocks:
            act, up, *units = block.block
            conv = transposed(snake(act.alpha, left_C), up)
            prepared, left_C = _residuals(units, 6)
            self._stages.append((conv, up.stride[0], up.padding[0], prepared))
        self._last = to_one(snake(last_snake.alpha, left_C), last, 3)

    def __call__(self, latent_1DT: "Tensor") -> "Tensor":
        """Returns the wave, `[L]`."""
        x_TC = latent_1DT[0].T.contiguous().numpy()
        rooms = Rooms()
        x_TC = self._first(x_TC, len(x_TC), rooms)
        for up, stride, cut, units in self._stages:
            rows = len(x_TC) + 1
            length = len(x_TC) * stride + stride - 2 * cut
            x_TC = up(x_TC, rows, rooms).reshape(rows * stride, -1)[cut : cut + length]
            for unit in units:
                unit(x_TC)
        return self._last(x_TC).tanh()
