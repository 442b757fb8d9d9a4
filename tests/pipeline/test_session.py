"""Problems reported before a run, remembered settings, dry runs and retries."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.folder import HEAD, open_dataset, stored_config
from pipeline.runner.estimate import Estimate, Expected, bytes_per_item, expected
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import list_shards, read_receipt, read_sealed, remove_shard, write_sealed
from stages.audio import files as audio
from stages.errors import ExitCode
from tests.pipeline.conftest import EMBEDDED, RAN, digests, prep

PLAN_KEYS = {"stage", "to_do", "kept", "items", "hours", "seconds", "bytes", "why", "shards"}


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]


def test_all_problems_are_told_at_once_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "file"
    out.touch()
    weights = ("--set", "encode.codec=dac", "--set", f"encode.weights={tmp_path / 'none.pth'}")
    assert prep("run", tmp_path / "none", "--out", out, "--scheduler", "lokal", *weights) == 2
    found = errors(capsys)
    for part in ("--scheduler", "--out", "must be a folder of recordings", "none.pth"):
        assert sum(part in line for line in found) == 1, part
    assert list(tmp_path.iterdir()) == [out]


def test_a_single_problem_keeps_its_own_exit_code(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ("--set", "encode.codec=dac", "--set", f"encode.weights={tmp_path / 'none.pth'}")
    assert prep("run", voices, "--out", tmp_path / "d", "--scheduler", "sync", "--quiet", *weights) == 1
    assert "none.pth" in errors(capsys)[0]


def test_a_dry_run_shows_each_stage_with_documented_keys(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep("run", voices, "--out", tmp_path / "d", "--dry-run", "--json", *EMBEDDED) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert [row["stage"] for row in plan] == list(RAN)
    assert all(row.keys() == PLAN_KEYS for row in plan)
    recordings = len(list(voices.rglob("*.wav")))
    assert [row["items"] for row in plan] == [recordings] * len(RAN)
    assert plan[0]["seconds"] is None, "it never ran here"
    assert 0 < plan[0]["hours"] < 1
    assert sum(shard["items"] for shard in plan[0]["shards"]) == recordings


def test_what_a_run_took_is_what_the_next_will_take(voices: Path, copy: Path) -> None:
    (copy / ".rates.json").write_text(json.dumps({"encode": 2.0}))
    cost = Estimate(copy).cost(open_dataset(copy), "encode", Expected(10, 36.0))
    assert (cost.items, cost.hours, cost.seconds) == (10, 0.01, 20.0)
    size = sum(path.stat().st_size for path in (copy / "encode").glob("*-of-*.*") if path.suffix != ".json")
    assert bytes_per_item(copy / "encode", "encode") == pytest.approx(size / len(list(voices.rglob("*.wav"))), abs=1)
    clips = [row for path in (copy / "transcribe").glob("*.rows.jsonl") for row in read_lines(path)]
    seconds = sum(row["samples"] / row["sample_rate"] for row in clips)
    found = expected(open_dataset(copy), {"slice": None})
    assert found["slice"].audio_s == pytest.approx(seconds, rel=0.01)
    assert found["slice"].items == len(clips)


def test_room_is_asked_for_what_is_left(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def room() -> dict[str, int]:
        capsys.readouterr()
        assert prep("run", read_sealed(copy / "dataset.json")["voices"], "--out", copy, "--dry-run", "--json") == 0
        return {row["stage"]: row["bytes"] for row in json.loads(capsys.readouterr().out)["plan"]}

    assert set(room().values()) == {0}
    shards = [shard for shard in list_shards(copy / "encode") if read_receipt(copy / "encode", shard).inputs]
    remove_shard(copy / "encode", shards[0])
    one = room()
    assert one["slice"] == 0 < one["encode"]
    for shard in shards[1:]:
        remove_shard(copy / "encode", shard)
    every = room()
    assert every["encode"] > 2 * one["encode"]
    assert every["similar"] > 2 * one["similar"] > 0


def test_utterances_are_reckoned_by_the_hours_of_audio(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 60 * 8000).astype(np.float32)
    audio.write_wav(tmp_path / "voices" / "ann" / "long.wav", wave, 8000)
    (tmp_path / "voices" / "ann" / "long.txt").write_text("A long text.")
    assert prep("transcribe", tmp_path / "voices", "--out", tmp_path / "d", "--scheduler", "sync", "--quiet") == 0
    assert expected(open_dataset(tmp_path / "d"), {"slice": None})["slice"] == Expected(12, 60.0)


def test_the_configuration_is_remembered_stage_by_stage(copy: Path) -> None:
    assert stored_config(copy).encode.codec == "embedded"
    shared = ("--out", copy, "--scheduler", "sync", "--quiet")
    assert prep("similar", *shared, "--top-k", 2) == 0
    config = stored_config(copy)
    assert (config.encode.codec, config.similar.top_k) == ("embedded", 2)


@pytest.mark.parametrize(("codec", "kept"), [("encodec", True), ("dac", True), ("embedded", False)])
def test_a_dataset_older_than_a_key_keeps_its_codes(copy: Path, codec: str, kept: bool) -> None:
    head = read_sealed(copy / HEAD)
    head["config"]["encode"] |= {"codec": codec}
    del head["config"]["encode"]["exact"]
    write_sealed(copy / HEAD, head)
    assert stored_config(copy).encode.exact == kept
    head["config"]["encode"]["exact"] = False
    write_sealed(copy / HEAD, head)
    assert not stored_config(copy).encode.exact


def test_a_dry_run_fetches_nothing(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from encodec import EncodecModel

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(EncodecModel, "encodec_model_24khz", lambda **_: pytest.fail("it was fetched"))
    voices, other = read_sealed(copy / "dataset.json")["voices"], ("--set", "encode.codec=encodec")
    assert prep("run", voices, "--out", copy, "--dry-run", "--json", *other) == 0
    rows = {row["stage"]: row for row in json.loads(capsys.readouterr().out)["plan"]}
    assert list(rows["encode"]["why"]) == ["its weights aren't downloaded yet"]
    assert list(rows["hdf5"]["why"]) == ["an earlier stage changes"]
    assert rows["encode"]["items"] == len(list(Path(voices).rglob("*.wav")))


def test_a_dry_run_tells_that_a_model_cannot_hear_the_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.hearing import english

    audio.write_wav(tmp_path / "voices" / "ann" / "one.wav", np.zeros(8000, np.float32), 8000)
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.json"):
        (model / name).write_text("[]")
    monkeypatch.setattr(english, "speaks_only_english", lambda _: True)
    shared = ("run", tmp_path / "voices", "--out", tmp_path / "d", "--dry-run", "--scheduler", "sync")
    language = ("--set", "transcribe.language=de")
    assert prep(*shared, *language, "--set", f"transcribe.model={model}") == ExitCode.FAILED
    assert "knows only English: `de` (1 recordings)" in capsys.readouterr().err
    assert prep(*shared, *language, "--set", "transcribe.model=/nonexistent") == ExitCode.FAILED
    assert "`/nonexistent` isn't there" in capsys.readouterr().err
    assert prep(*shared, *language, "--set", "transcribe.model=small") == 0  # the run downloads it


def test_what_a_dataset_was_made_with_holds_until_something_else_is_said(
    voices: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(copy)
    shared = ("--out", copy, "--scheduler", "sync")
    for command in (("encode",), ("run", voices)):
        assert prep(*command, *shared) == 0
        shown = capsys.readouterr().err
        assert "kept from the last run (change with `--set` or `--config`): encode.codec=embedded" in shown
        assert "nothing to do" in shown
    (copy / "dataset.json").write_text("{}")  # then the stages tell it
    assert prep("run", voices, *shared) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert prep("g2p", *shared, "--set", "g2p.stress=false") == 0
    assert "kept from the last run" not in capsys.readouterr().err
    (tmp_path / "prep.yaml").write_text("encode: {codec: embedded}\nmix: {shift: true}\n")
    assert prep("run", voices, *shared, "--config", tmp_path / "prep.yaml") == 0
    assert digests(copy) == before


def test_only_what_was_rejected_is_tried_again(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.g2p import G2p

    mixed = Path(shutil.copytree(voices, tmp_path / "voices"))
    clip = next(mixed.rglob("*.wav"))
    out = ("--out", tmp_path / "dataset", "--scheduler", "sync", "--quiet")
    honest = G2p.process
    seen: list[str] = []

    def moody(stage: G2p, items: list) -> list:
        seen.extend(item.id for item in items)
        if any(item.id.endswith(clip.name) and len(seen) < 10**6 and angry for item in items):
            raise MemoryError
        return honest(stage, items)

    angry = True
    monkeypatch.setattr(G2p, "process", moody)
    assert prep("run", mixed, *out, *EMBEDDED, "--set", "g2p.stress=false") == 3
    [reject] = read_lines(tmp_path / "dataset" / "g2p" / "rejects.jsonl")
    assert reject.keys() == {"id", "path", "stage", "reason", "message", "hint"}
    assert (reject["reason"], reject["stage"], reject["path"]) == ("OutOfMemory", "g2p", reject["id"])
    assert "valle-prep retry --reason OutOfMemory" in reject["hint"]

    angry = False
    assert prep("run", mixed, *out, *EMBEDDED, "--set", "g2p.stress=false") == 3, "a reject isn't tried again unasked"
    seen.clear()
    capsys.readouterr()
    assert prep("retry", *out, "--reason", "NoTranscript") == 2
    assert "`OutOfMemory`" in capsys.readouterr().err
    assert prep("retry", *out) == 0
    assert [name for name in seen if not name.startswith("sample/")] == [reject["id"]]
    monkeypatch.setattr(G2p, "process", honest)
    whole = tmp_path / "whole"
    assert prep("run", mixed, "--out", whole, *out[2:], *EMBEDDED, "--set", "g2p.stress=false") == 0
    assert digests(tmp_path / "dataset") == digests(whole)


def test_a_head_that_was_altered_is_noticed(voices: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = copy / "dataset.json"
    sound = head.read_bytes()
    head.write_bytes(sound.replace(b"embedded", b"encodec"))
    assert prep("slice", "--out", copy, "--quiet") == 1
    assert "dataset.json` is damaged" in errors(capsys)[0]
    assert prep("run", voices, "--out", copy, "--scheduler", "sync", "--quiet", *EMBEDDED) == 0
    assert head.read_bytes() == sound


def test_sealed_records_hold_what_they_were_given(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", {"b": [1, "ü"]})
    assert read_sealed(tmp_path / "a.json") == {"b": [1, "ü"]}
    text = (tmp_path / "a.json").read_text()
    for broken in (text.replace("1", "2"), text[:-3], "[]", ""):
        (tmp_path / "a.json").write_text(broken)
        assert read_sealed(tmp_path / "a.json") == {}
    assert read_sealed(tmp_path / "none.json") == {}
