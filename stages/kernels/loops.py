"""The loops that aren't matrix products, compiled by numba on first use and kept in its cache.

All arrays are float32 and contiguous; rows are times, and a row's channels lie side by side, so that every inner loop
runs over neighbours in memory. `contract` lets a product and a sum become one instruction, and nothing else.

Axes: T times, C channels, N points of a Toom-Cook convolution, Q tiles, M outputs of a tile.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

f32 = np.float32
i32 = np.int32

_ROUND = f32(12582912.0)
"""1.5 * 2^23: a small number plus this is rounded to an integer, which lies in the last bits."""


def _compiled(function: F) -> F:
    """Compiles on first use; kept between processes where numba finds a folder that it may write to."""
    options: dict[str, Any] = {"fastmath": {"contract"}, "nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


def _part(function: F) -> F:
    """Compiles a part of other functions, with them."""
    return numba.njit(fastmath={"contract"})(function)  # type: ignore[no-any-return]


@_part
def _expm1(value: f32) -> f32:
    """e^value - 1 for value <= 0, within two units in the last place."""
    value = max(value, f32(-87.0))
    shifted = np.float32(value * f32(1.4426950408889634) + _ROUND)
    whole = shifted - _ROUND
    rest = value - whole * f32(0.693359375)
    rest = rest + whole * f32(2.12194440e-4)
    series = f32(1 / 720) + rest * f32(1 / 5040)
    series = f32(1 / 120) + rest * series
    series = f32(1 / 24) + rest * series
    series = f32(1 / 6) + rest * series
    series = f32(0.5) + rest * series
    series = rest + rest * rest * series
    power = np.int32((shifted.view(np.int32) + i32(127)) << i32(23)).view(np.float32)
    return power * series + (power - f32(1.0))


@_part
def _sigmoid(value: f32) -> f32:
    power = _expm1(-abs(value))  # e^-|v| - 1, so that nothing overflows
    small = (power + f32(1.0)) / (power + f32(2.0))
    return small if value < 0 else f32(1.0) / (power + f32(2.0))


@_part
def _tanh(value: f32) -> f32:
    power = _expm1(f32(-2.0) * abs(value))
    size = -power / (power + f32(2.0))
    return -size if value < 0 else size


@_part
def _sine_squared(value: f32) -> f32:
    """sin(value)^2, which repeats after pi."""
    shifted = value * f32(0.3183098861837907) + _ROUND
    whole = shifted - _ROUND
    rest = value - whole * f32(3.140625)
    rest = rest - whole * f32(9.67502593994140625e-4)
    rest = rest - whole * f32(1.509957990978376e-7)
    rest = min(max(rest, f32(-1.5707964)), f32(1.5707964))  # beyond a million it means nothing, as the value's own bits
    square = rest * rest
    series = f32(2.7557319e-6) - square * f32(2.5052108e-8)
    series = f32(-1.9841270e-4) + square * series
    series = f32(8.3333333e-3) + square * series
    series = f32(-1.6666667e-1) + square * series
    sine = rest + rest * square * series
    return sine * sine


@_compiled
def copy_window(x_TC: Any, first: int, mirror: int, out_TC: Any) -> None:
    """Copies times from `first` on; times outside `x_TC` are zero, or reflected as `_source` says."""
    for row in range(out_TC.shape[0]):
        source = _source(first + row, x_TC.shape[0], mirror)
        for c in range(out_TC.shape[1]):
            out_TC[row, c] = x_TC[source, c] if source >= 0 else f32(0.0)


@_compiled
def elu_window(x_TC: Any, bias_C: Any, first: int, mirror: int, out_TC: Any) -> None:
    """As `copy_window`, of x + bias through an exponential linear unit."""
    for row in range(out_TC.shape[0]):
        source = _source(first + row, x_TC.shape[0], mirror)
        if source < 0:
            out_TC[row] = 0
            continue
        for c in range(out_TC.shape[1]):
            value = x_TC[source, c] + bias_C[c]
            out_TC[row, c] = value if value > 0 else _expm1(min(value, f32(0.0)))


@_compiled
def elu_beside(x_TC: Any, hidden_TH: Any, out_TD: Any) -> None:
    """Writes x, and beside it the hidden channels through an exponential linear unit; D = C + H."""
    channels = x_TC.shape[1]
    for row in range(x_TC.shape[0]):
        for c in range(channels):
            out_TD[row, c] = x_TC[row, c]
        for c in range(hidden_TH.shape[1]):
            value = hidden_TH[row, c]
            out_TD[row, channels + c] = value if value > 0 else _expm1(min(value, f32(0.0)))


@_compiled
def snake_window(x_TC: Any, bias_C: Any, first: int, alpha_C: Any, inverse_C: Any, out_TC: Any) -> None:
    """As `copy_window` with zeros, through y + sin(alpha y)^2 / alpha, where y = x + bias."""
    for row in range(out_TC.shape[0]):
        source = first + row
        if source < 0 or source >= x_TC.shape[0]:
            out_TC[row] = 0
            continue
        for c in range(out_TC.shape[1]):
            value = x_TC[source, c] + bias_C[c]
            out_TC[row, c] = value + inverse_C[c] * _sine_squared(alpha_C[c] * value)


@_part
def _source(time: int, length: int, mirror: int) -> int:
    """Returns where a time's value is, -1 for a zero.

    Args:
        time: It.
        length: T.
        mirror: 0: zeros surround the signal. Else it is reflected at both ends, after zeros have made it at least
            `mirror` times long, as EnCodec pads.
    """
    if mirror:
        last = max(length, mirror) - 1
        if time < 0:
            time = -time
        if time > last:
            time = 2 * last - time
    return time if 0 <= time < length else -1


def _evaluator(half: int) -> Callable[..., None]:
    """Makes the kernel for n = 2 * `half` points."""

    @_compiled
    def evaluate(x_TC: Any, even: Any, odd: Any, outputs: int, step: int, out_NQC: Any) -> None:
        for tile in range(out_NQC.shape[1]):
            base = (tile // step) * (outputs * step) + tile % step
            for pair in range(half):
                e0, e1 = even[pair, 0], even[pair, 1]
                o0, o1 = odd[pair, 0], odd[pair, 1]
                if half > 2:
                    e2, o2 = even[pair, 2], odd[pair, 2]
                if half > 3:
                    e3, o3 = even[pair, 3], odd[pair, 3]
                if half > 4:
                    e4, o4 = even[pair, 4], odd[pair, 4]
                if half > 5:
                    e5, o5 = even[pair, 5], odd[pair, 5]
                plus = max(2 * pair - 1, 0)
                minus = 2 * pair if pair else 2 * half - 1
                for c in range(x_TC.shape[1]):
                    left = e0 * x_TC[base, c] + e1 * x_TC[base + 2 * step, c]
                    right = o0 * x_TC[base + step, c] + o1 * x_TC[base + 3 * step, c]
                    if half > 2:
                        left += e2 * x_TC[base + 4 * step, c]
                        right += o2 * x_TC[base + 5 * step, c]
                    if half > 3:
                        left += e3 * x_TC[base + 6 * step, c]
                        right += o3 * x_TC[base + 7 * step, c]
                    if half > 4:
                        left += e4 * x_TC[base + 8 * step, c]
                        right += o4 * x_TC[base + 9 * step, c]
                    if half > 5:
                        left += e5 * x_TC[base + 10 * step, c]
                        right += o5 * x_TC[base + 11 * step, c]
                    if pair == 0:
                        out_NQC[plus, tile, c] = left
                        out_NQC[minus, tile, c] = right
                    else:
                        out_NQC[plus, tile, c] = left + right
                        out_NQC[minus, tile, c] = left - right

    return evaluate


def _interpolator(pairs: int) -> Callable[..., None]:
    """Makes the kernel for n = 2 * `pairs` + 2 points."""

    @_compiled
    def interpolate(x_NQC: Any, weights: Any, bias_C: Any, step: int, out_TC: Any) -> None:
        outputs = weights.shape[0]
        last = x_NQC.shape[0] - 1
        for tile in range(x_NQC.shape[1]):
            base = (tile // step) * (outputs * step) + tile % step
            for index in range(outputs):
                row = base + index * step
                if row >= out_TC.shape[0]:
                    break
                sign = f32(1.0) if index % 2 == 0 else f32(-1.0)
                w0 = weights[index, 0]
                if pairs > 1:
                    w1 = weights[index, 1]
                if pairs > 2:
                    w2 = weights[index, 2]
                if pairs > 3:
                    w3 = weights[index, 3]
                if pairs > 4:
                    w4 = weights[index, 4]
                edge = last if index == outputs - 1 else 0
                factor = f32(1.0) if index == 0 or index == outputs - 1 else f32(0.0)
                for c in range(out_TC.shape[1]):
                    value = bias_C[c] + factor * x_NQC[edge, tile, c]
                    value += w0 * (x_NQC[1, tile, c] + sign * x_NQC[2, tile, c])
                    if pairs > 1:
                        value += w1 * (x_NQC[3, tile, c] + sign * x_NQC[4, tile, c])
                    if pairs > 2:
                        value += w2 * (x_NQC[5, tile, c] + sign * x_NQC[6, tile, c])
                    if pairs > 3:
                        value += w3 * (x_NQC[7, tile, c] + sign * x_NQC[8, tile, c])
                    if pairs > 4:
                        value += w4 * (x_NQC[9, tile, c] + sign * x_NQC[10, tile, c])
                    out_TC[row, c] = value

    return interpolate


EVALUATE = {2 * half: _evaluator(half) for half in (2, 3, 4, 5, 6)}
"""By n: evaluates the inputs of each tile. Args: `x_TC`, the even and odd columns of the rows zero (even), infinity
(odd) and the positive ones, m, the step between taps, and the result."""
INTERPOLATE = {2 * pairs + 2: _interpolator(pairs) for pairs in (1, 2, 3, 4, 5)}
"""By n: interpolates the outputs of each tile and adds a bias."""


@_compiled
def lstm(inputs_TG: Any, bias_G: Any, firsts_B: Any, lengths_B: Any, weights_PHG: Any, out_TH: Any) -> None:
    """Runs an LSTM over several sequences at once. Each gets the same bits as alone.

    Args:
        inputs_TG: The gates' inputs of all sequences, one sequence after the other. Gates lie in panels: of a few units
            the input gates, the forget gates, the cells and the output gates.
        bias_G: The gates' biases.
        firsts_B: Where each sequence starts.
        lengths_B: Its length. The longest sequence is first.
        weights_PHG: The recurrent weights by panel.
        out_TH: The results.
    """
    rows = len(lengths_B)
    panels, units, gates = weights_PHG.shape
    width = gates // 4
    hidden = np.zeros((2, rows, units), f32)
    cells = np.zeros((rows, units), f32)
    sums = np.empty((rows, gates), f32)
    active = rows
    for time in range(lengths_B[0]):
        while lengths_B[active - 1] <= time:
            active -= 1
        before, after = hidden[time % 2], hidden[1 - time % 2]
        for panel in range(panels):
            for row in range(active):
                for gate in range(gates):
                    at = panel * gates + gate
                    sums[row, gate] = inputs_TG[firsts_B[row] + time, at] + bias_G[at]
            for k in range(0, units, 8):
                for row in range(0, active - 1, 2):
                    _two(before[row], before[row + 1], weights_PHG[panel], k, sums[row], sums[row + 1])
                if active % 2:
                    _one(before[active - 1], weights_PHG[panel], k, sums[active - 1])
            for row in range(active):
                for unit in range(width):
                    at = panel * width + unit
                    keep = _sigmoid(sums[row, width + unit]) * cells[row, at]
                    cell = keep + _sigmoid(sums[row, unit]) * _tanh(sums[row, 2 * width + unit])
                    cells[row, at] = cell
                    after[row, at] = _sigmoid(sums[row, 3 * width + unit]) * _tanh(cell)
                for unit in range(width):
                    out_TH[firsts_B[row] + time, panel * width + unit] = after[row, panel * width + unit]


@_part
def _one(a: Any, weights: Any, k: int, sums: Any) -> None:
    """Adds 8 products to each of a row's sums, in a fixed order."""
    a0, a1, a2, a3, a4, a5, a6, a7 = a[k], a[k + 1], a[k + 2], a[k + 3], a[k + 4], a[k + 5], a[k + 6], a[k + 7]
    for gate in range(len(sums)):
        one = sums[gate] + a0 * weights[k, gate] + a1 * weights[k + 1, gate]
        one = one + a2 * weights[k + 2, gate] + a3 * weights[k + 3, gate]
        one = one + a4 * weights[k + 4, gate] + a5 * weights[k + 5, gate]
        sums[gate] = one + a6 * weights[k + 6, gate] + a7 * weights[k + 7, gate]


