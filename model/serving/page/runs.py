"""Reads what `valle train` writes into a run's folder: the reports of `log.jsonl`, and the samples.

Nothing here imports Gradio, and nothing is ever written into a run.
"""

import json
import math
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from stages.errors import UsageError

LOG = "log.jsonl"
SAMPLES = "samples"
_STEP = re.compile(r"step-(\d+)")
_SAMPLE = re.compile(r"(\d+)\.wav")
_OF_CODEBOOK = re.compile(r"validation/accuracy_\d+")
_MAX_TEXT_BYTES = 10_000

Point = tuple[int, float]
"""Step and value."""


@dataclass
class Curves:
    """The values that a run has reported so far."""

    points: dict[str, list[Point]] = field(default_factory=dict)
    """Of each value, by its name in the log, such as `train/loss`; finite ones only, by step."""
    version: tuple[int, ...] = ()
    """Changes whenever the values do."""

    @property
    def last_step(self) -> int | None:
        """The last step that was reported; None if none was."""
        return max((points[-1][0] for points in self.points.values() if points), default=None)

    def codebooks(self) -> dict[str, list[Point]]:
        """Returns how often validation's likeliest code is right, by codebook."""
        found = {name: points for name, points in self.points.items() if _OF_CODEBOOK.fullmatch(name)}
        return {name.rpartition("_")[2]: found[name] for name in sorted(found, key=lambda one: int(one.split("_")[1]))}

    def kinds(self) -> list[str]:
        """Returns the kinds of values: names without `train/` and `validation/`, in the log's order."""
        return list(dict.fromkeys(name.rpartition("/")[2] for name in self.points))


@dataclass(frozen=True, slots=True)
class Sample:
    """An utterance that the network spoke at a step."""

    number: str
    spoken: Path
    reference: Path | None
    """The recording after the codec; None if it isn't there."""
    about: str
    """Id, language and phonemes, a line each; with `trainer.judge` text and what was heard; "" if unknown."""
    attention: Path | None = None
    """The picture of the attention to the text; None if there is none."""


class Runs:
    """The runs of a folder: it is a run itself, or its folders are. New ones are seen at once.

    A name is only ever compared with the names of the folders there: it never becomes a path.

    Args:
        folder: The folder; None for no runs.

    Raises:
        UsageError: if it isn't there.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"`--runs` must be a run's folder, or a folder of them, but `{folder}` is none.")
        self._folder = None if folder is None else folder.resolve()
        self._logs: dict[str, _Log] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Returns the names of the runs, the one reported to last first."""
        folder = self._folder
        if folder is None:
            return []
        if (folder / LOG).is_file():
            return [folder.name]
        found = [one for one in folder.iterdir() if (one / LOG).is_file() and one.resolve().is_relative_to(folder)]
        return [one.name for one in sorted(found, key=lambda one: (one / LOG).stat().st_mtime, reverse=True)]

    def curves(self, name: str) -> Curves:
        """Reads what was added to a run's log; no values if there is no such run."""
        folder = self._find(name)
        if folder is None:
            return Curves()
        with self._lock:
            return self._logs.setdefault(name, _Log(folder / LOG)).read()

    def steps(self, name: str) -> list[int]:
        """Returns the steps of which there are samples, the last first."""
        folder = self._find(name)
        found = [] if folder is None or not (folder / SAMPLES).is_dir() else list((folder / SAMPLES).iterdir())
        return sorted((int(match[1]) for one in found if (match := _STEP.fullmatch(one.name))), reverse=True)

    def samples(self, name: str, step: int) -> list[Sample]:
        """Returns the samples of a step, by number."""
        folder = self._find(name)
        if folder is None or step not in self.steps(name):
            return []
        places = [one for one in (folder / SAMPLES).iterdir() if (m := _STEP.fullmatch(one.name)) and int(m[1]) == step]
        waves = sorted(wave for wave in places[0].iterdir() if _SAMPLE.fullmatch(wave.name))
        return [_sample(wave, folder) for wave in waves if _is_inside(wave, folder)]

    def _find(self, name: str) -> Path | None:
        folder = self._folder
        if folder is None or name not in self.names():
            return None
        return folder if name == folder.name and (folder / LOG).is_file() else folder / name


class _Log:
    """A log that grows: each reading parses what was added. A run that resumes writes it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self._file = 0
        self._curves = Curves()

    def read(self) -> Curves:
        try:
            with self._path.open("rb") as file:
                stat = self._path.stat()
                if stat.st_ino != self._file or stat.st_size < self._read_bytes:
                    self._curves, self._read_bytes, self._file = Curves(), 0, stat.st_ino
                file.seek(self._read_bytes)
                whole, newline, _ = file.read().rpartition(b"\n")  # the rest is being written
        except OSError:
            return self._curves  # it is being replaced: the next reading sees it
        self._read_bytes += len(whole) + len(newline)
        self._curves.version = (self._file, self._read_bytes)
        for line in whole.splitlines():
            self._add(line)
        return self._curves

    def _add(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            step = int(record.pop("step"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # a line cut by a crash, which the run drops when it resumes
        for name, value in record.items():
            if isinstance(value, int | float) and math.isfinite(value):
                self._curves.points.setdefault(name, []).append((step, float(value)))


def _sample(wave: Path, run: Path) -> Sample:
    reference, text = wave.with_suffix(".reference.wav"), wave.with_suffix(".txt")
    about = ""
    if _is_inside(text, run):
        with text.open("rb") as file:
            about = file.read(_MAX_TEXT_BYTES).decode(errors="replace").strip()
    picture = wave.with_suffix(".attention.png")
    kept = [one if _is_inside(one, run) else None for one in (reference, picture)]
    return Sample(wave.stem, wave, kept[0], about, kept[1])


def _is_inside(path: Path, folder: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def thinned(points: list[Point], most: int) -> list[Point]:
    """Returns at most about `most` of the points: means of equal stretches, with the last point as it is."""
    if len(points) <= most:
        return points
    size = math.ceil(len(points) / most)
    parts = [points[start : start + size] for start in range(0, len(points) - 1, size)]
    means = [(part[len(part) // 2][0], sum(value for _, value in part) / len(part)) for part in parts]
    return [*means, points[-1]]
