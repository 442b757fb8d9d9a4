"""Measures training and decoding beside a baseline of the same network in the same run.

Utterances are as long as real ones; their codes and phonemes are random, which costs the same.

Axes: B batch, L positions, K codebooks.
"""

import time
from collections.abc import Callable, Mapping

import torch

Values = dict[str, float | int | str]


def rates(sides: Mapping[str, Callable[[], object]], seconds: float, device: torch.device) -> dict[str, float]:
    """Returns calls per second of each side; they take turns, so that a busy machine slows all alike."""

    def timed(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    taken: dict[str, list[float]] = {name: [] for name in sides}
    for call in sides.values():
        timed(call)
    while sum(map(sum, taken.values())) < seconds * len(sides):
        for name, call in sides.items():
            taken[name].append(timed(call))
    return {name: len(times) / sum(times) for name, times in taken.items()}
