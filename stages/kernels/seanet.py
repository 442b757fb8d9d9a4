"""EnCodec's encoder, decoder and nearest codewords on the CPU.

Axes: L samples, T times, C and D channels, G gates, K codebooks, V codebook size, B waves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.kernels import loops
from stages.kernels.conv import (
    Convolution,
    Floats,
    Rooms,
    Taps,
    array,
    elu,
    empty,
    from_one,
    plain,
    strided,
    taps,
    to_one,
    transposed,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Layer = Callable[[Floats, Rooms], Floats]
"""From `[T, C]` to `[T, D]`; T may change."""

_PANEL = 512
"""Gates whose sums stay in the first cache."""
_TOGETHER = 16
"""Waves that share the reading of the LSTM's weights."""


@dataclass(frozen=True, slots=True)
class _Residual:
    """A residual block: ELU, three taps, ELU, one tap, and the sum with a product of its input.

    It gives the sum without its bias.
    """

    taps: Taps
    filter_DC: Floats
    """The filters of the input and, below them, of the last ELU: D = C + H."""
    bias_C: Floats
    """Left to whatever reads the sum."""

    def __call__(self, x_TC: Floats, rooms: Rooms) -> Floats:
        length, channels = x_TC.shape
        taps, wide = self.taps, len(self.filter_DC)
        out_TC = rooms.take(length, channels)
        strip = taps.rows()
        most = taps.whole(min(strip, length))
        none_C = np.zeros(channels, np.float32)
        scratch = taps.scratch(most)
        rows, middle, beside = empty(most + taps.reach, channels), empty(most, wide - channels), empty(most, wide)
        for start in range(0, length, strip):
            x = x_TC[start : start + strip]
            window = rows[: taps.whole(len(x)) + taps.reach]
            loops.elu_window(x_TC, none_C, start - taps.reach, taps.reach + 1, window)
            taps(window, middle[: len(x)], scratch)
            loops.elu_beside(x, middle, beside)
            np.matmul(beside[: len(x)], self.filter_DC, out=out_TC[start : start + strip])
        return out_TC


def _residual(block: Any) -> _Residual:
    _, three, _, one = block.block
    three, one, shortcut = three.conv.conv, one.conv.conv, block.shortcut.conv.conv
    filter_DC = np.concatenate([array(module.weight[:, :, 0].T) for module in (shortcut, one)])
    return _Residual(taps(three.weight.permute(2, 1, 0), three.bias, 6), filter_DC, array(shortcut.bias + one.bias))


