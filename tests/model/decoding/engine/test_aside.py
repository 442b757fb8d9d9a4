"""The engine's second thread."""

from collections.abc import Iterator

import pytest
import torch

from model.decoding.engine.aside import Aside


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_the_cores_are_shared_while_it_is_busy() -> None:
    aside: Aside[int] = Aside(torch.device("cpu"))
    assert aside.is_there
    with aside.beside():
        assert torch.get_num_threads() == 4, "it isn't busy"
    for _ in range(2):
        aside.begin(torch.get_num_threads)
        with aside.beside():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4
        assert aside.is_busy
        assert aside.take() == 2
        assert not aside.is_busy
        assert not aside.is_done


@pytest.mark.usefixtures("four_threads")
def test_the_first_thread_gets_its_cores_back_whatever_happens() -> None:
    aside: Aside[int] = Aside(torch.device("cpu"))
    aside.begin(torch.get_num_threads)
    with pytest.raises(KeyError), aside.beside():
        raise KeyError
    assert torch.get_num_threads() == 4
    assert aside.take() == 2


@pytest.mark.usefixtures("four_threads")
def test_a_gpu_needs_none() -> None:
    assert not Aside(torch.device("cuda")).is_there
