"""The compiled loops against torch, the library's snake, and themselves."""

import numpy as np
import pytest
import torch

from stages.kernels import loops
from stages.kernels.conv import snake

ARGUMENTS = np.concatenate(
    [
        np.linspace(-100, 100, 20_001),
        np.random.default_rng(0).normal(0, 1, 4_000),
        [0.0, -0.0, 1e-30, -1e-30, -1e-7, 1e30, -1e30, -87.0, -200.0],
    ]
).astype(np.float32)[:, None]


def test_elu_is_torch() -> None:
    found = np.full_like(ARGUMENTS, np.nan)
    loops.elu_window(ARGUMENTS, np.zeros(1, np.float32), 0, 0, found)
    expected = torch.nn.functional.elu(torch.from_numpy(ARGUMENTS).double())
    np.testing.assert_allclose(found, expected.numpy(), rtol=3e-7)


@pytest.mark.parametrize("alpha", [1.0, 0.01, 7.0, -2.0])
def test_snake_is_the_library(alpha: float) -> None:
    from dac.nn.layers import snake as theirs

    given = ARGUMENTS[abs(ARGUMENTS) < 1e20][:, None]
    found = np.full_like(given, np.nan)
    snake(torch.full((1, 1, 1), alpha), np.zeros(1, np.float32))(given, 0, found)
    alpha_111 = torch.full((1, 1, 1), alpha, dtype=torch.float64)
    expected = theirs(torch.from_numpy(given).double()[None].transpose(1, 2), alpha_111)[0, 0].numpy()
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6, atol=2e-5 / abs(alpha) * max(1, abs(alpha)))


def test_snake_adds_the_bias_that_an_earlier_sum_left_and_no_bias_to_the_padding() -> None:
    x_TC, bias_C = np.ones((3, 2), np.float32), np.array([0.5, -3.0], np.float32)
    found, expected = np.full((5, 2), np.nan, np.float32), np.zeros((5, 2), np.float32)
    alpha = torch.tensor([1.0, 2.0]).reshape(1, 2, 1)
    snake(alpha, bias_C)(x_TC, -1, found)
    snake(alpha, np.zeros_like(bias_C))(x_TC + bias_C, 0, expected[1:4])
    np.testing.assert_array_equal(found, expected)


def test_huge_arguments_of_a_snake_stay_finite() -> None:
    given = np.array([[1e7], [-1e9], [3e30]], np.float32)
    found = np.empty_like(given)
    snake(torch.ones(1, 1, 1), np.zeros(1, np.float32))(given, 0, found)
    np.testing.assert_allclose(found, given, rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "left", "right"), [(9, 6, 0), (1, 6, 0), (5, 5, 3), (6, 5, 4), (3, 8, 7), (2, 2, 1)]
)
def test_padding_is_encodecs(length: int, left: int, right: int) -> None:
    from encodec.modules.conv import pad1d

    x_TC = np.arange(1, length + 1, dtype=np.float32)[:, None]
    found = np.full((left + length + right, 1), np.nan, np.float32)
    loops.copy_window(x_TC, -left, max(left, right) + 1, found)
    expected = pad1d(torch.from_numpy(x_TC).T[None], (left, right), "reflect")
    np.testing.assert_array_equal(found[:, 0], expected[0, 0].numpy())


def gates(units: int, width: int) -> "np.ndarray":
    return np.arange(4 * units).reshape(4, units // width, width).swapaxes(0, 1).ravel()


def test_the_lstm_is_torchs_and_sequences_get_the_bits_that_they_get_alone() -> None:
    units, width = 32, 16
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(units, units)
    order = gates(units, width)
    weights = {name: value.detach()[order] for name, value in lstm.named_parameters()}
    panels = weights["weight_hh_l0"].reshape(units // width, 4 * width, units).transpose(1, 2).contiguous().numpy()
    lengths = np.array([40, 31, 31, 7, 1])
    waves = [3 * torch.randn(length, units) for length in lengths]
    bias = (weights["bias_ih_l0"] + weights["bias_hh_l0"]).numpy()
    inputs = [(wave @ weights["weight_ih_l0"].T).numpy() for wave in waves]
    together = np.full((lengths.sum(), units), np.nan, np.float32)
    firsts = np.cumsum(lengths) - lengths
    loops.lstm(np.concatenate(inputs), bias, firsts, lengths, panels, together)
    for wave, first, length, given in zip(waves, firsts, lengths, inputs, strict=True):
        alone = np.full((length, units), np.nan, np.float32)
        loops.lstm(given, bias, np.zeros(1, np.int64), np.array([length]), panels, alone)
        np.testing.assert_array_equal(together[first : first + length], alone)
        with torch.no_grad():
            np.testing.assert_allclose(alone, lstm(wave)[0].numpy(), atol=3e-6)


def test_of_equal_scores_the_first_is_taken() -> None:
    scores, bias = np.array([[0, 1, 2, 1], [-3, -4, -4, -5]], np.float32), np.array([0, 1, 0, 0], np.float32)
    vectors, residual = np.arange(8, dtype=np.float32).reshape(4, 2), np.zeros((2, 2), np.float32)
    codes = np.full(2, -1)
    loops.nearest(scores, bias, vectors, residual, codes)
    assert codes.tolist() == [1, 0]
    np.testing.assert_array_equal(residual, -vectors[[1, 0]])


def test_it_compiles_where_nothing_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose folders are all read-only."""
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        loops.numba.njit(cache=True)(lambda: 1)
    assert loops._compiled(lambda: 1)() == 1
