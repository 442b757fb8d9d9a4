"""Shared by the fault tests: `valle-prep` run as a user runs it, and checks of the files it leaves behind."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Once
from tests.limits import HANG_S
from tests.pipeline.conftest import SHORT_S, copy_start, digests, prep

PROGRAM = Path(sys.executable).with_name("valle-prep")
POISON = Path(__file__).parent / "poison"
"""Put on PYTHONPATH: its `sitecustomize` makes g2p slow or deadly."""
NOISE = Path(__file__).parents[1] / "noise"
"""Half a second of computed hiss."""
EMBEDDED = ("--set", "encode.codec=embedded", "--set", f"mix.noise={NOISE}")
"""The codec that needs no download, and something for the optional stage to do, so that all stages run: noise, since
`mix.shift` imports librosa in every process."""
NOT_COMPARED = {".digests.sqlite", ".rates.json"}


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int
    err: str
    seconds: float


class Command:
    """`valle-prep` in its own process group, as a terminal starts it; the child calls `before` first."""

    def __init__(
        self, err: Path, *arguments: object, before: Callable[[], None] | None = None, **environment: object
    ) -> None:
        def begin() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell ignores it for what it runs in the background
            if before:
                before()

        self._err = err
        self._started = time.monotonic()
        with err.open("w") as file:
            self.process = subprocess.Popen(
                [PROGRAM, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
                preexec_fn=begin,  # noqa: PLW1509 (signals, limits and privileges of the child alone)
                env={**os.environ, "OMP_NUM_THREADS": "1", **{key: str(value) for key, value in environment.items()}},
            )

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self._err.read_text(errors="backslashreplace")

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def until(self, what: str) -> None:
        """Waits until standard error holds something."""
        give_up = time.monotonic() + HANG_S
        while what not in self.err:
            assert self.process.poll() is None, f"ended before `{what}`: {self.err}"
            assert time.monotonic() < give_up, f"no `{what}` after {HANG_S} s: {self.err}"
            time.sleep(0.02)

    def end(self) -> Ended:
        """Waits for the end; one that doesn't come is a failure."""
        try:
            code = self.process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after another {HANG_S:.0f} s: {self.err}")
        return Ended(code, self.err, self.seconds)


@contextmanager
def command(
    folder: Path, *arguments: object, before: Callable[[], None] | None = None, **environment: object
) -> Iterator[Command]:
    """Starts `valle-prep` with standard error below `folder`; kills what is left of its process group at the end."""
    started = Command(folder / f"{time.monotonic_ns()}.err", *arguments, before=before, **environment)
    try:
        yield started
    finally:
        started.signal(signal.SIGKILL)
        started.process.wait()


def poison(**settings: object) -> dict[str, object]:
    """Returns the environment that makes g2p slow or deadly; see `poison/sitecustomize.py`."""
    path = os.pathsep.join(filter(None, [str(POISON), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, **{f"POISON_{name}": value for name, value in settings.items()}}


def sync(*arguments: object) -> int:
    """Runs `valle-prep` in this process, without Dask, with the embedded codec."""
    return prep(*arguments, "--scheduler", "sync", "--quiet", *EMBEDDED)


def leftovers(dataset: Path) -> list[str]:
    """Returns the temporary files and locks that a run left in a dataset; there should be none."""
    return [str(path) for path in dataset.rglob(".*") if path.name not in NOT_COMPARED]


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Returns mode, modification time and content of everything in a folder, without following links."""
    taken = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        taken[str(path)] = (stat.st_mode, stat.st_mtime_ns, content)
    return taken


def without_privileges() -> None:
    """Drops the capabilities that let root read and write everything, in a child about to start (Linux only)."""
    import ctypes

    drop, dac_override, dac_read_search = 24, 1, 2
    libc = ctypes.CDLL(None)
    for capability in (dac_override, dac_read_search):
        libc.prctl(drop, capability, 0, 0, 0)


@pytest.fixture(scope="session")
def voices(all_voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start of a clip of every speaker of `valle-prep voices`, and of two of the first, none as long as another.

    Read only.
    """
    some = tmp_path_factory.mktemp("faults") / "voices"
    for number, speaker in enumerate(sorted({path.parent for path in all_voices.rglob("*.wav")})):
        target = some / speaker.relative_to(all_voices)
        target.mkdir(parents=True)
        for extra, clip in enumerate(sorted(speaker.glob("*.wav"))[: 1 if number else 2]):
            copy_start(clip, target, SHORT_S + 0.05 * number + 0.5 * extra)
    return some


@pytest.fixture(scope="session")
def dataset(voices: Path, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All seven stages, made in one go. Read only: a test that changes it takes a copy."""

    def make(folder: Path) -> None:
        assert sync("run", voices, "--out", folder) == 0
        assert not leftovers(folder)

    made = once("dataset-of-a-clip", make)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("reference") / "dataset"))


@pytest.fixture(scope="session")
def reference(dataset: Path) -> dict[str, str]:
    """The checksums of `dataset`."""
    return digests(dataset)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that a test may change."""
    return Path(shutil.copytree(dataset, tmp_path / "dataset"))
