"""The recordings are only read: nothing in their folder changes, and it may be read-only (kills: see `test_kills`)."""

import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import EMBEDDED, command, digests, prep, snapshot, sync, without_privileges


@pytest.fixture
def originals(voices: Path, tmp_path: Path) -> Path:
    """Recordings, some of which are rejected."""
    folder = Path(shutil.copytree(voices, tmp_path / "originals"))
    speaker = next(folder.rglob("*.wav")).parent
    (speaker / "empty.wav").touch()
    (speaker / "dangling.wav").symlink_to("nowhere.wav")
    (speaker / "notes.md").write_text("not for the dataset")
    return folder


def test_runs_and_retries_change_nothing(originals: Path, tmp_path: Path) -> None:
    out, before = tmp_path / "dataset", snapshot(originals)
    assert sync("run", originals, "--out", out) == 3
    assert sync("retry", "--out", out) == 3
    assert prep("validate", "--deep", "--out", out) == 0
    assert snapshot(originals) == before


def test_a_read_only_source_will_do(
    voices: Path, reference: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    locked = Path(shutil.copytree(voices, tmp_path / "locked"))
    for path in [locked, *locked.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    request.addfinalizer(lambda: [path.chmod(0o755) for path in [locked, *locked.rglob("*")] if path.is_dir()])
    out = tmp_path / "dataset"
    arguments = ("run", locked, "--out", out, "--scheduler", "sync", "--quiet", *EMBEDDED)
    with command(tmp_path, *arguments, before=without_privileges) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    assert digests(out) == reference
