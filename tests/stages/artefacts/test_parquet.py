"""Writing Parquet tables without pandas, and looking up rows in them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artefacts import parquet
from stages.artefacts.parquet import append_columns, arrow_array, find_rows, write_records
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


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], "string"),
        (["a", None, "é日本", ""], "string"),
        ([None] * 9, "string"),
        ([2**63 - 1, 0, -1, None], "int64"),
        ([1.5, None, math.inf, -0.0], "float64"),
        ([["a", "b"], None, [], ["c"]], "list string"),
        ([[0.1, 2.0], None, []], "list float32"),
    ],
)
def test_arrays_are_what_pyarrow_makes_of_the_values(values: list[Any], kind: str) -> None:
    import pyarrow

    made = getattr(pyarrow, kind.removeprefix("list "))()
    type_ = pyarrow.list_(made) if kind.startswith("list") else made
    array = arrow_array(values, type_)
    array.validate(full=True)
    assert array.equals(pyarrow.array(values, type_))
    assert array.null_count == values.count(None)


def test_a_column_too_long_for_its_offsets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow

    monkeypatch.setattr(np, "iinfo", lambda _: type("Few", (), {"max": 3}))
    with pytest.raises(OverflowError, match="less than 2 GiB"):
        parquet.arrow_array(["four"], pyarrow.string())
