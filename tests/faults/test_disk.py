"""A full disk or a file-size limit: the run stops with one or two lines, and continues once there is room."""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import EMBEDDED, command, digests, leftovers, sync

KINDS = (
    "recordings/*.rows.jsonl",
    "transcribe/*.rows.jsonl",
    "slice/*.items.jsonl",
    "slice/stage.json",
    "g2p/*.rows.jsonl",
    "g2p/*-of-*[0-9].json",
    "encode/*.codes.npy",
    "encode/codec.json",
    "encode/embeddings.npy",
    "hdf5/*.h5",
    "hdf5/index.h5",
    "metadata/*.parquet",
    "metadata/summary.json",
    "similar/*.npy",
    "similar/*.npz",
    "dataset.json",
)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Limits the size of files that this process writes, as `ulimit -f` does; writes no `.pyc`, which might be cut."""
    before, keep = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = keep


def assert_clear(err: str) -> None:
    """Checks that an error has one or two lines that name the room needed and the room left."""
    errors = [line for line in err.splitlines() if not line.startswith("note:")]
    assert 1 <= len(errors) <= 2, err
    assert all(line.startswith("error: ") for line in errors), err
    assert re.search(r"need\w* about [\d,.]+ MiB", err), err
    assert re.search(r"[\d,.]+ MiB free", err), err


def left_behind(dataset: Path) -> list[str]:
    """Returns the files that a stopped run left behind and shouldn't have.

    SQLite's journal is allowed: unlike a full disk, the size limit also keeps SQLite from writing back old pages beyond
    it. The journal then stays until the next run.
    """
    return [path for path in leftovers(dataset) if not path.endswith(".digests.sqlite-journal")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_can_not_be_written_stops_the_run_clearly(
    voices: Path, copy: Path, reference: dict[str, str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = max(copy.glob(kind), key=lambda path: path.stat().st_size)
    size = path.stat().st_size
    path.unlink()
    with files_of_at_most(size - 1):
        assert sync("run", voices, "--out", copy) == 1
    assert_clear(capsys.readouterr().err)
    assert not left_behind(copy)
    assert sync("run", voices, "--out", copy) == 0
    assert not leftovers(copy)
    assert digests(copy) == reference


@pytest.mark.parametrize("limit", [300, 1_000, 3_000, 10_000])
def test_a_limit_from_the_start(
    voices: Path, tmp_path: Path, reference: dict[str, str], limit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dataset"
    with files_of_at_most(limit):
        assert sync("run", voices, "--out", out) == 1
    assert_clear(capsys.readouterr().err)
    assert not left_behind(out)
    assert sync("run", voices, "--out", out) == 0
    assert not leftovers(out)
    assert digests(out) == reference


def test_the_cache_of_checksums(
    voices: Path, copy: Path, reference: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    size = (copy / ".digests.sqlite").stat().st_size
    for limit in (1_000, 5_000, size // 2, size - 1):
        (copy / ".digests.sqlite").unlink(missing_ok=True)
        with files_of_at_most(limit):
            code = sync("run", voices, "--out", copy)
        err = capsys.readouterr().err
        assert code in {0, 1}
        if code:
            assert_clear(err)
        assert not left_behind(copy)
        assert digests(copy) == reference


def test_workers_that_can_not_write_stop_the_run_clearly(
    copy: Path, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # a cut .pyc would break every Python after this one
    size = max(path.stat().st_size for path in (copy / "encode").glob("*.codes.npy"))
    shutil.rmtree(copy / "encode")
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size - 1, size - 1))
    with command(copy.parent, "encode", "--out", copy, "--jobs", 2, "--quiet", *EMBEDDED, before=limit) as run:
        ended = run.end()
    assert ended.code == 1
    assert_clear("".join(f"{line}\n" for line in ended.err.splitlines() if not line.startswith("trying")))
    assert not leftovers(copy)
    assert sync("encode", "--out", copy) == 0
    assert digests(copy) == reference


@pytest.fixture
def made(dataset: Path, reference: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """The dataset, and its checksums."""
    return dataset, reference


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: run this test as root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_a_full_disk(
    voices: Path, made: tuple[Path, dict[str, str]], disk: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, reference = made
    blocks = sum(-(-path.stat().st_size // 4096) * 4096 for path in dataset.rglob("*") if path.is_file())
    resize(disk, round(blocks * share))
    assert sync("run", voices, "--out", disk / "dataset") == 1
    assert_clear(capsys.readouterr().err)
    assert not leftovers(disk)
    resize(disk, 4 * blocks)
    assert sync("run", voices, "--out", disk / "dataset") == 0
    assert digests(disk / "dataset") == reference
