"""Looking up rows in a Parquet table."""

from pathlib import Path

import pytest

from stages.artefacts.parquet import append_columns, find_rows, write_records
from stages.errors import ArtefactError
from stages.records import Recording


def recording(name: str) -> Recording:
    return Recording(name, "g", "s", f"digest of {name}")


def test_rows_are_found_in_every_block_by_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_records(path, Recording, [[recording("b"), recording("d")], [], [recording("a")], [recording("c")]])
    found = find_rows(path, ["d", "a", "nobody"])
    assert found == {name: recording(name).to_json() for name in ("d", "a")}
    assert find_rows(path, []) == {}


def test_only_the_requested_columns_are_read(tmp_path: Path) -> None:
    path, joined = tmp_path / "t.parquet", tmp_path / "j.parquet"
    write_records(path, Recording, [[recording("a"), recording("b")]])
    append_columns(path, joined, {"similar": {"a": ["b"]}, "similar_score": {"a": [0.5]}})
    found = find_rows(joined, ["a", "b"], ["id", "similar", "similar_score"])
    assert found["a"] == {"id": "a", "similar": ["b"], "similar_score": [0.5]}
    assert found["b"]["similar"] is None


def test_a_damaged_table_is_an_artefact_error(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ArtefactError, match="can't be read as Parquet"):
        find_rows(tmp_path / "t.parquet", ["a"])
    with pytest.raises(ArtefactError, match="gone"):
        find_rows(tmp_path / "gone.parquet", ["a"])
