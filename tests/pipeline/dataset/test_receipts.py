"""Receipts that are kept together are read again after every change, and only then."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.dataset import receipts
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.receipts import Receipts
from stages.artefacts.manifest import Receipt, part_paths, shard_name, write_shard

SHARDS = [shard_name(index, 4) for index in range(4)]
Found = dict[str, tuple[Receipt | None, bool]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four shards of one file each, which count as written long ago."""
    monkeypatch.setattr(receipts, "SETTLED_S", -1)
    folder = tmp_path / "g2p"
    folder.mkdir()
    for shard in SHARDS:
        paths = part_paths(folder, f".{shard}.tmp", ["rows.jsonl"])
        paths["rows.jsonl"].write_text(f"rows of {shard}\n")
        empty = Receipt("g2p", shard, f"of {shard}", "", 1, 1, 1, {}, {"Why": 2}, 1.5, {})
        write_shard(folder, empty, paths)
    return folder


def look(folder: Path) -> Found:
    """Reads all receipts as a run does, and keeps them."""
    with DigestCache(folder.parent / "digests.sqlite") as cache:
        found = Receipts(folder, cache)
        told = {shard: found.read(shard) for shard in found.shards}
        found.keep()
    return told


def afresh(folder: Path) -> Found:
    """Reads all receipts where nothing is kept."""
    with DigestCache(folder.parent / "none", read_only=True, trust=False) as cache:
        found = Receipts(folder, cache)
        return {shard: found.read(shard) for shard in found.shards}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards whose receipts were read from their files."""
    read: list[str] = []
    real = receipts.read_receipt

    def counted(folder: Path, shard: str) -> Receipt | None:
        read.append(shard)
        return real(folder, shard)

    monkeypatch.setattr(receipts, "read_receipt", counted)
    return read


def in_place(path: Path) -> None:
    """Changes a byte and keeps inode, size and time of change."""
    time.sleep(0.02)  # the clock of the file system's stamps ticks every few milliseconds
    stat, data = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.write(bytes([data[0] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replaced(path: Path) -> None:
    """Puts another shard's file in a file's place, as old as it was."""
    other = path.with_name(path.name.replace("00001", "00002"))
    other.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "written in place": in_place,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "vanished": Path.unlink,
    "replaced": replaced,
    "emptied": lambda path: path.write_bytes(b""),
    "led elsewhere": lambda path: (path.rename(path.parent.parent / "away"), path.symlink_to("nothing")),
}


def test_what_has_not_changed_is_not_read_again(folder: Path, reads: list[str]) -> None:
    first = look(folder)
    assert (list(first), reads) == (SHARDS, SHARDS)
    assert all(receipt and whole and receipt.rejected == {"Why": 2} for receipt, whole in first.values())
    assert look(folder) == first
    assert reads == SHARDS


@pytest.mark.parametrize("name", [f"{SHARDS[1]}.json", f"{SHARDS[1]}.rows.jsonl"])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(folder: Path, change: str, name: str) -> None:
    look(folder)
    CHANGES[change](folder / name)
    changed = look(folder)
    assert changed == afresh(folder)
    assert changed.get(SHARDS[1], (None, False))[1] is False


def test_a_shard_more_is_found(folder: Path) -> None:
    look(folder)
    for suffix in ("json", "rows.jsonl"):
        (folder / f"{SHARDS[3]}.{suffix}").rename(folder.parent / suffix)
    assert list(look(folder)) == SHARDS[:3] == list(look(folder))
    for suffix in ("json", "rows.jsonl"):
        (folder.parent / suffix).rename(folder / f"{SHARDS[3]}.{suffix}")
    assert list(look(folder)) == SHARDS


def test_nothing_is_kept_while_a_shard_is_damaged(folder: Path, reads: list[str]) -> None:
    in_place(folder / f"{SHARDS[0]}.rows.jsonl")
    look(folder)
    look(folder)
    assert reads == 2 * SHARDS


def test_a_file_written_just_now_may_change_and_keep_its_stamp(
    folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "SETTLED_S", 3600)
    look(folder)
    look(folder)
    assert reads == 2 * SHARDS


@pytest.mark.parametrize("harm", [lambda value: value.replace("1.5", "2.5"), lambda value: value[:-9], lambda _: ""])
def test_a_damaged_note_is_not_believed(folder: Path, reads: list[str], harm: Callable[[str], str]) -> None:
    first = look(folder)
    with DigestCache(folder.parent / "digests.sqlite") as cache:
        [(name, value)] = cache.database().execute("SELECT name, value FROM notes").fetchall()
        assert harm(value) != value
        cache.take_note(name, harm(value))
    assert look(folder) == first
    assert reads == 2 * SHARDS


def test_a_damaged_cache_is_made_again(folder: Path) -> None:
    first = look(folder)
    (folder.parent / "digests.sqlite").write_bytes(b"no database" * 999)
    assert look(folder) == first == look(folder)


def test_without_trust_all_is_read(folder: Path, reads: list[str]) -> None:
    look(folder)
    with DigestCache(folder.parent / "digests.sqlite", trust=False) as cache:
        Receipts(folder, cache).read(SHARDS[0])
    assert reads == [*SHARDS, SHARDS[0]]
