"""The listing of a folder: equal in any number of processes, other after every change; what a scan makes of it."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset import listing, recordings
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, RECORDINGS, new_dataset
from pipeline.dataset.listing import listing_digest
from pipeline.dataset.recordings import ScanCounts, find_recordings
from stages.corpora.scan import walk


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Folders with files, a name that isn't UTF-8, and links to a file, a folder and a folder above."""
    folder = tmp_path / "voices"
    for number in range(8):
        clip = folder / f"g{number % 2}" / f"s{number % 4}" / f"clip{number}.wav"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"%d" % number)
    Path(os.fsdecode(bytes(folder) + b"/g0/caf\xe9.wav")).write_bytes(b"e")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.wav").write_bytes(b"far")
    (folder / "g0" / "far").symlink_to(tmp_path / "elsewhere")
    (folder / "g0" / "one.wav").symlink_to(tmp_path / "elsewhere" / "far.wav")
    (folder / "g1" / "up").symlink_to(folder)
    return folder


def in_place(voices: Path) -> None:
    clip = voices / "g0" / "s0" / "clip0.wav"
    stat = clip.stat()
    clip.write_bytes(b"x")
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file written in place, with its old time": in_place,
    "a file more": lambda voices: (voices / "g1" / "s1" / "new.txt").touch(),
    "a file less": lambda voices: (voices / "g1" / "s1" / "clip1.wav").unlink(),
    "another name": lambda voices: (voices / "g0" / "s0" / "clip0.wav").rename(voices / "g0" / "s0" / "clip9.wav"),
    "another folder's name": lambda voices: (voices / "g0" / "s0").rename(voices / "g0" / "s9"),
    "an empty folder": lambda voices: (voices / "g2").mkdir(),
    "what a link to a file leads to": lambda voices: (voices.parent / "elsewhere" / "far.wav").write_bytes(b"new"),
    "a file in a linked folder": lambda voices: (voices.parent / "elsewhere" / "more.wav").touch(),
}


@pytest.mark.parametrize("at_a_time", [1, 2, 512])
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_gives_another_hash(
    voices: Path, name: str, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_AT_A_TIME", at_a_time)
    before = listing_digest(str(voices), 1)
    assert before == listing_digest(str(voices), 1)
    CHANGES[name](voices)
    assert listing_digest(str(voices), 1) not in {before, None}


def test_a_link_to_nothing_is_listed_and_never_taken_for_read(voices: Path) -> None:
    link = voices / "g1" / "gone.wav"
    link.symlink_to(voices.parent / "nothing")
    before = listing_digest(str(voices), 1)
    scan = Scans(voices)
    for _ in range(2):
        scan()
        assert scan.walked == 1, "a file that couldn't be read is tried again"
    (voices.parent / "nothing").touch()
    assert listing_digest(str(voices), 1) != before
    assert [scan() and scan.walked, scan() and scan.walked] == [1, 0]


def test_processes_share_it(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = listing_digest(str(voices), 1)
    monkeypatch.setattr(listing, "_ALONE", 0)
    assert alone == listing_digest(str(voices), 3)
    monkeypatch.setattr(listing._Helper, "ask", lambda helper, *_: helper._process.kill())
    assert listing_digest(str(voices), 2) is None, "a process that dies knows nothing, and says no folder is empty"


@pytest.mark.parametrize("at_a_time", [1, 2, 512])
def test_what_is_hidden_and_when_it_was_read_do_not_matter(
    voices: Path, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_AT_A_TIME", at_a_time)
    before = listing_digest(str(voices), 1)
    (voices / "g0" / ".DS_Store").touch()
    (voices / "g0" / "s0" / "clip0.wav").read_bytes()
    assert listing_digest(str(voices), 1) == before
    assert listing_digest(str(voices / "missing"), 1) is None


class Scans:
    """Scans a folder and counts how often it is walked."""

    def __init__(self, voices: Path) -> None:
        self.voices, self.walked = voices, 0
        self.dataset = new_dataset(voices.parent / "dataset", voices)
        self.dataset.folder.mkdir()

    def _walk(self, *arguments: Any) -> Iterator[Any]:
        self.walked += 1
        return walk(*arguments)

    def __call__(self, told: Any = "as before", limit: int | None = None) -> ScanCounts:
        self.walked = 0
        with DigestCache(self.dataset.folder / DIGESTS) as cache:
            return find_recordings(
                self.dataset, cache, walk=self._walk, limit=limit, threads=1, progress=lambda *_: None, told=told
            )


def test_a_scan_that_sees_the_same_walks_nothing(voices: Path, caplog: pytest.LogCaptureFixture) -> None:
    (voices / "more.zip").write_bytes(b"no archive")
    scan = Scans(voices)
    first = scan()
    assert scan.walked == 1
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    caplog.clear()
    assert scan() == first
    assert scan.walked == 0
    assert [record.getMessage() for record in caplog.records] == told, "warnings are repeated"
    for changed in ({"told": "otherwise"}, {"told": "otherwise", "limit": 50}, {"told": None}):
        scan(**changed)
        assert scan.walked == 1, changed


@pytest.mark.parametrize("name", CHANGES)
def test_a_scan_walks_after_every_change(voices: Path, name: str) -> None:
    scan = Scans(voices)
    scan()
    CHANGES[name](voices)
    scan()
    assert scan.walked == 1
    scan()
    assert scan.walked == 0


def test_another_version_of_the_stages_walks_again(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = Scans(voices)
    scan()
    monkeypatch.setattr(recordings, "sources_digest", lambda: "another version")
    scan()
    assert scan.walked == 1


@pytest.mark.parametrize("part", ["*.rows.jsonl", "*.json"])
def test_a_damaged_shard_is_mended(voices: Path, part: str) -> None:
    scan = Scans(voices)
    scan()
    largest = max((scan.dataset.folder / RECORDINGS).glob(part), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-3])
    scan()
    assert scan.walked == 1
    assert largest.read_bytes() == whole
