"""Thresholds and duplicates, through the runner: measures are kept, and the bytes equal those of a fresh run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import COMPLETE, OUT, list_shards
from stages.audio import files as audio
from stages.records import Utterance, count_phonemes
from stages.store.reader import open_store
from tests.pipeline.conftest import digests, prep


def to_g2p(voices: Path, out: Path, *sets: str) -> dict[str, str]:
    """Runs the stages up to `g2p` and returns their digests."""
    shared = ("--out", out, "--scheduler", "sync", "--quiet", *(word for one in sets for word in ("--set", one)))
    assert [prep(*command, *shared) for command in (("transcribe", voices), ("slice",), ("g2p",))] == [0, 0, 0]
    return digests(out)


def kept(dataset: Path, stage: str) -> list[dict[str, Any]]:
    folder = dataset / stage
    return [row for shard in list_shards(folder) for row in read_lines(folder / f"{shard}.rows.jsonl")]


def left_out(dataset: Path, stage: str) -> list[dict[str, Any]]:
    folder = dataset / stage
    return [row for shard in list_shards(folder) for row in read_lines(folder / f"{shard}.{OUT}")]


def test_a_threshold_is_changed_without_measuring_again(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = to_g2p(voices, tmp_path / "a")
    quiet = median(row["measures"]["silence"] for row in kept(tmp_path / "a", "slice"))
    rows = map(Utterance.from_json, kept(tmp_path / "a", "g2p"))
    fast = median(count_phonemes(row.phonemes) / row.duration_s for row in rows)
    thresholds = f"slice.max_silence={quiet}", "slice.loudness_lufs=-23.0", f"g2p.max_phonemes_per_s={fast}"
    fresh = to_g2p(voices, tmp_path / "b", *thresholds)
    rows = left_out(tmp_path / "b", "slice")
    assert rows
    assert {row["reason"] for row in rows} == {"Silence"}
    assert all(row["cut"]["measures"]["silence"] > quiet for row in rows)
    assert {row["reason"] for row in left_out(tmp_path / "b", "g2p")} == {"ManyPhonemes"}

    def read(path: Path, *span: int, read: Callable[..., Any] = audio.read) -> Any:
        assert not path.is_relative_to(voices), "a recording was read again"
        return read(path, *span)

    monkeypatch.setattr(audio, "read", read)
    assert to_g2p(voices, tmp_path / "a", *thresholds) == fresh
    back = "slice.max_silence=null", "slice.loudness_lufs=null", "g2p.max_phonemes_per_s=null"
    assert to_g2p(voices, tmp_path / "a", *back) == plain


class _Ear:
    """Stand-in for a second whisper model: of each two cuts it hears one as something else."""

    at_once = 1
    heard = 0

    def __init__(self, *_: object) -> None: ...

    def knows(self, language: str) -> bool:
        return language == "en"

    def hear(self, waves: list[Any], _language: str) -> list[str]:
        _Ear.heard += len(waves)
        return ["something else altogether that nobody said" if _Ear.heard % 2 else ""] * len(waves)


def test_cuts_are_heard_again_once(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.slice.SecondHearing", _Ear)
    monkeypatch.setattr("stages.slice.problem", lambda _: "")
    monkeypatch.setattr("stages.slice.identity", lambda model: model)
    shared = ("--out", tmp_path / "a", "--scheduler", "sync", "--quiet")
    assert prep("transcribe", voices, *shared) == 0
    assert prep("slice", *shared, "--set", "slice.max_misheard=0.6") == 2
    assert "`slice.max_misheard` compares each text with what a second model hears" in capsys.readouterr().err
    assert prep("slice", *shared) == 0
    plain = kept(tmp_path / "a", "slice")
    heard = kept(tmp_path / "a", "transcribe")
    monkeypatch.setattr(_Ear, "heard", 0)
    assert prep("slice", *shared, "--set", "transcribe.verify=one") == 0
    assert kept(tmp_path / "a", "transcribe") == heard
    rows = kept(tmp_path / "a", "slice")
    assert [{key: row[key] for key in row if key != "again"} for row in rows] == plain
    english = [row for row in rows if row["language"] == "en"]
    assert 0 < len(english) < len(rows)
    assert all(("again" in row) == (row["language"] == "en") for row in rows)
    assert {row["again"]["text"] == "" for row in english} == {True, False}
    asked = _Ear.heard
    assert asked >= len(english)
    assert prep("slice", *shared, "--set", "slice.max_misheard=0.6") == 0
    assert {row["reason"] for row in left_out(tmp_path / "a", "slice")} >= {"Misheard"}
    assert not [row for row in kept(tmp_path / "a", "slice") if row["language"] == "en"]
    assert prep("slice", *shared, "--set", "slice.max_misheard=null") == 0
    assert kept(tmp_path / "a", "slice") == rows
    assert _Ear.heard == asked + 2, "another bound hears nothing again but the sample that each run begins with"
    assert prep("report", *shared[:2], "--quiet", "--utterances", 3) == 0
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert 'id="doubtful"' in page
    assert "something else altogether that nobody said" in page
    assert prep("g2p", *shared) == 0
    assert not [row for row in kept(tmp_path / "a", "g2p") if "again" in row or "measures" in row]
    assert prep("slice", *shared, "--set", "transcribe.verify=two") == 0
    assert _Ear.heard == 2 * asked + 2


def test_of_copies_the_first_by_id_stays(voices: Path, tmp_path: Path) -> None:
    doubled = Path(shutil.copytree(voices, tmp_path / "voices"))
    clip = min(doubled.rglob("*.wav"))
    for path in (clip, clip.with_suffix(".txt")):
        shutil.copy(path, path.with_stem("zz-copy"))
    first = to_g2p(doubled, tmp_path / "a")
    assert left_out(tmp_path / "a", "g2p") == []
    unique = to_g2p(doubled, tmp_path / "a", "g2p.unique=true")
    (copy,) = left_out(tmp_path / "a", "g2p")
    assert copy["reason"] == "Duplicate"
    assert (copy["id"], copy["message"]) == (
        str(clip.with_stem("zz-copy").relative_to(doubled)),
        f"the same audio as `{clip.relative_to(doubled)}`",
    )
    assert unique == to_g2p(doubled, tmp_path / "b", "g2p.unique=true")
    assert first == to_g2p(doubled, tmp_path / "a", "g2p.unique=false")


def test_what_needs_measures_says_so(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ("--out", tmp_path / "a", "--scheduler", "sync", "--quiet", "--set", "slice.measure=false")
    assert prep("run", voices, *shared, "--set", "g2p.unique=true") == 2
    assert "`g2p.unique` needs the measures of the audio, but `slice.measure` is false" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert prep("transcribe", voices, *shared) == prep("slice", *shared) == 0
    measured = "--set", "slice.measure=true", "--set", "g2p.unique=true"
    assert prep("g2p", *shared[:-2], *measured) == 2, "it wasn't when `slice` was run"
    assert "Run `valle-prep slice` first, with `slice.measure=true`" in capsys.readouterr().err
    assert prep("slice", *shared, "--set", "slice.dnsmos=sig_bak_ovr.onnx") == 2
    assert "`slice.dnsmos`: needs the measures of the audio" in capsys.readouterr().err


def test_the_store_knows_how_loud_its_utterances_were_made(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, made = tmp_path / "voices", tmp_path / "dataset"
    shutil.copytree(min(voices.rglob("*.wav")).parent, one / "speaker")
    shared = ("--out", made, "--scheduler", "sync", "--quiet", "--set", "encode.codec=embedded")

    def to_store(*sets: str) -> float | None:
        commands = (("transcribe", one), ("slice", *sets), ("g2p",), ("encode",), ("hdf5",))
        assert [prep(*command, *shared) for command in commands] == [0] * len(commands)
        return open_store(made).loudness_lufs

    assert to_store("--set", "slice.loudness_lufs=-1") == -1.0
    rows = kept(made, "slice")
    assert to_store("--set", "slice.loudness_lufs=0") == 0.0
    assert kept(made, "slice") == rows, "their peaks let no cut be as loud"
    (made / "slice" / COMPLETE).unlink()
    assert prep("hdf5", *shared) == 2
    assert "must be finished, because the store records how loud the cuts are" in capsys.readouterr().err
    assert to_store("--set", "slice.loudness_lufs=null") is None
