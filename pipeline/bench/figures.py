"""The input and output of the stages' benchmarks: `Bench` and `Figure`."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bench:
    """The input of a benchmark."""

    scratch: Path
    """An empty folder, removed afterwards."""
    speech: Path | None
    """A folder of recordings with transcripts; not None for a benchmark that needs it."""
    model: Path | None = None
    """The output of `valle export`, for a model of the embedded codec's codes."""

    readings: Path | None = None
    """A folder of tables of written and spoken text."""

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
    """The value to compare with, measured in the same run and unit."""
    beside: str = ""
    """Name of the baseline."""
    least: float | None = None
    """Lower bound of the value; if there is a baseline, of its multiple of the baseline."""
    most: float | None = None
    """Upper bound, likewise."""

    def line(self) -> str:
        """Formats the figure as a line of a table."""
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
    """Returns the wall-clock seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(work: Callable[[], object]) -> float:
    """Returns the CPU seconds of this process that a call takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


@dataclass(frozen=True, slots=True)
class StageBench:
    """A row of the table of benchmarks."""

    name: str
    measure: Callable[[Bench], Iterator[Figure]]
    rank: int
    """Its place in `make bench`."""
    needs_speech: bool = False
    """Whether it measures real recordings."""
    needs_readings: bool = False
    """Whether it needs tables of written and spoken text."""