class _Lstm:
    """An `SLSTM`: LSTM layers whose input is added to the result."""

    def __init__(self, module: Any) -> None:
        lstm = module.lstm
        units = lstm.hidden_size
        width = next(size for size in (_PANEL // 4, 64, 32, 16, 8) if units % size == 0)
        # By panel: of `width` units the input gates, forget gates, cells and output gates, as torch orders them.
        self._order = np.arange(4 * units).reshape(4, units // width, width).swapaxes(0, 1).ravel()
        self._layers: list[tuple[Floats, Floats, Floats]] = []
        for layer in range(lstm.num_layers):
            inputs, hidden, *biases = (
                getattr(lstm, f"{name}_l{layer}").detach()[self._order]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            panels_PGH = hidden.reshape(units // width, 4 * width, units)
            self._layers.append((array(inputs.T), array(sum(biases)), array(panels_PGH.transpose(1, 2))))

    def __call__(self, waves: Sequence[Floats]) -> list[Floats]:
        """Returns one `[T, C]` for each."""
        results: dict[int, Floats] = {}
        order = sorted(range(len(waves)), key=lambda index: -len(waves[index]))
        for at in range(0, len(order), _TOGETHER):
            chosen = order[at : at + _TOGETHER]
            results |= zip(chosen, self._together([waves[index] for index in chosen]), strict=True)
        return [results[index] for index in range(len(waves))]

    def _together(self, waves: Sequence[Floats]) -> list[Floats]:
        """As `__call__` for waves of falling lengths."""
        lengths = np.array([len(wave) for wave in waves])
        ends = np.cumsum(lengths)
        places = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
        outs = list(waves)
        for filter_CG, bias_G, panels_PHG in self._layers:
            inputs_TG = empty(int(ends[-1]), len(bias_G))
            for out, place in zip(outs, places, strict=True):
                np.matmul(out, filter_CG, out=inputs_TG[place])
            found_TH = empty(int(ends[-1]), panels_PHG.shape[1])
            loops.lstm(inputs_TG, bias_G, ends - lengths, lengths, panels_PHG, found_TH)
            outs = [found_TH[place] for place in places]
        return [out + wave for out, wave in zip(outs, waves, strict=True)]


def _conv(module: Any) -> Any:
    """Returns the `Conv1d` inside of the library's wrapper, which pads."""
    assert module.causal and module.pad_mode == "reflect"
    return module.conv.conv


def _seven(module: Any, *, active: bool) -> Layer:
    """Prepares a convolution without a stride, after an ELU if `active`."""
    conv = _conv(module)
    before = conv.kernel_size[0] - 1
    window = elu(before + 1, np.zeros(conv.in_channels, np.float32)) if active else plain(before + 1)
    layer = Convolution(window, taps(conv.weight.permute(2, 1, 0), conv.bias, 4), before)
    return lambda x_TC, rooms: layer(x_TC, len(x_TC), rooms)


class EncodecEncoder:
    """Computes the encoder of `encodec.EncodecModel` on the CPU.

    Args:
        encoder: The library's module, with weight normalisation folded.
    """

    def __init__(self, encoder: "torch.nn.Module") -> None:
        first, *middle, lstm, _, last = encoder.model  # type: ignore[misc]
        conv = _conv(first)
        self._first = from_one(conv, conv.kernel_size[0] - 1, conv.kernel_size[0])
        self._stages: list[tuple[_Residual, Convolution]] = []
        for block, _, down in zip(*[iter(middle)] * 3, strict=True):
            stride, unit = _conv(down).stride[0], _residual(block)
            self._stages.append((unit, strided(elu(stride + 1, unit.bias_C), _conv(down), stride)))
        self._lstm = _Lstm(lstm)
        self._last = _seven(last, active=True)

    def __call__(self, waves: "Sequence[Tensor]") -> list[Floats]:
        """Returns the latents, `[T, D]`, of each wave, `[L]`."""
        rooms = Rooms()
        frames = [self._frames(wave, rooms).copy() for wave in waves]
        return [self._last(x_TC, rooms).copy() for x_TC in self._lstm(frames)]

    def _frames(self, wave_L: "Tensor", rooms: Rooms) -> Floats:
        x_TC = self._first(wave_L, rooms)
        for block, down in self._stages:
            x_TC = down(block(x_TC, rooms), -(-len(x_TC) // down.stride), rooms)
        return x_TC


class EncodecDecoder:
    """Computes the decoder of `encodec.EncodecModel` on the CPU.

    Args:
        decoder: The library's module, with weight normalisation folded.
    """

    def __init__(self, decoder: "torch.nn.Module") -> None:
        first, lstm, *middle, _, last = decoder.model  # type: ignore[misc]
        self._first = _seven(first, active=False)
        self._lstm = _Lstm(lstm)
        self._stages: list[tuple[Convolution, int, _Residual]] = []
        left_C = np.zeros(_conv(first).out_channels, np.float32)
        for _, up, block in zip(*[iter(middle)] * 3, strict=True):
            conv = up.convtr.convtr
            assert up.causal and up.trim_right_ratio == 1
            self._stages.append((transposed(elu(0, left_C), conv), conv.stride[0], _residual(block)))
            left_C = self._stages[-1][-1].bias_C
        conv = _conv(last)
        self._last = to_one(elu(conv.kernel_size[0], left_C), conv, conv.kernel_size[0] - 1)

    def __call__(self, latent_TD: Floats) -> "Tensor":
        """Returns the wave, `[L]`."""
        rooms = Rooms()
        [x_TC] = self._lstm([self._first(latent_TD, rooms)])
        for up, stride, block in self._stages:
            rows = up(x_TC, len(x_TC), rooms)
            x_TC = block(rows.reshape(len(rows) * stride, -1), rooms)
        return self._last(x_TC)


class Codebooks:
    """Finds the nearest codewords of residual vector quantisation.

    Args:
        vectors_KVD: The codebooks.
    """

    def __init__(self, vectors_KVD: "Tensor") -> None:
        # The nearest vector has the largest x . v - |v|^2 / 2.
        self._tables = [
            (array(vectors_VD), array(vectors_VD.T), array(-vectors_VD.double().square().sum(dim=1) / 2))
            for vectors_VD in vectors_KVD.detach().float()
        ]

    def __call__(self, latent_TD: Floats) -> "Tensor":
        """Returns the codes, `[K, T]` int64."""
        import torch

        residual_TD = latent_TD.copy()
        codes_KT = torch.empty(len(self._tables), len(latent_TD), dtype=torch.int64)
        for codes_T, (vectors_VD, filter_DV, bias_V) in zip(codes_KT, self._tables, strict=True):
            loops.nearest(residual_TD @ filter_DV, bias_V, vectors_VD, residual_TD, codes_T.numpy())
        return codes_KT
