"""Tests that checkpoints are written atomically in the background, and that the right ones are kept."""

import errno
import resource
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.checkpoints import checkpoint, saving
from model.checkpoints.saving import Saver, prune, write
from stages.errors import MachineError
from tests.limits import HANG_S
from tests.model.conftest import Configure, make_snapshot


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Limits the size of files by the kernel, which acts like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_newest_and_the_best_stay(tmp_path: Path, configure: Configure) -> None:
    for step, loss in ((1, 0.5), (2, 0.3), (3, None), (4, 0.4), (5, 0.9), (10, None)):
        write(tmp_path, make_snapshot(configure(), step, loss))
    prune(tmp_path, keep=2, keep_best=2)
    assert names(tmp_path) == ["step-00000002", "step-00000004", "step-00000005", "step-00000010"]
    prune(tmp_path, keep=1, keep_best=1)
    assert names(tmp_path) == ["step-00000002", "step-00000010"]
    prune(tmp_path, keep=1, keep_best=0)
    assert names(tmp_path) == ["step-00000010"]


def test_a_damaged_checkpoint_is_no_best_one(tmp_path: Path, configure: Configure) -> None:
    one, _ = (write(tmp_path, make_snapshot(configure(), step, loss)) for step, loss in ((1, 0.1), (2, 0.2)))
    (one / "meta.json").write_text("{")
    assert checkpoint.find(tmp_path / "best").name == "step-00000002"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("model.checkpoints.saving.torch.save", KeyboardInterrupt()),
        ("model.checkpoints.saving.torch.save", OSError(errno.ENOSPC, "No space left on device")),
        ("model.checkpoints.saving.save_file", OSError(errno.EIO, "Input/output error")),
        ("os.fsync", OSError(errno.EDQUOT, "Disk quota exceeded")),
    ],
)
def test_what_dies_half_way_leaves_no_checkpoint(
    tmp_path: Path, configure: Configure, monkeypatch, name: str, error: BaseException
) -> None:
    write(tmp_path, make_snapshot(configure(), 1))

    def dies(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(name, dies)
        told = MachineError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(told):
            write(tmp_path, make_snapshot(configure(), 2))
    assert checkpoint.find(tmp_path).name == "step-00000001"
    write(tmp_path, make_snapshot(configure(), 2))
    assert names(tmp_path) == ["step-00000001", "step-00000002"], "what was left half done is gone"


@pytest.mark.parametrize("most", [10_000, 200_000])
def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path, configure: Configure, most: int) -> None:
    write(tmp_path, make_snapshot(configure(), 1))
    with small_files(most), pytest.raises(MachineError) as raised:
        write(tmp_path, make_snapshot(configure(), 2))
    told = str(raised.value)
    assert "It needs 0 MiB" in told
    assert "MiB are free" in told
    assert "The last checkpoint is" in told
    assert "\n" not in told
    assert names(tmp_path) == ["step-00000001"]


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, configure: Configure, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 1000, 1000))
    monkeypatch.setattr(saving, "_fill", lambda *_: pytest.fail("began to write"))
    with pytest.raises(MachineError, match=r"the disk is too full.* 0 MiB are free. No checkpoint was written yet"):
        write(tmp_path, make_snapshot(configure(), 1))


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, configure: Configure, monkeypatch) -> None:
    allowed = threading.Semaphore(0)
    original = saving._fill

    def slow(folder: Path, snapshot: saving.Snapshot) -> None:
        assert allowed.acquire(timeout=HANG_S)
        original(folder, snapshot)

    monkeypatch.setattr(saving, "_fill", slow)
    with Saver(tmp_path, keep=5, keep_best=0) as saver:
        saver.save(make_snapshot(configure(), 1))
        assert checkpoint.newest(tmp_path) is None, "the call came back before it was written"
        allowed.release()
        saver.save(make_snapshot(configure(), 2))
        written = checkpoint.newest(tmp_path)  # beside it may lie the folder of the next
        assert written == tmp_path / "checkpoints" / "step-00000001", "the one before was waited for"
        allowed.release()
    assert names(tmp_path) == ["step-00000001", "step-00000002"], "at the end, all are"


def test_the_threads_failure_is_told_once_and_later(tmp_path: Path, configure: Configure, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(saving, "_fill", refused)
    saver = Saver(tmp_path, keep=1, keep_best=0)
    saver.save(make_snapshot(configure(), 1))
    saver.settle()
    assert saver.failed
    with pytest.raises(MachineError, match="Read-only file system"):
        saver.save(make_snapshot(configure(), 2))
    with pytest.raises(MachineError, match="Read-only"), saver:
        saver.save(make_snapshot(configure(), 2))


def test_whats_best_counts_what_is_still_being_written(tmp_path: Path, configure: Configure) -> None:
    with Saver(tmp_path, keep=1, keep_best=2) as saver:
        for step, loss, best in ((1, 0.5, True), (2, 0.6, True), (3, 0.7, False), (4, 0.5, True), (5, 0.5, False)):
            assert saver.is_best(loss) == best, step
            if best:
                saver.save(make_snapshot(configure(), step, loss))
