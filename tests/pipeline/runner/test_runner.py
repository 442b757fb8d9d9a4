"""The guarantees of the runner, on real stages: finished work is never redone, damaged work is made again."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.runner.plan import _overlapping
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import list_shards, read_receipt, shard_count, shard_name
from stages.audio import files as audio
from stages.errors import MissingInputError
from stages.g2p import G2p
from stages.hdf5 import Hdf5
from stages.store.reader import open_store
from tests.pipeline.conftest import EMBEDDED, RAN, digests, prep


def made(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, int]:
    """Runs a command with `--json`; returns how many shards each stage made."""
    capsys.readouterr()
    prep(*arguments, "--json", "--scheduler", "sync")
    return {stage["stage"]: stage["shards_made"] for stage in json.loads(capsys.readouterr().out)["stages"]}


NOTHING = dict.fromkeys(RAN, 0)


def test_nothing_is_done_twice(voices: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(copy)
    assert made(capsys, "run", voices, "--out", copy, *EMBEDDED) == NOTHING
    assert digests(copy) == before


def test_neither_touching_nor_moving_redoes_anything(
    voices: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Path(shutil.copytree(voices, tmp_path / "moved"))
    for path in moved.rglob("*"):
        path.touch()
    renamed = copy.rename(tmp_path / "renamed")
    batches = ("--set", "encode.batch_size=3", "--set", "transcribe.batch_size=1")
    assert made(capsys, "run", moved, "--out", renamed, *EMBEDDED, *batches) == NOTHING


def test_stage_by_stage_gives_the_same_bytes(voices: Path, dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "by-stage"
    shared = ("--out", folder, "--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("transcribe", voices, *shared) == 0
    for stage in RAN[1:]:
        assert prep(stage, *shared) == 0
    assert digests(folder) == digests(dataset)


def test_a_parameter_redoes_its_stage_and_what_follows(
    voices: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = len(list_shards(copy / "slice"))
    changed = made(capsys, "run", voices, "--out", copy, *EMBEDDED, "--set", "g2p.stress=false")
    assert [changed[name] for name in ("transcribe", "slice")] == [0, 0]
    assert changed["g2p"] == shards
    assert changed["encode"] > 0


def test_a_parameter_of_the_end_redoes_the_end_alone(
    voices: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (copy / "similar" / "neighbours.npz").read_bytes()
    assert made(capsys, "run", voices, "--out", copy, *EMBEDDED, "--top-k", 2) == NOTHING
    assert (copy / "similar" / "neighbours.npz").read_bytes() != before


@pytest.mark.parametrize("damage", ["flip", "truncate", "append", "delete", "receipt"])
def test_a_damaged_artefact_is_noticed_and_only_it_is_made_again(
    voices: Path, copy: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    before = digests(copy)
    path = max((copy / "encode").glob("*.npy"), key=lambda path: (path.name != "embeddings.npy", path.stat().st_size))
    data = bytearray(path.read_bytes())
    match damage:
        case "flip":
            data[-1] ^= 1
            path.write_bytes(data)
        case "truncate":
            path.write_bytes(data[:-2])
        case "append":
            path.write_bytes(data + b"\0\0")
        case "delete":
            path.unlink()
        case "receipt":
            path.with_name(f"{path.name.partition('.')[0]}.json").write_text("{")
    assert made(capsys, "run", voices, "--out", copy, *EMBEDDED) == {**NOTHING, "encode": 1}
    assert digests(copy) == before


def test_a_damaged_index_is_made_again(voices: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(copy)
    (copy / "hdf5" / "index.h5").unlink()
    (copy / "metadata" / "summary.json").write_text("{}")
    assert made(capsys, "run", voices, "--out", copy, *EMBEDDED) == NOTHING
    assert digests(copy) == before


def test_adding_and_removing_a_recording_touches_its_row_alone(
    voices: Path, copy: Path, tmp_path: Path, dataset: Path
) -> None:
    grown = Path(shutil.copytree(voices, tmp_path / "grown"))
    clip = next(grown.rglob("*.wav"))
    for path in (clip, clip.with_suffix(".txt")):
        shutil.copy(path, path.with_stem("added"))
    run = ("--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("run", grown, *run) == 0
    scratch = tmp_path / "scratch"
    assert prep("run", grown, "--out", scratch, "--scheduler", "sync", "--quiet", *EMBEDDED) == 0
    assert digests(copy) == digests(scratch)
    assert prep("run", voices, *run) == 0
    assert digests(copy) == digests(dataset)


def test_what_is_added_is_all_that_is_processed(
    voices: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = Path(shutil.copytree(voices, tmp_path / "grown"))
    clip = next(grown.rglob("*.wav"))
    for path in (clip, clip.with_suffix(".txt")):
        shutil.copy(path, path.with_stem("added"))
    honest, seen = G2p.process, []
    monkeypatch.setattr(G2p, "process", lambda stage, items: seen.extend(items) or honest(stage, items))
    assert prep("run", grown, "--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED) == 0
    assert [Path(item.id).name for item in seen if not item.id.startswith("sample/")] == ["added.wav"]


@pytest.mark.parametrize("more", [64 * 16, 64 * 16 + 1])
def test_finished_rows_are_carried_over_to_another_number_of_shards(more: int, copy: Path) -> None:
    shard = list_shards(copy / "g2p")[0]
    total = shard_count(more)
    names = {shard_name(index, total) for index in range(total)}
    found = set(_overlapping(shard, names, {total}))
    assert found == {name for name in names if int(name[:5]) * 16 // total == 0}


def test_what_a_killed_run_leaves_is_swept_away(voices: Path, copy: Path) -> None:
    before = digests(copy)
    shard = list_shards(copy / "g2p")[0]
    (copy / "g2p" / f".{shard}.attempt.tmp").write_text("{")
    (copy / "g2p" / f".{shard}.0123.tmp.rows.jsonl").write_text("half a li")
    (copy / "g2p" / f"{shard}.json").unlink()
    assert prep("run", voices, "--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED) == 0
    assert digests(copy) == before


def test_every_item_is_accounted_for(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = Path(shutil.copytree(voices, tmp_path / "mixed"))
    clip = next(mixed.rglob("*.wav"))
    speaker = clip.parent
    (speaker / "empty.wav").touch()
    (speaker / "text.wav").write_text("no audio")
    (speaker / "dangling.wav").symlink_to("nowhere.wav")
    shutil.copy(clip, speaker / "untold.wav")
    (speaker / "untold.txt").unlink(missing_ok=True)
    out = tmp_path / "dataset"
    code = prep("run", mixed, "--out", out, "--scheduler", "sync", "--json", *EMBEDDED, "--set", "slice.min_s=1.6")
    assert code == 3
    stages = {stage["stage"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    assert stages["transcribe"]["inputs"] == len(list(mixed.rglob("*.wav")))
    assert sum(stages["transcribe"]["rejected"].values()) == 4
    assert stages["slice"]["filtered"]["TooShort"] > 0
    for name, after in pairwise(RAN):
        stage = stages[name]
        assert stage["pieces"] == stage["outputs"] + sum(stage["filtered"].values()) + sum(stage["rejected"].values())
        if after in {"slice", "g2p", "encode", "hdf5"}:
            assert stages[after]["inputs"] == stage["outputs"]
    rows = [row for path in (out / "transcribe").glob("*.out.jsonl") for row in read_lines(path)]
    assert {row["item"].rpartition("/")[2] for row in rows} == {"empty.wav", "text.wav", "dangling.wav", "untold.wav"}
    assert all(row["reason"] and row["message"] and row["stage"] == "transcribe" for row in rows)


def test_a_dry_run_writes_nothing(voices: Path, tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prep("run", voices, "--out", tmp_path / "none", "--dry-run", "--json", *EMBEDDED) == 0
    assert not (tmp_path / "none").exists()
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan[0]["to_do"] == len(list_shards(copy / "transcribe"))
    before = digests(copy)
    assert prep("run", voices, "--out", copy, "--dry-run", "--json", *EMBEDDED, "--set", "g2p.stress=false") == 0
    plan = {row["stage"]: row for row in json.loads(capsys.readouterr().out)["plan"]}
    assert plan["slice"]["to_do"] == 0
    assert plan["g2p"]["why"].keys() == {"inputs or parameters changed"}
    assert plan["encode"]["to_do"] is None
    assert digests(copy) == before


def test_a_limit_takes_the_first_recordings(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", tmp_path / "dataset", "--scheduler", "sync")
    assert prep("transcribe", voices, *out, "--json", "--limit", 5) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["inputs"] == 5
    assert prep("slice", *out, "--json", "--limit", 2) == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["inputs"] == 2


def test_receipts_tell_the_audio(dataset: Path) -> None:
    receipts = [read_receipt(dataset / "slice", shard) for shard in list_shards(dataset / "slice")]
    rows = [row for path in (dataset / "slice").glob("*.rows.jsonl") for row in read_lines(path)]
    seconds = sum((row["end_samples"] - row["start_samples"]) / row["sample_rate"] for row in rows)
    assert sum(receipt.audio_s for receipt in receipts if receipt) == pytest.approx(seconds, abs=1e-3)


def test_changed_audio_of_the_same_length_is_encoded_again(voices: Path, copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(voices, tmp_path / "other"))
    clip = next(other.rglob("*.wav"))
    wave, rate = audio.read(clip)
    audio.write_wav(clip, wave[::-1], rate)
    run = ("--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("run", other, "--out", copy, *run) == 0
    scratch = tmp_path / "scratch"
    assert prep("run", other, "--out", scratch, *run) == 0
    assert digests(copy) == digests(scratch)


def test_a_stage_refuses_what_is_older_than_its_source(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ("--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED)
    assert prep("g2p", *shared, "--set", "g2p.stress=false") == 0
    for stage in ("hdf5", "similar"):
        assert prep(stage, *shared) == 2
        assert "older than that of `g2p`. Run `valle-prep encode" in capsys.readouterr().err
    assert prep("encode", *shared) == 0
    assert prep("similar", *shared) == 2
    assert "Run `valle-prep hdf5" in capsys.readouterr().err


def test_no_index_describes_shards_that_are_gone(
    voices: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = Path(shutil.copytree(voices, tmp_path / "fewer"))
    for clip in sorted(fewer.rglob("*.wav"))[:3]:
        clip.unlink()
    monkeypatch.setattr(Hdf5, "finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prep("run", fewer, "--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED)
    with pytest.raises(MissingInputError, match="valle-prep hdf5"):
        open_store(copy)


@pytest.mark.parametrize("lose", [lambda outcomes: outcomes[:-1], lambda outcomes: outcomes + outcomes[:1]])
def test_a_stage_that_loses_or_doubles_items_never_completes(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lose: Callable[[list], list]
) -> None:
    honest = G2p.process
    monkeypatch.setattr(G2p, "process", lambda stage, items: lose(honest(stage, items)))
    changed = ("--set", "g2p.punctuation=false")
    assert prep("g2p", "--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED, *changed) == 1
    assert "items but returned" in capsys.readouterr().err
    assert not (copy / "g2p" / "stage.json").exists()


def test_a_mistaken_folder_or_limit_leaves_the_dataset_alone(
    voices: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(copy), (copy / "dataset.json").read_bytes()
    other = tmp_path / "other" / "someone"
    other.mkdir(parents=True)
    shutil.copy(next(voices.rglob("*.wav")), other / "else.wav")
    for arguments in ((tmp_path / "typo",), (other.parent,), (voices, "--limit", 2)):
        assert prep("run", *arguments, "--out", copy, "--quiet", *EMBEDDED) == 2
    assert (digests(copy), (copy / "dataset.json").read_bytes()) == before


def test_recordings_that_are_gone_are_no_reason_to_reject_them_all(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = Path(shutil.copytree(voices, tmp_path / "voices"))
    shared = ("--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet")
    assert prep("transcribe", moved, *shared) == 0
    moved.rename(tmp_path / "elsewhere")
    assert prep("slice", *shared) == 2
    assert "isn't there. Bring it back" in capsys.readouterr().err
    assert prep("transcribe", tmp_path / "elsewhere", *shared) == 0
    assert prep("slice", *shared) == 0
