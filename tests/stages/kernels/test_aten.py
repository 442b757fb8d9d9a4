import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.kernels import aten

ROOT = Path(__file__).parents[3]


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "arguments", "theirs"),
    [
        ("aten::abs", (random(3, 4),), lambda x: x.abs()),
        ("aten::log", (np.abs(random(200)) + 1,), lambda x: x.log()),
        ("aten::matmul", (random(7, 5, 9), random(6, 9).T), lambda x, y: x @ y),
        ("aten::sum_to_size", (random(5, 100), [5, 1]), lambda x, _: x.sum(dim=1, keepdim=True)),
        ("aten::fft_rfft", (random(3, 64), None, -1, None), lambda x, *_: torch.fft.rfft(x)),
        ("aten::hann_window", (64, None, None, None, None), lambda *_: torch.hann_window(64)),
        ("aten::flip", (random(3, 4), [-1]), lambda x, _: x.flip(-1)),
        ("aten::cumsum", (np.arange(9), 0, None), lambda x, *_: x.cumsum(0)),
        ("aten::transpose.int", (random(3, 4)[:, 1:], 0, 1), lambda x, *_: x.T),
        ("aten::diff", (np.arange(1.0), 1, -1, None, None), lambda x, *_: x.diff()),
    ],
)
def test_an_operation_gives_what_torch_gives(name, arguments, theirs):
    [found] = aten.call(name, *arguments)
    given = (torch.from_numpy(one) if isinstance(one, np.ndarray) else one for one in arguments)
    expected = theirs(*given).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_an_operation_may_have_several_results():
    values, places = aten.call("aten::topk", random(4, 50), 3, -1, False, True, results=2)
    theirs = torch.from_numpy(random(4, 50)).topk(3, largest=False)
    np.testing.assert_array_equal(values, theirs.values)
    np.testing.assert_array_equal(places, theirs.indices)


def test_a_result_outlives_what_it_was_made_of():
    views = [aten.call("aten::transpose.int", np.full((50, 40), number), 0, 1)[0] for number in range(100)]
    assert [view.mean() for view in views] == list(range(100))


def test_refused_arguments_are_told_in_torchs_words():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        aten.call("aten::matmul", random(2, 3), random(2, 3))
    with pytest.raises(RuntimeError, match="nonsense"):
        aten.call("aten::nonsense", random(2))


def test_arrays_lie_as_tensors_do():
    assert all(aten.aligned(size, 3).ctypes.data % 64 == 0 for size in range(1, 30))


def test_torch_may_come_before_and_after():
    lines = (
        "import sys, numpy; from stages.kernels import aten; x = numpy.ones((2, 2), 'float32')",
        "assert 'torch' not in sys.modules; print(aten.call('aten::matmul', x, x)[0].sum())",
        "import torch; print(torch.from_numpy(x).mm(torch.ones(2, 2)).sum().item())",
        "print(aten.call('aten::log', x)[0].sum())",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (["8.0", "8.0", "0.0"], "")
