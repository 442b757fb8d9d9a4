"""Measures calls per second of several sides in turn, and the time that training takes."""

import time
from collections.abc import Callable, Mapping

import torch

Values = dict[str, float | int | str]


def clock_of(device: torch.device) -> Callable[[], float]:
    """Returns what tells the time, in seconds.

    It is the processor's, so that other load matters little; on CUDA the clock's, once the device has done its work.
    """

    def clock() -> float:
        if device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return clock


def rates(sides: Mapping[str, Callable[[], object]], seconds: float, device: torch.device) -> dict[str, float]:
    """Returns calls per second of each side, after one warm-up call; the sides take turns to share any other load.

    With one thread on a CPU the seconds are the processor's, else the clock's.

    Args:
        sides: Name -> the call to measure.
        seconds: Least seconds per side.
        device: The device of the calls; a CUDA device is synchronised after each call.
    """
    alone = device.type == "cuda" or torch.get_num_threads() == 1
    clock = clock_of(device) if alone else time.perf_counter

    def timed(call: Callable[[], object]) -> float:
        started = clock()
        call()
        return clock() - started

    taken: dict[str, list[float]] = {name: [] for name in sides}
    for call in sides.values():
        timed(call)
    while sum(map(sum, taken.values())) < seconds * len(sides):
        for name, call in sides.items():
            taken[name].append(timed(call))
    return {name: len(times) / sum(times) for name, times in taken.items()}
