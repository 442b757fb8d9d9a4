"""`valle-prep export`: the command around the table of formats."""

import json
from pathlib import Path

import pytest

from stages.store.reader import open_store
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


def test_what_is_made_of_an_outdated_store_says_so(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    commands = [
        ("hdf5", ("export", "parquet", tmp_path / "out", "--dry-run")),
        ("hdf5", ("decode", "0", tmp_path / "0.wav")),
        ("encode", ("report",)),
    ]
    for _, command in commands:
        assert prep(*command, "--out", copy) == 0
        assert "note" not in capsys.readouterr().err
    filtered = ("--set", "g2p.max_phonemes_per_s=0.1", "--scheduler", "sync")
    assert prep("g2p", "--out", copy, *filtered) == 0
    for of, command in commands:
        capsys.readouterr()
        assert prep(*command, "--out", copy, "--json") == 0
        shown = capsys.readouterr()
        assert json.loads(shown.out)
        assert f"note: this uses the output of `{of}`, which isn't up to date." in shown.err
        assert "The output of `encode` " in shown.err
        assert prep(*command, "--out", copy, "--quiet") == 0
        assert capsys.readouterr().err == ""


def test_recordings_that_are_gone_are_told_before_anything_is_written(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from pipeline.dataset.folder import HEAD
    from stages.artefacts.manifest import read_sealed, write_sealed

    write_sealed(copy / HEAD, {**read_sealed(copy / HEAD), "voices": str(tmp_path / "gone")})
    assert prep("export", "lhotse", tmp_path / "out", "--out", copy) == 2
    assert "Bring it back" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert prep("export", "lhotse", tmp_path / "out", "--out", copy, "--no-audio") == 0
