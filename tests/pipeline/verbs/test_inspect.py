"""`valle-prep inspect` reports one recording or utterance correctly, from the source file to the neighbours."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.dataset.folder import open_dataset
from pipeline.verbs.inspect import inspect, lines
from stages.artefacts.manifest import list_shards, part_paths, read_receipt
from stages.audio.files import write_wav
from stages.store.reader import open_store
from tests.pipeline.conftest import EMBEDDED, RAN, prep

CLIP = "en/alder/alder_01.wav"
STAGE_KEYS = ["stage", "state", "note", "shard", "fingerprint", "version", "parameters", "revision", "items"]
ITEM_KEYS = {
    "transcribe": {"language", "source", "samples", "sample_rate", "timed", "segments", "text"},
    "slice": {"start_samples", "end_samples", "seconds", "language", "text", "gain_db", "measures"},
    "g2p": {"phonemes"},
    "encode": {"codebooks", "frames", "dtype", "first_codes", "sha256", "codec"},
    "hdf5": {"file", "row_in_file", "row", "sha256"},
    "metadata": {"row"},
    "similar": {"neighbours"},
    "mix": {"codebooks", "frames", "dtype", "first_codes", "sha256"},
}


def told(folder: Path, text: str) -> dict[str, Any]:
    return inspect(open_dataset(folder), text)


def stage(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in result["stages"] if one["stage"] == name)


def states(result: dict[str, Any]) -> list[str]:
    return [one["state"] for one in result["stages"]]


def test_the_whole_chain_and_the_keys_that_are_documented(dataset: Path, voices: Path) -> None:
    result = told(dataset, CLIP)
    assert list(result) == ["id", "kind", "recording", "stages"]
    assert (result["id"], result["kind"]) == (CLIP, "recording")
    recording = result["recording"]
    keys = ["id", "path", "bytes", "digest", "state", "group", "speaker", "transcript", "transcript_state"]
    assert list(recording) == keys
    assert recording["digest"] == hashlib.sha256((voices / CLIP).read_bytes()).hexdigest()
    assert (recording["state"], recording["transcript_state"]) == ("unchanged", "unchanged")
    assert [one["stage"] for one in result["stages"]] == list(RAN)
    for one in result["stages"]:
        assert list(one) == STAGE_KEYS
        assert (one["state"], one["note"]) == ("done", ""), one["stage"]
        receipt = read_receipt(dataset / one["stage"], one["shard"])
        assert receipt and one["fingerprint"] == receipt.fingerprint
        [item] = one["items"]
        expected = f"{CLIP}@shifted" if one["stage"] == "mix" else CLIP
        assert (item["id"], item["state"]) == (expected, "done")
        assert set(item) == ITEM_KEYS[one["stage"]] | {"id", "state"}
    json.dumps(result)  # plain values


def test_what_it_shows_is_what_the_dataset_holds(dataset: Path, voices: Path) -> None:
    result = told(dataset, CLIP)
    store = open_store(dataset)
    item = stage(result, "hdf5")["items"][0]
    row = store.row(item["row"])
    assert row.id == CLIP
    assert Path(item["file"]).is_file()
    encode = stage(result, "encode")
    codes_KT = store.codes(item["row"])
    assert encode["items"][0]["sha256"] == item["sha256"] == hashlib.sha256(codes_KT.T.tobytes()).hexdigest()
    assert np.array_equal(encode["items"][0]["first_codes"], codes_KT.T[:4])
    assert (encode["items"][0]["codebooks"], encode["items"][0]["frames"]) == codes_KT.shape
    assert encode["revision"] == encode["items"][0]["codec"]["revision"] == store.codec.revision
    assert encode["parameters"]["codec"] == "embedded"
    assert stage(result, "g2p")["items"][0]["phonemes"] == row.phonemes
    assert stage(result, "slice")["items"][0]["text"] == (voices / CLIP).with_suffix(".txt").read_text().strip()
    assert stage(result, "metadata")["items"][0]["row"]["phonemes"] == row.phonemes
    neighbours = stage(result, "similar")["items"][0]["neighbours"]
    assert [one["id"] for one in neighbours] == [store.ids[n] for n in store.similar(item["row"])]
    assert all(-1 <= one["score"] <= 1 for one in neighbours)


@pytest.mark.parametrize("text", ["alder_01", "alder_01.wav", "lder/alder_01"])
def test_a_part_of_the_name_will_do(dataset: Path, text: str) -> None:
    assert told(dataset, text)["id"] == CLIP


def test_the_command_prints_text_or_json(capsys: pytest.CaptureFixture[str], dataset: Path) -> None:
    assert prep("inspect", "alder_01", "--out", dataset) == 0
    out, err = capsys.readouterr()
    assert not out
    assert [line for line in err.splitlines() if line.startswith(RAN)] == [f"{name}: done" for name in RAN]
    assert prep("inspect", "alder_01", "--out", dataset, "--json") == 0
    assert json.loads(capsys.readouterr().out) == told(dataset, CLIP)


def test_several_matches_are_listed(capsys: pytest.CaptureFixture[str], dataset: Path) -> None:
    assert prep("inspect", "_01.wav", "--out", dataset) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "error: `_01.wav` must name one recording or utterance, but 8 ids contain it: `de/esche/esche_01.wav`"
    )
    assert err.count("_01.wav`") == 9


def test_at_most_ten_matches_are_listed(capsys: pytest.CaptureFixture[str], dataset: Path) -> None:
    assert prep("inspect", "wav", "--out", dataset) == 2
    err = capsys.readouterr().err
    assert err.count(".wav`") == 10
    assert " and 6 more" in err


def test_an_unknown_id_names_what_is_near(capsys: pytest.CaptureFixture[str], dataset: Path) -> None:
    assert prep("inspect", "alder_09.wav", "--out", dataset) == 2
    err = capsys.readouterr().err
    assert "no id matches" in err
    assert f"`{CLIP}`" in err


def test_an_exact_id_is_found_without_reading_other_shards(copy: Path) -> None:
    shard = told(copy, CLIP)["stages"][0]["shard"]
    for path in copy.rglob("*-of-*.jsonl"):
        if not path.name.startswith(shard):
            path.write_text("not JSON\n")
    assert states(told(copy, CLIP)) == ["done"] * len(RAN)


def test_a_source_that_changed_or_is_gone_is_told(copy: Path, voices: Path, tmp_path: Path) -> None:
    moved = tmp_path / "voices"
    shutil.copytree(voices, moved)
    out = ("--out", tmp_path / "d", "--scheduler", "sync", "--quiet")
    assert prep("transcribe", moved, *out) == 0
    (moved / CLIP).write_bytes(b"other")
    (moved / CLIP).with_suffix(".txt").unlink()
    result = told(tmp_path / "d", CLIP)
    assert (result["recording"]["state"], result["recording"]["transcript_state"]) == ("changed", "gone")
    assert states(result) == ["done", *["not run"] * (len(RAN) - 2)], "of optional ones nothing is said"
    assert stage(result, "slice")["note"] == f"run `valle-prep slice --out {tmp_path / 'd'}`"


def test_a_reject_ends_the_chain(voices: Path, tmp_path: Path) -> None:
    broken = tmp_path / "voices"
    shutil.copytree(voices / "en", broken / "en")
    (broken / "en/alder/broken.wav").write_bytes(b"no audio at all")
    (broken / "en/alder/broken.txt").write_text("Nobody says this.\n")
    out = ("--out", tmp_path / "d", "--scheduler", "sync", "--quiet")
    assert prep("run", broken, *out, *EMBEDDED) == 3
    result = told(tmp_path / "d", "broken")
    assert states(result) == ["left out", *["not reached"] * (len(RAN) - 1)]
    [item] = result["stages"][0]["items"]
    assert set(item) == {"id", "state", "reason", "message", "hint"}
    assert (item["id"], item["state"]) == ("en/alder/broken.wav", "rejected")
    receipt = read_receipt(tmp_path / "d" / "transcribe", result["stages"][0]["shard"])
    assert receipt and receipt.rejected == {item["reason"]: 1}
    assert item["message"]
    blocks = "\n".join(lines(result)).split("\n\n")
    [block] = [block for block in blocks if block.startswith("transcribe: left out")]
    assert "rejected:" in block
    assert item["reason"] in block


def test_a_recording_in_pieces(voices: Path, tmp_path: Path) -> None:
    import soundfile

    cut = tmp_path / "voices" / "en" / "alder"
    cut.mkdir(parents=True)
    waves = [soundfile.read(voices / f"en/alder/alder_0{n}.wav") for n in (1, 2)]
    rate = waves[0][1]
    texts = [(voices / f"en/alder/alder_0{n}.txt").read_text().strip() for n in (1, 2)]
    border = len(waves[0][0]) / rate
    end = border + len(waves[1][0]) / rate
    soundfile.write(cut / "both.wav", np.concatenate([wave for wave, _ in waves] + [np.zeros(rate)]), rate)
    segments = [(0, border, texts[0]), (border, end, texts[1]), (end + 0.3, end + 0.6, "Oh.")]
    rows = [{"start": a, "end": b, "text": text} for a, b, text in segments]
    (cut / "both.json").write_text(json.dumps({"language": "en", "segments": rows}))
    out = ("--out", tmp_path / "d", "--scheduler", "sync", "--quiet", "--set", "slice.join_s=0", *EMBEDDED)
    assert prep("run", tmp_path / "voices", *out) == 0
    result = told(tmp_path / "d", "both")
    pieces = stage(result, "slice")["items"]
    assert [piece["state"] for piece in pieces] == ["done", "done", "filtered"]
    assert pieces[2]["reason"] == "TooShort"
    assert [item["id"] for item in stage(result, "encode")["items"]] == [piece["id"] for piece in pieces[:2]]
    one = told(tmp_path / "d", pieces[1]["id"])
    assert one["kind"] == "utterance"
    assert [len(found["items"]) for found in one["stages"]] == [1] * len(RAN)
    assert stage(one, "g2p")["items"][0]["id"] == pieces[1]["id"]
    short = told(tmp_path / "d", pieces[2]["id"])
    assert states(short) == ["done", "left out", *["not reached"] * 6]
    assert told(tmp_path / "d", pieces[1]["id"].partition("#")[2])["id"] == pieces[1]["id"]


def test_shards_that_are_missing_damaged_or_old(copy: Path) -> None:
    shard = told(copy, CLIP)["stages"][0]["shard"]
    (copy / "metadata" / f"{shard}.json").unlink()
    paths = part_paths(copy / "encode", shard, ["rows.jsonl"])
    paths["rows.jsonl"].write_text("{")
    result = told(copy, CLIP)
    assert stage(result, "metadata")["state"] == "not finished"
    assert stage(result, "encode")["state"] == "damaged"
    assert f"run `valle-prep encode --out {copy}`" in stage(result, "encode")["note"]
    assert stage(result, "g2p")["state"] == "done"


def test_a_stage_older_than_the_one_before(copy: Path) -> None:
    out = ("--out", copy, "--scheduler", "sync", "--quiet")
    assert prep("g2p", *out, "--set", "g2p.stress=false") == 0
    result = told(copy, CLIP)
    assert states(result) == ["done", "done", "done", "out of date", *["done"] * 4]
    assert f"run `valle-prep encode --out {copy}`" in stage(result, "encode")["note"]
    assert stage(result, "g2p")["parameters"]["stress"] is False


def test_what_a_stage_was_run_with_is_told_and_not_what_is_here_now(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.g2p import G2p

    before = stage(told(copy, CLIP), "g2p")
    monkeypatch.setattr(G2p, "version", 99)
    monkeypatch.setattr(G2p, "revision", lambda _: "another espeak")
    assert stage(told(copy, CLIP), "g2p") == before
    (copy / "g2p" / "stage.json").unlink()
    assert [stage(told(copy, CLIP), "g2p")[key] for key in ("version", "parameters", "revision")] == [None] * 3


def test_without_recordings(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shard in list_shards(copy / "recordings"):
        (copy / "recordings" / f"{shard}.json").unlink()
    assert prep("inspect", CLIP, "--out", copy) == 2
    assert "valle-prep transcribe VOICES" in capsys.readouterr().err


def test_what_was_taken_out_of_a_text_and_what_is_bad_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voices, out = tmp_path / "voices", tmp_path / "out"
    voices.mkdir()
    write_wav(voices / "a.wav", np.sin(np.arange(32_000) / 9).astype(np.float32) / 9, 8_000)
    segments = [{"start": 0.0, "end": 3.0, "text": "[Music] Hello there."}, {"start": 3.5, "end": None, "text": "you"}]
    (voices / "a.json").write_text(json.dumps({"language": "en", "segments": segments}))
    for command in (("transcribe", voices), ("slice",)):
        prep(*command, "--out", out, "--scheduler", "sync", "--quiet")
    result = told(out, "a.wav")
    [item] = stage(result, "transcribe")["items"]
    assert item["taken"] == [{"kind": "sounds", "count": 1, "examples": ["[Music]"]}]
    assert [(one["name"], one["reason"]) for one in item["bad"]] == [("segments[1]", "BadTimes")]
    found = {(one["state"], one.get("reason", "")) for one in stage(result, "slice")["items"]}
    assert found == {("done", ""), ("rejected", "BadTimes")}
    assert "taken out of the texts: sounds 1 ([Music])" in caplog.text
