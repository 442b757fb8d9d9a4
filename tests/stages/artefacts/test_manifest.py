import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artefacts.formats import Rows, read_lines
from stages.artefacts.manifest import (
    Receipt,
    list_shards,
    part_paths,
    read_receipt,
    remove_shard,
    shard_count,
    shard_index,
    shard_name,
    write_shard,
    write_text,
)
from stages.errors import ArtefactError
from stages.records import Segment, Transcript, Utterance, Word

ROWS = Rows(Utterance)
RECEIPT = Receipt("slice", "00000-of-00016", "fp", "up", 1, 1, 1, {}, {}, 0.1, {})

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SAMPLES = st.integers(0, 10**9)
WORDS = st.builds(Word, TEXT, SAMPLES, SAMPLES)
SEGMENTS = st.builds(Segment, SAMPLES, SAMPLES, TEXT, TEXT, st.lists(WORDS, max_size=3).map(tuple))
TRANSCRIPTS = st.builds(
    Transcript, TEXT, TEXT, TEXT, SAMPLES, SAMPLES, TEXT, TEXT, st.booleans(), st.lists(SEGMENTS, max_size=3).map(tuple)
)


def utterance(name: str) -> Utterance:
    return Utterance(name, "a.wav", "g", "s", "en", 0, 1600, 16_000, "hello")


def commit(folder: Path, *names: str) -> Receipt:
    paths = part_paths(folder, ".tmp", ROWS.parts)
    ROWS.write(paths, [utterance(name) for name in names])
    return write_shard(folder, RECEIPT, paths)


@given(TRANSCRIPTS)
def test_a_record_survives_its_line(transcript: Transcript) -> None:
    line = json.loads(transcript.content())
    assert Transcript.from_json(line) == transcript


def test_a_committed_shard_is_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    receipt = commit(tmp_path, "a", "b\u2028é")
    assert read_receipt(tmp_path, receipt.shard) == receipt
    assert list_shards(tmp_path) == [receipt.shard]
    assert [row.id for row in ROWS.read(part_paths(tmp_path, receipt.shard, ROWS.parts))] == ["a", "b\u2028é"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{receipt.shard}.json", f"{receipt.shard}.rows.jsonl"]
    remove_shard(tmp_path, receipt.shard)
    assert not list(tmp_path.iterdir())


def test_the_digest_follows_the_outputs_alone(tmp_path: Path) -> None:
    assert commit(tmp_path, "a").digest == commit(tmp_path, "a").digest
    assert commit(tmp_path, "a").digest != commit(tmp_path, "b").digest


def test_a_torn_receipt_means_no_shard(tmp_path: Path) -> None:
    receipt = commit(tmp_path, "a")
    path = tmp_path / f"{receipt.shard}.json"
    whole = path.read_text()
    for torn in ("", whole[: len(whole) // 2], "[]", "null", '{"stage": 1}', whole.replace("sha256", "md5")):
        path.write_text(torn)
        assert read_receipt(tmp_path, receipt.shard) is None


def test_a_torn_line_is_an_artefact_error(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"a": 1}\n{"a": ')
    with pytest.raises(ArtefactError, match="Run the command again"):
        list(read_lines(tmp_path / "rows"))


@given(TEXT, st.integers(0, 12))
def test_a_finer_sharding_only_splits_shards(key: str, bits: int) -> None:
    coarse, fine = shard_index(key, 1 << bits), shard_index(key, 2 << bits)
    assert 0 <= fine < 2 << bits
    assert fine // 2 == coarse


@given(st.integers(0, 10**7))
def test_shards_are_many_for_a_small_dataset_and_full_for_a_large_one(recordings: int) -> None:
    total = shard_count(recordings)
    assert total & (total - 1) == 0
    assert total >= 16
    assert recordings / total <= (64 if total < 256 else 256 if total < 1024 else 1024)
    assert total in {16, 256, 1024} or recordings / total > (32 if total < 256 else 128 if total < 1024 else 512)
    assert shard_count(recordings + 1) >= total, "more recordings never make fewer shards"


def test_shards_sort_by_number() -> None:
    assert sorted(shard_name(n, 16) for n in range(16)) == [shard_name(n, 16) for n in range(16)]


def test_an_atomic_write_replaces_or_leaves(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "one")
    write_text(tmp_path / "a", "two")
    assert (tmp_path / "a").read_text() == "two"
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "two"
