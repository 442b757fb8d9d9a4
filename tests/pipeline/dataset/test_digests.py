import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.dataset import digests
from pipeline.dataset.digests import DigestCache, stamp_of


def test_an_unchanged_file_is_read_once_even_in_a_renamed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_bytes(b"one")
    with DigestCache(tmp_path / "cache") as cache:
        assert cache.digest(tmp_path / "old" / "a") == hashlib.sha256(b"one").hexdigest()
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setattr(digests.members, "digest", lambda path: pytest.fail("read again"))
    with DigestCache(tmp_path / "cache") as cache:
        assert cache.digest(tmp_path / "new" / "a") == hashlib.sha256(b"one").hexdigest()


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    stat = file.stat()
    with DigestCache(tmp_path / "cache") as cache:
        cache.digest(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with DigestCache(tmp_path / "cache") as cache:
        assert cache.digest(file) == hashlib.sha256(b"two").hexdigest()


def test_what_can_t_be_read_has_no_digest(tmp_path: Path) -> None:
    with DigestCache(tmp_path / "cache") as cache:
        files = [(str(path), stamp_of(path)) for path in (tmp_path / "none", tmp_path)]
        assert cache.digests(files, threads=2) == ["", ""]


def test_a_damaged_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_bytes(b"not sqlite" * 100)
    (tmp_path / "a").write_bytes(b"one")
    with DigestCache(tmp_path / "cache") as cache:
        assert cache.digest(tmp_path / "a")
    monkeypatch.setattr(digests.members, "digest", lambda path: pytest.fail("read again"))
    assert DigestCache(tmp_path / "cache").digest(tmp_path / "a")


def test_read_only_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    with DigestCache(tmp_path / "cache", read_only=True) as cache:
        assert cache.digest(tmp_path / "a")
    assert not (tmp_path / "cache").exists()


def test_a_wrong_memory_is_no_reason_to_call_a_file_damaged(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    with DigestCache(tmp_path / "cache") as cache:
        cache.digest(file)
    with closing(sqlite3.connect(tmp_path / "cache")) as database, database:
        database.execute("UPDATE digests SET digest = ?", ["0" * 64])
    with DigestCache(tmp_path / "cache") as cache:
        assert cache.holds(file, hashlib.sha256(b"one").hexdigest())
        assert cache.holds(file, hashlib.sha256(b"one").hexdigest()), "what was just read goes before the memory"
        assert not cache.holds(file, hashlib.sha256(b"two").hexdigest())


def test_a_cache_that_isn_t_trusted_reads_again(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    with DigestCache(tmp_path / "cache") as cache:
        cache.digest(file)
    with closing(sqlite3.connect(tmp_path / "cache")) as database, database:
        database.execute("UPDATE digests SET digest = ?", ["0" * 64])
    with DigestCache(tmp_path / "cache", trust=False) as cache:
        assert cache.digest(file) == hashlib.sha256(b"one").hexdigest()
