"""A corpus with a table, through the command line: a changed row, a layout that isn't there."""

import json
from pathlib import Path

import pytest

from stages.transcribe import Transcribe
from tests.pipeline.conftest import prep


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