@_part
def _two(a: Any, b: Any, weights: Any, k: int, sums: Any, others: Any) -> None:
    """As `_one` for two rows, which share the weights."""
    a0, a1, a2, a3, a4, a5, a6, a7 = a[k], a[k + 1], a[k + 2], a[k + 3], a[k + 4], a[k + 5], a[k + 6], a[k + 7]
    b0, b1, b2, b3, b4, b5, b6, b7 = b[k], b[k + 1], b[k + 2], b[k + 3], b[k + 4], b[k + 5], b[k + 6], b[k + 7]
    for gate in range(len(sums)):
        w0, w1, w2, w3 = weights[k, gate], weights[k + 1, gate], weights[k + 2, gate], weights[k + 3, gate]
        w4, w5, w6, w7 = weights[k + 4, gate], weights[k + 5, gate], weights[k + 6, gate], weights[k + 7, gate]
        one = sums[gate] + a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
        sums[gate] = one + a4 * w4 + a5 * w5 + a6 * w6 + a7 * w7
        two = others[gate] + b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
        others[gate] = two + b4 * w4 + b5 * w5 + b6 * w6 + b7 * w7


@_compiled
def nearest(scores_TV: Any, bias_V: Any, vectors_VD: Any, residual_TD: Any, codes_T: Any) -> None:
    """Writes the first index of each row's largest score + bias, and subtracts its vector from the residual."""
    for row in range(scores_TV.shape[0]):
        best, highest = 0, scores_TV[row, 0] + bias_V[0]
        for index in range(1, scores_TV.shape[1]):
            score = scores_TV[row, index] + bias_V[index]
            if score > highest:
                best, highest = index, score
        codes_T[row] = best
        for d in range(vectors_VD.shape[1]):
            residual_TD[row, d] -= vectors_VD[best, d]


@_compiled
def diagonals(products_TR: Any, bias: float, out_T: Any) -> None:
    """Sums each output's taps: out[t] = bias + sum over r of products[t + r, r]."""
    for time in range(out_T.shape[0]):
        value = bias
        for tap in range(products_TR.shape[1]):
            value += products_TR[time + tap, tap]
        out_T[time] = value
