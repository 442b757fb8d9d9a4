"""`valle-prep export`: the command around the table of formats."""

import json
from pathlib import Path

import pytest

from stages.store import open_store
from tests.pipeline.conftest import prep


def test_it_says_what_it_wrote(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    count = len(open_store(dataset))
    assert prep("export", "webdataset", tmp_path / "out", "--out", dataset, "--dry-run") == 0
    assert not (tmp_path / "out").exists()
    capsys.readouterr()
    assert prep("export", "webdataset", tmp_path / "out", "--out", dataset, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"format": "webdataset", "utterances": count, "folder": str(tmp_path / "out")}
    assert any((tmp_path / "out").glob("train-*.tar"))
    assert prep("export", "webdataset", tmp_path / "out", "--out", dataset) == 2
    assert "must be a new or empty folder" in capsys.readouterr().err


def test_recordings_that_are_gone_are_told_before_anything_is_written(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from pipeline.dataset import HEAD
    from stages.manifest import read_sealed, write_sealed

    write_sealed(copy / HEAD, {**read_sealed(copy / HEAD), "voices": str(tmp_path / "gone")})
    assert prep("export", "lhotse", tmp_path / "out", "--out", copy) == 2
    assert "Bring it back" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert prep("export", "lhotse", tmp_path / "out", "--out", copy, "--no-audio") == 0
