"""Every layout reads a corpus in a store as it reads it on a disk: a store in memory takes the place of one."""

from pathlib import Path

import pyarrow.parquet
import pytest

from stages.corpora.scan import Scan, scan
from stages.errors import UsageError
from stages.remote import files
from stages.remote.paths import path_from
from tests.stages.corpora.layouts.shapes import SHAPES, tone, write_shape
from tests.stages.corpora.layouts.test_table import CLIPS, WRITERS


def in_store(folder: Path, scratch: Path) -> Scan:
    """Copies a folder to a store of the same name and scans it there."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/{folder.name}/{path.relative_to(folder)}", path.read_bytes())
    root = path_from(f"memory://{folder.name}")
    with files.listed(root, scratch):
        return scan(root)


@pytest.mark.parametrize("layout", [*SHAPES, *WRITERS])
def test_a_corpus_is_read_the_same(tmp_path: Path, alone: None, layout: str) -> None:
    folder = tmp_path / "v"
    folder.mkdir()
    if layout in SHAPES:
        write_shape(SHAPES[layout], folder)
    else:
        WRITERS[layout](folder, CLIPS)
    assert in_store(folder, tmp_path) == scan(folder)


def test_a_table_in_parquet_is_read_the_same(tmp_path: Path, alone: None) -> None:
    folder = tmp_path / "v"
    for name in ("a", "b"):
        tone(folder / "set" / f"{name}.wav")
    rows = [{"file_name": f"{name}.wav", "transcription": f"Text {name}."} for name in ("a", "b")]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "set" / "metadata.parquet")
    found = in_store(folder, tmp_path)
    assert found == scan(folder)
    assert [bool(one.told) for one in found.recordings] == [True, True]


def test_only_what_was_listed_can_be_searched(alone: None) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/noise/a.wav", b"RIFF")
    with pytest.raises(UsageError, match="only VOICES may lie in a store"):
        scan(path_from("memory://noise"))
