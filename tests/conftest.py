"""Fixtures that every test may use."""

import atexit
import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

# Before NumPy and PyTorch come: their threads would take processor time from the other tests, waiting for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How fast a machine is, and what else it does, is no property of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_MEMORY, _ROOM = Path("/dev/shm"), 6 * 2**30
if (
    os.access(_MEMORY, os.W_OK)
    and shutil.disk_usage(_MEMORY).free > _ROOM
    and psutil.virtual_memory().available > 2 * _ROOM
):
    # Every commit of a shard waits for the disk several times: in memory that takes no time. A run leaves under 1 GiB.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

SPEECH = Path(os.environ.get("SPEECH", Path(__file__).resolve().parents[2] / "shared" / "speech"))
"""The real recordings; `SPEECH=` of a folder that isn't there runs the tests as where there are none."""

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keeps the garbage collector from going through all that is imported: a fifth of the time it takes to collect."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.freeze)  # nor as the process ends


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Has a folder of a name made by the first of the workers that asks for it; the others wait for it. Read only."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def make(name: str, write: Callable[[Path], object]) -> Path:
        folder, sealed = root / name, root / f"{name}.sealed"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not sealed.exists():
                write(folder)
                sealed.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def all_voices(once: Once) -> Path:
    """What `valle-prep voices` writes."""
    from stages.corpora.voices import write_voices

    return once("voices", write_voices)


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of real recordings, laid out as `<group>/<speaker>/<clip>`; skips where it isn't there."""
    if not SPEECH.is_dir():
        pytest.skip(f"no real recordings at {SPEECH.name}: put them beside the checkout to run this test")
    return SPEECH


@pytest.fixture(scope="session")
def recordings(request: pytest.FixtureRequest) -> Path:
    """The folder of real recordings; where it isn't there, what `valle-prep voices` writes, laid out alike."""
    return SPEECH if SPEECH.is_dir() else Path(request.getfixturevalue("all_voices"))


@pytest.fixture(scope="session")
def english(recordings: Path) -> list[Path]:
    """Eighty short English clips of at least four speakers: of the VCTK corpus, or synthetic; each with its text."""
    folder = "vctk" if recordings == SPEECH else "en"
    return sorted((recordings / folder).rglob("*.wav"))[:80]
