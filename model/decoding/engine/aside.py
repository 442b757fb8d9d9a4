"""A second thread for the engine on a CPU: one piece of work is done there while the steps go on.

A step is many small operations, which more threads hardly make faster, and the other codebooks are a few large ones.
Side by side they keep all cores busy; each takes half of PyTorch's threads meanwhile.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

R = TypeVar("R")


class Aside(Generic[R]):
    """Does one piece of work at a time in a thread of its own.

    Args:
        device: Where the work is done. On others than a CPU, or if PyTorch has a single thread, there is no second one.
    """

    def __init__(self, device: torch.device) -> None:
        self._threads = torch.get_num_threads()
        self._half = max(1, self._threads // 2)
        self.is_there = device.type == "cpu" and self._threads > 1
        """Whether there is a second thread."""
        self._pool: ThreadPoolExecutor | None = None
        self._begun: Future[R] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something was begun whose outcome wasn't taken."""
        return self._begun is not None

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome to take."""
        return self._begun is not None and self._begun.done()

    def begin(self, work: Callable[[], R]) -> None:
        """Begins a piece of work; only if the thread is there and not busy."""
        assert self.is_there
        assert not self.is_busy
        if self._pool is None:  # its thread ends with this object
            self._pool = ThreadPoolExecutor(1, "aside", torch.set_num_threads, (self._half,))
        self._begun = self._pool.submit(work)

    def take(self) -> R:
        """Returns the outcome, or raises what the work raised; waits for it."""
        assert self._begun
        begun, self._begun = self._begun, None
        return begun.result()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Leaves the second thread its share of the cores, if it is busy."""
        if not self.is_busy:
            yield
            return
        torch.set_num_threads(max(1, self._threads - self._half))
        try:
            yield
        finally:
            torch.set_num_threads(self._threads)
