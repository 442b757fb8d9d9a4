"""The scan: an unchanged folder is recognised without work, and every change is noticed."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.dataset import digests, recordings
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, RECORDINGS, new_dataset
from pipeline.dataset.recordings import ScanCounts, all_recordings, find_recordings
from stages.artefacts.manifest import file_digest, list_shards
from stages.corpora.scan import walk

Scan = Callable[..., ScanCounts]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Six files with transcripts, of three speakers."""
    for number in range(6):
        clip = tmp_path / "voices" / "g" / f"s{number % 3}" / f"clip{number}.wav"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"sound %d" % number)
        clip.with_suffix(".txt").write_text(f"text {number}", encoding="utf-8")
    return tmp_path / "voices"


@pytest.fixture(params=["walked", "listed"])
def scan(tmp_path: Path, clips: Path, request: pytest.FixtureRequest) -> Scan:
    """Finds the recordings, in a dataset of its own; by walking each time, or only if names or stamps have changed."""
    (tmp_path / "dataset").mkdir()

    def scan(*, limit: int | None = None, layout: str = "auto") -> ScanCounts:
        dataset = new_dataset(tmp_path / "dataset", clips)
        with DigestCache(dataset.folder / DIGESTS) as cache:
            walked = partial(walk, layout=layout)
            told = {"layout": layout} if request.param == "listed" else None
            return find_recordings(
                dataset, cache, walk=walked, limit=limit, threads=1, progress=lambda _done, _count: None, told=told
            )

    return scan


def rows(tmp_path: Path) -> dict[str, tuple[str, str]]:
    found = all_recordings(tmp_path / "dataset" / RECORDINGS)
    return {one.id: (one.digest, one.transcript_digest) for one in found}


def test_what_has_not_changed_is_not_gone_through(tmp_path: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    first, written = scan(), rows(tmp_path)
    monkeypatch.setattr(recordings, "_shards", lambda *_: pytest.fail("gone through again"))
    assert scan() == first == ScanCounts(6, 6, {})
    (tmp_path / "voices" / "notes.pdf").write_bytes(b"")
    assert scan().ignored == {".pdf": 1}, "what else is there is told all the same"
    assert rows(tmp_path) == written


def change_content(folder: Path) -> None:
    clip = folder / "voices" / "g" / "s0" / "clip0.wav"
    stat = clip.stat()
    clip.write_bytes(b"SOUND 0")
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def change_text(folder: Path) -> None:
    (folder / "voices" / "g" / "s0" / "clip0.txt").write_text("TEXT 0", encoding="utf-8")


def rename(folder: Path) -> None:
    (folder / "voices" / "g" / "s0" / "clip0.wav").rename(folder / "voices" / "g" / "s0" / "other.wav")


def move_text(folder: Path) -> None:
    (folder / "voices" / "g" / "s0" / "clip0.txt").unlink()


def damage(folder: Path) -> None:
    shard = min((folder / "dataset" / RECORDINGS).glob("*.rows.jsonl"), key=lambda path: -path.stat().st_size)
    shard.write_bytes(shard.read_bytes()[:-2])


def lose(folder: Path) -> None:
    path = folder / "dataset" / RECORDINGS
    for part in path.glob(f"{list_shards(path)[0]}*"):
        part.unlink()


@pytest.mark.parametrize("change", [change_content, change_text, rename, move_text, damage, lose])
def test_a_change_is_seen(tmp_path: Path, scan: Scan, change: Callable[[Path], None]) -> None:
    scan()
    change(tmp_path)
    scan()
    expected = {
        path.relative_to(tmp_path / "voices").as_posix(): (
            file_digest(path),
            file_digest(path.with_suffix(".txt")) if path.with_suffix(".txt").exists() else "",
        )
        for path in (tmp_path / "voices").rglob("*.wav")
    }
    assert rows(tmp_path) == expected
    assert len(list_shards(tmp_path / "dataset" / RECORDINGS)) == 16


def test_a_limit_and_a_layout_are_part_of_it(tmp_path: Path, scan: Scan) -> None:
    assert scan(limit=2).recordings == 2
    assert scan().recordings == 6
    (tmp_path / "voices" / "g" / "metadata.csv").write_text("clip0|another text\n", encoding="utf-8")
    found = [scan(layout=layout).recordings for layout in ("voices", "auto", "voices")]
    assert found == [6, 7, 6], "the table names a clip that isn't there"


def test_what_could_not_be_read_is_read_the_next_time(
    tmp_path: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path | str) -> str:
        if str(path).endswith("clip3.wav"):
            raise OSError("the disk is away")
        return file_digest(path)

    with monkeypatch.context() as away:
        away.setattr(digests.members, "digest", fail)
        scan()
    assert rows(tmp_path)["g/s0/clip3.wav"][0] == ""
    scan()
    assert rows(tmp_path)["g/s0/clip3.wav"][0] == file_digest(tmp_path / "voices" / "g" / "s0" / "clip3.wav")


def test_one_of_each_kind_is_found_in_whatever_shard(tmp_path: Path, scan: Scan) -> None:
    def kinds() -> list[bool]:
        scan()
        return sorted(bool(one.transcript) for one in recordings.each_kind(tmp_path / "dataset" / RECORDINGS))

    assert kinds() == [True]
    texts = sorted((tmp_path / "voices").rglob("*.txt"))
    texts[0].unlink()
    assert kinds() == [False, True]
    for path in texts[1:]:
        path.unlink()
    assert kinds() == [False]


def test_a_cache_without_notes_or_damaged_costs_time_only(tmp_path: Path, scan: Scan) -> None:
    first, written = scan(), rows(tmp_path)
    path = tmp_path / "dataset" / DIGESTS
    content = bytearray(path.read_bytes())
    content[100:] = bytes(len(content) - 100)
    path.write_bytes(content)
    assert scan() == first
    path.unlink()
    assert scan() == first
    assert rows(tmp_path) == written
