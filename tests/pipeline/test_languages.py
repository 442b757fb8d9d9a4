"""The language of a short text, through the runner: it follows the speaker's other texts, and only its row does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import list_shards
from stages.audio.files import write_wav
from stages.records import Transcript
from stages.slice import Slice
from tests.pipeline.conftest import digests, prep

LONG = "Heute ist das Wetter schön, und wir gehen im Park spazieren."


def say(voices: Path, clip: str, text: str) -> None:
    path = voices / f"{clip}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(clip.encode())).uniform(-0.3, 0.3, 12_000)
    write_wav(path, noise.astype(np.float32), 8_000)
    path.with_suffix(".txt").write_text(text, encoding="utf-8")


def cut(voices: Path, out: Path) -> dict[str, str]:
    """Runs the first two stages; returns language by recording."""
    shared = ("--out", out, "--scheduler", "sync", "--quiet")
    assert [prep("transcribe", voices, *shared), prep("slice", *shared)] == [0, 0]
    folder = out / "slice"
    rows = [row for shard in list_shards(folder) for row in read_lines(folder / f"{shard}.rows.jsonl")]
    return {row["recording"]: row["language"] for row in rows}


def test_only_rows_whose_language_changes_are_made_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    voices, out = tmp_path / "voices", tmp_path / "dataset"
    for clip, text in {"eva/long": LONG, "eva/short": "Danke schön.", "kim/short": "Hallo Kim."}.items():
        say(voices, f"g/{clip}", text)
    say(voices, "h/anna/short", "Hallo Anna.")
    before = cut(voices, out)
    assert before == {f"g/{name}.wav": "de" for name in ("eva/long", "eva/short", "kim/short")} | {
        "h/anna/short.wav": "it"
    }
    assert "1 short texts have nothing but themselves to tell their language: 1 it" in caplog.text

    made: list[str] = []
    process = Slice.process

    def noted(self: Slice, items: Sequence[Transcript]) -> list[list[object]]:
        made.extend(item.id for item in items if (voices / item.id).is_file())  # not the preflight's sample
        return list(map(list, process(self, items)))

    monkeypatch.setattr(Slice, "process", noted)
    say(voices, "h/anna/long", LONG)
    after = cut(voices, out)
    assert after == before | {"h/anna/short.wav": "de", "h/anna/long.wav": "de"}
    assert sorted(made) == ["h/anna/long.wav", "h/anna/short.wav"]
    assert "`h/anna/short.wav` (de, not it)" in caplog.text
    cut(voices, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")

    assert prep("inspect", "h/anna/short.wav", "--out", out) == 0
    assert "guessed" in capsys.readouterr().err
    (voices / "h/anna/long.wav").unlink()
    assert cut(voices, out) == before


def test_exported_transcripts_have_it_too(tmp_path: Path) -> None:
    voices, out = tmp_path / "voices", tmp_path / "dataset"
    say(voices, "anna/long", LONG)
    say(voices, "anna/short", "Hallo Anna.")
    cut(voices, out)
    assert prep("export", "whisperx", tmp_path / "exported", "--out", out, "--quiet") == 0
    assert '"language": "de"' in (tmp_path / "exported/anna/short.json").read_text()


def test_a_damaged_file_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voices, out = tmp_path / "voices", tmp_path / "dataset"
    say(voices, "anna/long", LONG)
    say(voices, "anna/short", "Hallo Anna.")
    before = cut(voices, out)
    (out / "transcribe/languages.json").write_text('{"anna/sho')
    assert prep("slice", "--out", out, "--scheduler", "sync", "--quiet") == 2
    assert "languages.json` is damaged. Run `valle-prep transcribe" in capsys.readouterr().err
    assert cut(voices, out) == before
