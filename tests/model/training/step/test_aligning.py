"""The forward-sum loss is the likelihood of all monotonic paths, and a head that is taught by it follows the text."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from model.training.step.aligning import forward_sum


def _paths(rows: int, columns: int) -> list[tuple[int, ...]]:
    """Returns all paths, by trying every one."""
    every = product(range(columns), repeat=rows)
    return [
        path
        for path in every
        if path[0] < 2
        and path[-1] >= columns - 2
        and all(after - before in (0, 1, 2) for before, after in pairwise(path))
    ]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 2), (2, 2), (3, 4), (5, 3), (4, 6), (5, 5)])
def test_it_is_the_sum_over_all_paths(rows: int, columns: int) -> None:
    logs = torch.randn(rows, columns + 3, generator=torch.Generator().manual_seed(rows)).log_softmax(-1)[:, :columns]
    logs.requires_grad_()
    paths = _paths(rows, columns)
    assert paths
    wanted = -torch.stack([logs[range(rows), path].sum() for path in paths]).logsumexp(0)
    found = forward_sum([logs])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    [gradient] = torch.autograd.grad(wanted, logs)
    torch.testing.assert_close(torch.autograd.grad(found, logs)[0], gradient, rtol=1e-4, atol=1e-4)


def test_documents_of_other_sizes_change_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [(7, 4), (3, 5), (1, 1), (12, 9)]
    logs = [torch.randn(size, generator=generator).log_softmax(-1).requires_grad_() for size in sizes]
    together = torch.autograd.grad(forward_sum(logs), logs)
    for one, gradient in zip(logs, together, strict=True):
        torch.testing.assert_close(torch.autograd.grad(forward_sum([one]), one)[0], gradient, rtol=1e-4, atol=1e-5)
    alone = sum(float(forward_sum([one])) for one in logs)
    assert float(forward_sum(logs)) == pytest.approx(alone, rel=1e-5)


def test_it_is_least_for_a_sure_path() -> None:
    path = np.repeat(np.arange(5), 3)
    sure = torch.full((15, 5), -20.0)
    sure[torch.arange(15), torch.from_numpy(path)] = 0.0
    back = sure.flip(0)
    assert float(forward_sum([sure.log_softmax(-1)])) < 1e-3
    assert float(forward_sum([back.log_softmax(-1)])) > 100
