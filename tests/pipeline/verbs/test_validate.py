"""`valle-prep validate` finds no problem in an intact dataset, and names the file of each kind of problem."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stages.artefacts.manifest import list_shards, read_sealed, remove_shard, write_sealed
from tests.pipeline.conftest import EMBEDDED, prep


def problems(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> list[tuple[str, str]]:
    """Returns kind and file of each problem that `validate` finds, and checks its exit code."""
    capsys.readouterr()
    code = prep("validate", "--out", folder, "--json", *options)
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"problems", "checked", "exit_code"}
    assert found["checked"].keys() == {"shards", "files", "bytes"}
    assert all(problem.keys() == {"stage", "file", "kind", "detail"} for problem in found["problems"])
    assert code == found["exit_code"] == bool(found["problems"])
    return [(problem["kind"], problem["file"]) for problem in found["problems"]]


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_a_sound_dataset(dataset: Path, capsys: pytest.CaptureFixture[str], deep: tuple[str, ...]) -> None:
    assert problems(capsys, dataset, *deep) == []


def test_what_is_damaged_missing_or_left_over_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard, other = list_shards(copy / "g2p")[:2]
    (copy / "g2p" / f"{shard}.rows.jsonl").write_bytes(b"{")
    (copy / "g2p" / f"{other}.items.jsonl").unlink()
    (copy / "encode" / f"{shard}.json").write_text("{}")
    (copy / "similar" / "neighbours.npz").write_bytes(b"none")
    (copy / "metadata" / ".left.tmp").touch()
    (copy / "slice" / "stranger.txt").touch()
    (copy / "transcribe" / "stage.json").write_text("[]")
    assert set(problems(capsys, copy)) == {
        ("damaged", f"g2p/{shard}.rows.jsonl"),
        ("missing", f"g2p/{other}.items.jsonl"),
        ("damaged", f"encode/{shard}.json"),
        ("damaged", "similar/neighbours.npz"),
        ("unfinished", "metadata/.left.tmp"),
        ("stale", "slice/stranger.txt"),
        ("damaged", "transcribe/stage.json"),
    }


def test_a_change_in_the_middle_makes_what_follows_stale(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ("--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("g2p", "--out", copy, *shared, "--set", "g2p.stress=false") == 0
    found = problems(capsys, copy)
    assert {kind for kind, _ in found} == {"stale"}
    assert {file.partition("/")[0] for _, file in found} == {"encode"}


def test_a_stage_that_was_stopped_is_unfinished(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = list_shards(copy / "similar")[0]
    (copy / "similar" / "stage.json").unlink()
    remove_shard(copy / "similar", shard)
    kinds = dict(reversed(pair) for pair in problems(capsys, copy))
    assert kinds[f"similar/{shard}.json"] == kinds["similar/stage.json"] == "unfinished"


def test_only_a_deep_look_finds_what_the_clock_doesn_t_tell(
    voices: Path, tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Path(shutil.copytree(voices, tmp_path / "voices"))
    folder = tmp_path / "dataset"
    assert prep("transcribe", moved, "--out", folder, "--scheduler", "sync", "--quiet") == 0
    rows = max((folder / "transcribe").glob("*.rows.jsonl"), key=lambda path: path.stat().st_size)
    shard = rows.name.partition(".")[0]
    sound = rows.read_bytes()
    rows.write_bytes(sound.replace(b"e", b"f"))
    stat = rows.stat()
    receipt = read_sealed(folder / "transcribe" / f"{shard}.json")
    with closing(sqlite3.connect(folder / ".digests.sqlite")) as database, database:
        row = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        digest = receipt["files"]["rows.jsonl"]["sha256"]
        database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", [*row, digest])
    clip = sorted(moved.rglob("*.wav"))[-1]
    clip.write_bytes(clip.read_bytes()[:-2] + b"\1\1")
    assert problems(capsys, folder) == []
    found = problems(capsys, folder, "--deep")
    assert ("damaged", f"transcribe/{shard}.rows.jsonl") in found
    assert ("changed", clip.relative_to(moved).as_posix()) in found
    assert ("damaged", f"transcribe/{shard}.rows.jsonl") in problems(capsys, folder), "a deep look is remembered"
    clip.unlink()
    assert ("missing", clip.relative_to(moved).as_posix()) in problems(capsys, folder, "--deep")
    moved.rename(tmp_path / "elsewhere")
    assert [file for kind, file in problems(capsys, folder, "--deep") if kind != "damaged"] == [str(moved)]


def test_numbers_that_don_t_add_up_are_told(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "slice" / f"{list_shards(copy / 'slice')[0]}.json"
    receipt = read_sealed(path)
    write_sealed(path, {**receipt, "pieces": receipt["pieces"] + 1})
    assert problems(capsys, copy) == [("damaged", f"slice/{path.name}")]


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_the_rest_is_examined_where_the_head_or_the_index_is_gone(
    copy: Path, capsys: pytest.CaptureFixture[str], deep: tuple[str, ...]
) -> None:
    (copy / "dataset.json").write_text("{}")
    (copy / "hdf5" / "index.h5").unlink()
    found = problems(capsys, copy, *deep)
    assert found[0] == ("damaged", "dataset.json")
    assert ("missing", "hdf5/index.h5") in found
