"""A small real dataset, and what the tests of the pipeline do to it."""

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from pipeline.cli import app
from pipeline.config import STAGES
from stages.audio import files as audio
from stages.errors import run_app
from tests.conftest import Once

EMBEDDED = ("--set", "encode.codec=embedded", "--set", "mix.shift=true")
"""The codec that needs no download, and something for the stage `mix` to do: so all of `RAN` run."""
RAN = tuple(name for name in STAGES if name != "clean")
"""All stages but `clean`, which changes what the others read (tests/pipeline/test_cleaning.py)."""
SHORT_S = 1.2
"""A little over `slice.min_s`: over half the time of a run is the codec's, which takes as long as the sound is long."""


def copy_start(clip: Path, folder: Path, seconds: float) -> None:
    """Writes the start of a clip, and its text, into a folder."""
    wave, rate = audio.read(clip)
    audio.write_wav(folder / clip.name, wave[: round(seconds * rate)], rate)
    shutil.copy(clip.with_suffix(".txt"), folder)


@cache
def command() -> Callable[..., object]:
    """`valle-prep`, whose options Typer puts together once: that takes a fifth of a short run."""
    return get_command(app)


def prep(*arguments: object) -> int:
    """Runs `valle-prep` here and returns its exit code."""
    return run_app(command(), [str(argument) for argument in arguments])


def digests(dataset: Path) -> dict[str, str]:
    """Returns the checksum of every file of a dataset that must not depend on how it was made."""
    return {
        str(path.relative_to(dataset)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and path.name not in {"dataset.json", ".digests.sqlite", ".rates.json"}
    }


@pytest.fixture(scope="session")
def voices(all_voices: Path, once: Once) -> Path:
    """The starts of two clips of every speaker, each of a length of its own, the second over 1.6 s.

    One folder for all workers: the dataset that they share names it.
    """

    def copy_some(folder: Path) -> None:
        for number, speaker in enumerate(sorted({path.parent for path in all_voices.rglob("*.wav")})):
            target = folder / "voices" / speaker.relative_to(all_voices)
            target.mkdir(parents=True)
            for longer, clip in enumerate(sorted(speaker.glob("*.wav"))[:2]):
                copy_start(clip, target, SHORT_S + 0.03 * number + 0.6 * longer)

    return once("some-voices", copy_some) / "voices"


@pytest.fixture(scope="session")
def dataset(voices: Path, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All seven stages, run without Dask. Read only: a test that changes it takes a copy."""

    def make(folder: Path) -> None:
        assert prep("run", voices, "--out", folder, "--scheduler", "sync", "--quiet", *EMBEDDED) == 0

    made = once("dataset-of-two-clips", make)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("reference") / "dataset"))


@cache
def probed(script: str) -> tuple[object, str]:
    """Asks another interpreter what `doctor` asks of it, but the same only once: each answer takes seconds."""
    from pipeline.doctor.check import probe

    return probe(script)


@pytest.fixture
def probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `doctor` ask each question of another interpreter once in all tests."""
    for module in ("examine", "weights"):
        monkeypatch.setattr(f"pipeline.doctor.{module}.probe", probed)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be changed."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))
