"""Tests that a dataset is made from cleaned recordings throughout, or not at all."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.folder import open_dataset
from stages import clean
from stages.artefacts.formats import rows_of
from stages.artefacts.manifest import list_shards
from stages.audio import files as audio
from stages.cleaning import table
from stages.cleaning.cleaner import CleanerRow
from stages.errors import AudioError
from stages.records import Wave
from tests.pipeline.conftest import digests, prep

HALF = "--set", "clean.cleaner=half"


class Half:
    """A cleaner that halves a wave."""

    sample_rate = None
    piece_s, context_s = 0.5, 0.1

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        return wave / 2


@pytest.fixture(autouse=True)
def _half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.CLEANERS, "half", CleanerRow("half", "", "", lambda _: Half(), lambda _: "half 1"))


@pytest.fixture
def few(voices: Path, tmp_path: Path) -> Path:
    """Four recordings of one speaker."""
    speaker = sorted({path.parent for path in voices.rglob("*.wav")})[0]
    folder = tmp_path / "voices"
    shutil.copytree(speaker, folder / "g" / "ann")
    for clip in list((folder / "g" / "ann").glob("*")):
        shutil.copy(clip, clip.with_stem(f"{clip.stem}-again"))
    return folder


def run(out: Path, voices: Path, *more: str, stages: Sequence[str] = ("clean", "transcribe", "slice")) -> None:
    for name in stages:
        given = [voices] if name in {"clean", "transcribe"} else []
        assert prep(name, *given, "--out", out, "--scheduler", "sync", "--quiet", *more) == 0


def peaks(out: Path) -> dict[str, float]:
    folder = out / "slice"
    return {row["id"]: row["measures"]["peak"] for row in rows_of(folder, list_shards(folder))}


def test_every_later_stage_reads_the_cleaned_sound(few: Path, tmp_path: Path) -> None:
    sounds = digests(few)
    plain, cleaned = tmp_path / "plain", tmp_path / "cleaned"
    run(plain, few, stages=("transcribe", "slice"))
    run(cleaned, few, *HALF)
    assert digests(few) == sounds, "the recordings stay untouched"
    before, after = peaks(plain), peaks(cleaned)
    assert before.keys() == after.keys()
    assert len(before) == 4
    assert all(after[name] == pytest.approx(before[name] / 2, abs=1e-4) for name in before)
    head = json.loads((plain / "dataset.json").read_text())
    assert "clean" not in head["config"]
    assert not (plain / "clean").exists()
    dataset = open_dataset(cleaned)
    assert dataset.cleaner == "half"
    name = next(iter(before)).partition("#")[0]
    heard, given = audio.read(dataset.sound(name))[0], audio.read(few / name)[0]
    assert np.allclose(heard, given / 2, atol=1e-6)


def test_a_second_run_does_nothing_and_damage_is_mended(few: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    run(out, few, *HALF)
    first = digests(out)
    assert not list((out / "clean").glob(".*")), "nothing is left aside"
    assert prep("clean", few, "--out", out, "--scheduler", "sync", *HALF) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert prep("validate", "--out", out, "--deep") == 0
    largest = max((out / "clean").glob("*.audio.tar"), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    for damaged in (content[:-3000], content[:2000] + b"x" + content[2001:], None):
        largest.unlink()
        if damaged is not None:
            largest.write_bytes(damaged)
        assert prep("validate", "--out", out) == 1
        assert f"clean/{largest.name}" in capsys.readouterr().err
        run(out, few, *HALF)
        assert digests(out) == first


def test_a_killed_run_goes_on_where_it_was(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dataset.recordings.shard_count", lambda _: 1)
    monkeypatch.setattr("pipeline.runner.shard._SAVE_EVERY_S", 0.0)
    run(tmp_path / "whole", few, *HALF)
    out, honest, seen = tmp_path / "out", clean.Clean._clean, []

    def dies(self, recording):
        if recording.speaker != "speaker":  # not the sample of before the run
            seen.append(recording.id)
            if len(seen) == 3:
                raise KeyboardInterrupt
        return honest(self, recording)

    monkeypatch.setattr(clean.Clean, "_clean", dies)
    assert prep("clean", few, "--out", out, "--scheduler", "sync", "--quiet", *HALF) == 130
    assert list((out / "clean").glob(".*.part0.audio.tar")), "what was cleaned is saved"
    run(out, few, *HALF)
    assert len(set(seen)) == 4
    assert seen.count(seen[0]) == 1, "and isn't cleaned again"
    assert digests(out) == digests(tmp_path / "whole")
    assert not list((out / "clean").glob(".*"))


def test_turning_it_off_and_on_makes_everything_again(few: Path, tmp_path: Path, capsys) -> None:
    plain, out = tmp_path / "plain", tmp_path / "out"
    run(plain, few, stages=("transcribe", "slice"))
    run(out, few, *HALF)
    with_it = digests(out)
    run(out, few, "--set", "clean.cleaner=null", stages=("transcribe", "slice"))
    assert prep("validate", "--out", out) == 0
    assert prep("status", "--out", out, "--json") == 0
    assert "clean" not in {stage["stage"] for stage in json.loads(capsys.readouterr().out)["stages"]}
    without = {name: digest for name, digest in digests(out).items() if not name.startswith("clean/")}
    assert without == digests(plain)
    run(out, few, *HALF)
    assert digests(out) == with_it
    capsys.readouterr()
    assert prep("slice", "--out", out, "--set", "clean.cleaner=gate") == 2
    assert "which was made with `half`" in capsys.readouterr().err
    assert prep("slice", "--out", plain, *HALF) == 2
    assert "which was made without one" in capsys.readouterr().err


def test_what_is_read_is_never_a_mix_of_both(few: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert prep("transcribe", few, "--out", out, "--scheduler", "sync", *HALF) == 2
    assert "Run `valle-prep clean VOICES" in capsys.readouterr().err
    run(out, few, stages=("transcribe", "slice"))
    run(out, few, *HALF, stages=("clean",))
    assert prep("slice", "--out", out, "--scheduler", "sync") == 2
    assert "`transcribe`" in (told := capsys.readouterr().err)
    assert "is older than that of `clean`" in told
    run(out, few, stages=("transcribe", "slice"))
    name = next(iter(peaks(out))).partition("#")[0]
    for path in (out / "clean").glob("*.audio.tar"):
        path.unlink()
    with pytest.raises(AudioError, match="isn't in"):
        open_dataset(out).sound(name)
