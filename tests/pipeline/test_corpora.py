"""Corpora through the command line: a table with a changed row, a layout that isn't there, recordings inside tars."""

import json
from pathlib import Path

import pytest

from stages.transcribe import Transcribe
from tests.pipeline.conftest import prep
from tests.stages.corpora.layouts.shapes import write_tar


def test_a_changed_row_is_all_that_is_done_again(
    all_voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    done: list[str] = []
    process = Transcribe.process

    def noted(stage: Transcribe, items: list) -> list:
        done.extend(item.id for item in items)
        return process(stage, items)

    corpus, out = tmp_path / "corpus", tmp_path / "dataset"
    (corpus / "wavs").mkdir(parents=True)
    for number, clip in enumerate(sorted(all_voices.rglob("*.wav"))[:4]):
        (corpus / "wavs" / f"c{number}.wav").symlink_to(clip)
    table = corpus / "metadata.csv"
    table.write_text("".join(f"c{number}|Text {number}.|The text of clip {number}.\n" for number in range(4)))

    command = ("transcribe", corpus, "--out", out, "--scheduler", "sync")
    assert prep(*command, "--set", "transcribe.layout=kaldi") == 2
    assert "holds no table of that kind (wav.scp)" in capsys.readouterr().err
    assert prep(*command, "--quiet") == 0
    assert prep("validate", "--deep", "--out", out, "--quiet") == 0
    monkeypatch.setattr(Transcribe, "process", noted)
    table.write_text(table.read_text().replace("of clip 2", "of the clip"))
    assert prep(*command, "--quiet") == 0
    assert [name for name in done if name.startswith("wavs/")] == ["wavs/c2.wav"]
    capsys.readouterr()
    assert prep("inspect", "wavs/c2.wav", "--out", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recording"]["transcript"] == str(table)
    assert told["recording"]["transcript_state"] is None
    assert told["stages"][0]["items"][0]["text"] == "The text of the clip."
    assert told["stages"][0]["items"][0]["source"] == "ljspeech"


def test_recordings_inside_a_tar(
    all_voices: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are read where they lie; a changed tar redoes the members that changed."""
    done: list[str] = []
    process = Transcribe.process

    def noted(stage: Transcribe, items: list) -> list:
        done.extend(item.id for item in items)
        return process(stage, items)

    voices, out = tmp_path / "voices", tmp_path / "dataset"
    clips = sorted(all_voices.rglob("*.wav"))[:5]
    files = {f"{n}.wav": clip.read_bytes() for n, clip in enumerate(clips[:4])}
    files |= {f"{n}.json": json.dumps({"text": f"The text of clip {n}.", "speaker": "anna"}).encode() for n in range(4)}
    tar = write_tar(voices / "DE" / "b0.tar", files)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    command = ("transcribe", voices, "--out", out, "--scheduler", "sync", "--quiet")
    assert prep(*command, "--set", "transcribe.transcripts=require") == 0
    assert prep("slice", "--out", out, "--scheduler", "sync", "--quiet", "--set", "slice.min_s=0.1") == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file() and out not in path.parents} == before
    assert prep("validate", "--deep", "--out", out, "--quiet") == 0
    capsys.readouterr()
    assert prep("inspect", "DE/b0.tar/2.wav", "--out", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recording"]["state"] == "unchanged"
    assert told["recording"]["bytes"] == len(files["2.wav"])
    assert (told["recording"]["speaker"], told["recording"]["group"]) == ("anna", "DE")

    monkeypatch.setattr(Transcribe, "process", noted)
    files["2.wav"] = clips[4].read_bytes()
    write_tar(tar, {"new.wav": clips[4].read_bytes(), "new.txt": b"Something else.", **files})
    assert prep(*command) == 0
    assert sorted(name for name in done if name.startswith("DE/")) == ["DE/b0.tar/2.wav", "DE/b0.tar/new.wav"]
    tar.write_bytes(tar.read_bytes()[:-20_000])
    assert prep(*command) in {0, 3}
    assert "is damaged: its end is missing" in caplog.text
