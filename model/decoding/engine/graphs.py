"""CUDA graphs: work that the host would launch kernel by kernel, recorded once and launched whole.

A step of decoding is some hundred small kernels, which a GPU computes faster than the host launches them. What is
recorded must read and write tensors that stay where they are, and must not depend on anything else that the host knows:
that is the key under which it is kept.

Source: https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch

logger = logging.getLogger(__name__)

Work = Callable[[], None]

SWITCH = "VALLE_CUDA_GRAPHS"
"""The environment variable that turns graphs off, by `0`."""
_KEPT = 64
"""Graphs kept; the one whose use is longest ago goes first."""


def _captured(work: Work, device: torch.device) -> Work:
    """Records what work does on a CUDA device, without doing it; returns what does it."""
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    # Another thread may use the device meanwhile, so only what this one does must be fit for a graph.
    with torch.cuda.device(device), torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        work()
    return graph.replay


CAPTURES: dict[str, Callable[[Work, torch.device], Work]] = {"cuda": _captured}
"""How work is recorded, by kind of device; on others it isn't."""
_FAILED: set[str] = set()
"""The kinds of device where recording failed once: it isn't tried again, for whatever response."""


class Graphs:
    """Does work by graphs.

    Args:
        device: Where the work is done.
        after: How often work is done as it is, before it is recorded: recording takes the host as long as doing it.
    """

    def __init__(self, device: torch.device, *, after: int = 1) -> None:
        self._device, self._after = device, after
        self._seen: OrderedDict[Hashable, int] = OrderedDict()
        self._graphs: OrderedDict[Hashable, Work] = OrderedDict()
        self._is_wanted = device.type in CAPTURES and os.environ.get(SWITCH) != "0"

    @property
    def are_there(self) -> bool:
        """Whether work is recorded."""
        return self._is_wanted and self._device.type not in _FAILED

    def run(self, key: Hashable, work: Work) -> None:
        """Does work, the first times as it is.

        Args:
            key: All that the work depends on, but for what is in tensors that stay where they are.
            work: What is to be done: on the device alone, without reading a value there.
        """
        if not self.are_there:
            work()
            return
        seen = self._seen[key] = self._seen.pop(key, 0) + 1
        if seen > self._after and key not in self._graphs:
            self._record(key, work)
        if key in self._graphs:
            self._graphs.move_to_end(key)
            self._graphs[key]()
        else:  # it warms up what must not happen while it is recorded
            work()
        for kept in (self._graphs, self._seen):
            while len(kept) > _KEPT:
                kept.popitem(last=False)

    def _record(self, key: Hashable, work: Work) -> None:
        try:
            self._graphs[key] = CAPTURES[self._device.type](work, self._device)
        except RuntimeError as error:  # nothing was computed yet, so that the work can be done as it is
            _FAILED.add(self._device.type)
            logger.warning(
                "decoding goes on without CUDA graphs, slower: recording one failed (%s). %s=0 doesn't try it.",
                str(error).partition("\n")[0],
                SWITCH,
            )
