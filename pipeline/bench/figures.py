"""What the benchmarks of the stages are given, and what they tell."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bench:
    """What a benchmark is given."""

    scratch: Path
    """An empty folder, removed afterwards."""
    speech: Path | None
    """A folder of recordings with transcripts; never None for a benchmark that needs it."""
    model: Path | None = None
    """What `valle export` wrote, of a model of the embedded codec's codes."""

    @property
    def recordings(self) -> Path:
        """The folder of recordings, for a benchmark that needs it."""
        assert self.speech is not None
        return self.speech


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number."""

    name: str
    value: float
    unit: str = ""
    baseline: float | None = None
    """What it is compared with, measured in the same run, in the same unit."""
    beside: str = ""
    """What the baseline is."""
    least: float | None = None
    """What the value must reach: as a multiple of the baseline where there is one."""
    most: float | None = None
    """What it must not exceed, likewise."""

    def line(self) -> str:
        """Returns the figure as a line of a table."""
        shown = f"{self.name:<52} {_short(self.value):>9} {self.unit:<7}"
        compared = self.value
        if self.baseline is not None:
            compared = self.value / self.baseline
            shown += f" {compared:.3g} x {self.beside} ({_short(self.baseline)} {self.unit})"
        for bound, sign, met in ((self.least, "≥", compared >= (self.least or 0)), (self.most, "≤", not self._above())):
            if bound is not None:
                shown += f"  {sign if met else 'NOT ' + sign} {bound:g}"
        return shown.rstrip()

    def _above(self) -> bool:
        value = self.value / self.baseline if self.baseline is not None else self.value
        return self.most is not None and value > self.most


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def seconds(work: Callable[[], object]) -> float:
    """Returns how long a call takes, in seconds of the wall clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(work: Callable[[], object]) -> float:
    """Returns how long a call takes, in seconds of this process's CPU time."""
    started = time.process_time()
    work()
    return time.process_time() - started
