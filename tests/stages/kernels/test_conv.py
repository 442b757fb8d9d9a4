"""Convolutions by strips against torch's."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, conv_transpose1d, elu

from stages.kernels import conv
from stages.kernels.conv import Convolution, Rooms, from_one, plain, strided, taps, to_one, transposed

CHANNELS = 5
LENGTHS = [1, 2, 7, 100, 301]


@pytest.fixture(autouse=True)
def short_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a hundred times are several strips."""
    monkeypatch.setattr(conv, "_STRIP_FLOATS", 100)
    monkeypatch.setattr(conv, "_FEWEST_TILES", 5)


def signal(length: int, channels: int = CHANNELS) -> torch.Tensor:
    return torch.randn(length, channels, generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("count", "outputs", "step"), [(3, 4, 1), (3, 6, 1), (7, 4, 1), (7, 4, 3), (7, 4, 9), (7, 6, 3)]
)
def test_a_dilated_convolution(length: int, count: int, outputs: int, step: int) -> None:
    module = torch.nn.Conv1d(CHANNELS, 6, count, dilation=step, padding=(count - 1) * step // 2)
    x_TC = signal(length)
    ours = Convolution(plain(0), taps(module.weight.permute(2, 1, 0), module.bias, outputs, step), module.padding[0])
    with torch.no_grad():
        np.testing.assert_allclose(ours(x_TC.numpy(), length, Rooms()), module(x_TC.T[None])[0].T.numpy(), atol=2e-5)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("stride", [2, 5])
def test_a_strided_convolution_after_an_activation(length: int, stride: int) -> None:
    module = torch.nn.Conv1d(CHANNELS, 6, 2 * stride, stride)
    x_TC = signal(length * stride)
    ours = strided(conv.elu(0, np.zeros(CHANNELS, np.float32)), module, stride)
    with torch.no_grad():
        expected = conv1d(torch.nn.functional.pad(elu(x_TC.T), (stride, 0))[None], module.weight, module.bias, stride)
    np.testing.assert_allclose(ours(x_TC.numpy(), length, Rooms()), expected[0].T.numpy(), atol=1e-5)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("stride", [2, 5])
def test_a_transposed_convolution(length: int, stride: int) -> None:
    module = torch.nn.ConvTranspose1d(CHANNELS, 6, 2 * stride, stride)
    x_TC = signal(length)
    with torch.no_grad():
        expected = conv_transpose1d(x_TC.T[None], module.weight, module.bias, stride)[0].T
    found = transposed(plain(0), module)(x_TC.numpy(), length + 1, Rooms()).reshape(-1, 6)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("length", LENGTHS)
def test_from_and_to_a_single_channel(length: int) -> None:
    first, last = torch.nn.Conv1d(1, 6, 7, padding=3), torch.nn.Conv1d(6, 1, 7, padding=3)
    wave_T = signal(length, 1)[:, 0]
    with torch.no_grad():
        x_TC = first(wave_T[None, None])[0].T
        expected_T = last(x_TC.T[None])[0, 0]
    np.testing.assert_allclose(from_one(first, 3, 0)(wave_T, Rooms()), x_TC.numpy(), atol=1e-6)
    np.testing.assert_allclose(to_one(plain(0), last, 3)(x_TC.contiguous().numpy()), expected_T.numpy(), atol=1e-6)
