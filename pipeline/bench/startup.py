"""Benchmarks what a small run costs beside its work, against an earlier commit: processor time, and time on the clock.

The earlier commit is taken from the repository's history and runs with the same packages. Each figure is the least of
several runs, which take turns.
"""

import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from pipeline.bench.figures import Bench, Figure, StageBench
from stages.audio import files as audio
from stages.errors import AudioError

BASELINE = "f8e627e"
"""The commit to compare with."""
_ROOT = Path(__file__).resolve().parents[2]
_CLIPS, _CLIP_S = 4, (5.5, 6.5)
_RUNS = 2
_HELP = (("pipeline.cli",), ("pipeline.cli", "run"), ("model.cli",), ("model.cli", "synth"), ("model.cli", "train"))
"""Commands whose `--help` is measured."""
_NOT_IMPORTED = r"/(test|tests|idlelib|lib2to3|site-packages|turtledemo|ensurepip)/"


@dataclass(frozen=True, slots=True)
class Tree:
    """The sources of a commit."""

    name: str
    root: Path

    def call(self, module: str, *arguments: object, environment: Mapping[str, str]) -> None:
        """Runs a program of the commit.

        Raises:
            RuntimeError: if it fails.
        """
        command = [sys.executable, "-c", f"from {module} import main; main()", *map(str, arguments)]
        given = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        given |= {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1", **environment}
        done = subprocess.run(command, cwd=self.root, env=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: `{module} {' '.join(command[3:])}` failed:\n{done.stderr}")


def startup(bench: Bench) -> Iterator[Figure]:
    """Measures `valle-prep run` on four clips of six seconds, and `--help`."""
    clips = _clips(bench)
    trees = [Tree("this tree", _ROOT), Tree(BASELINE, _checkout(bench.scratch / "baseline"))]
    for tree in trees:
        _compile(tree.root, "pipeline", "stages", "model")
    writes: dict[str, str] = {}
    none = {"PYTHONDONTWRITEBYTECODE": "1"}
    bare = {**none, "PYTHONPYCACHEPREFIX": str(_library_alone(bench.scratch / "bytecode"))}

    def run(tree: Tree, environment: Mapping[str, str], *options: str) -> None:
        out = bench.scratch / "dataset"
        shutil.rmtree(out, ignore_errors=True)
        shared = ("--out", out, "--quiet", "--set", "encode.codec=embedded")
        tree.call("pipeline.cli", "run", clips, *shared, *options, environment=environment)

    sync, local = ("--scheduler", "sync"), ("--scheduler", "local", "--jobs", "2")
    for tree in trees:
        run(tree, writes, *sync)  # writes the bytecode that there isn't yet
    ours, theirs = (partial(run, tree, writes, *sync) for tree in trees)
    yield _compared("processor time, bytecode there", _cpu_s, ours, theirs, most=0.25)
    ours, theirs = partial(run, trees[0], none, *sync), partial(run, trees[1], bare, *sync)
    yield _compared("the same, bytecode as `make setup` leaves it", _cpu_s, ours, theirs, most=0.25)
    ours, theirs = (partial(run, tree, bare, *sync) for tree in trees)
    yield _compared("the same, no bytecode in either", _cpu_s, ours, theirs)
    ours, theirs = (partial(run, tree, writes, *local) for tree in trees)
    yield _compared("time on the clock, two workers", _clock_s, ours, theirs, most=1 / 3)
    for module, *words in _HELP:
        ours, theirs = (partial(tree.call, module, *words, "--help", environment=none) for tree in trees)
        figure = _compared(" ".join([module.partition(".")[0], *words, "--help"]), _cpu_s, ours, theirs)
        yield Figure(figure.name, figure.value, "s", most=0.3)


def _clips(bench: Bench) -> Path:
    """Copies four recordings of about six seconds, with their texts."""
    folder = bench.scratch / "clips"
    found = list(islice((path for path in sorted(bench.recordings.rglob("*.*")) if _is_clip(path)), _CLIPS))
    if len(found) < _CLIPS:
        low, high = _CLIP_S
        raise RuntimeError(
            f"`{bench.recordings}` must hold {_CLIPS} recordings of {low} to {high} s with texts, but has {len(found)}."
        )
    for path in found:
        target = folder / path.relative_to(bench.recordings).parent
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        shutil.copy(path.with_suffix(".txt"), target)
    return folder


def _is_clip(path: Path) -> bool:
    if path.suffix not in {".wav", ".flac"} or not path.with_suffix(".txt").is_file():
        return False
    try:
        info = audio.probe(path)
    except AudioError:
        return False
    return _CLIP_S[0] < info.samples / info.sample_rate < _CLIP_S[1]


def _checkout(folder: Path) -> Path:
    """Writes the sources of the baseline into a folder."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", BASELINE], cwd=_ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise RuntimeError(f"the history must hold {BASELINE}: {archive.stderr.decode()} Fetch it.")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def _compile(root: Path, *folders: str, prefix: Path | None = None, leave_out: str = "$^") -> None:
    environment = os.environ | ({} if prefix is None else {"PYTHONPYCACHEPREFIX": str(prefix)})
    command = [sys.executable, "-m", "compileall", "-qq", "-x", leave_out, *(str(root / folder) for folder in folders)]
    subprocess.run(command, env=environment, check=False)


def _library_alone(folder: Path) -> Path:
    """Returns a folder with the bytecode of Python's own library and of nothing else, as a new environment has it."""
    _compile(Path(sysconfig.get_path("stdlib")), "", prefix=folder, leave_out=_NOT_IMPORTED)
    return folder


def _compared(
    name: str,
    measure: Callable[[Callable[[], None]], float],
    ours: Callable[[], None],
    theirs: Callable[[], None],
    *,
    most: float | None = None,
) -> Figure:
    """Measures two calls in turns; the figure has the least of each."""
    pairs = [(measure(ours), measure(theirs)) for _ in range(_RUNS)]
    found, before = map(min, zip(*pairs, strict=True))
    return Figure(name, found, "s", before, BASELINE, most=most)


def _cpu_s(work: Callable[[], None]) -> float:
    """Returns the processor time of the processes that a call runs and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _clock_s(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


STARTUP = StageBench("startup", startup, rank=15, needs_speech=True)
