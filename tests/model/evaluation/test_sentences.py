"""The lists are fixed by hashes; the report joins what `valle eval` left, and knows voices apart."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoints import saving
from model.evaluation import sentences
from model.evaluation.evaluate import MODEL, RESYNTHESIS, TRUTH
from model.evaluation.protocols import read_trials
from model.evaluation.rows import wave_path
from model.evaluation.sentences import Recording, by_hash, list_of, main, report, write_lists
from stages.audio.files import write_wav
from stages.errors import MissingInputError, UsageError, ValleError
from stages.ids import split_of
from stages.records import Encoded, Utterance
from stages.store.index import write_index
from stages.store.shards import StoreShards
from stages.text.shared import folded
from tests.model.conftest import CODEC, make_config, make_snapshot

PITCH = {"anna": 200.0, "ben": 100.0, "carl": 400.0}
RATE = 16_000


def hum(speaker: str, seconds: float = 2.5) -> np.ndarray:
    wave: np.ndarray = 0.3 * np.sin(2 * np.pi * PITCH[speaker] * np.arange(round(seconds * RATE)) / RATE)
    return wave.astype(np.float32)


class Ear:
    """In place of the speaker encoder: the loudest pitch as one of three directions, with a little of its length."""

    name = "ear"

    def embed(self, wave: np.ndarray) -> np.ndarray:
        loudest = np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave)
        vector = np.array([abs(loudest - pitch) < 20 for pitch in PITCH.values()], np.float32) + 0.1
        return vector / np.linalg.norm(vector)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "held-out"
    for speaker in PITCH:
        for number in range(4 if speaker != "carl" else 1):
            write_wav(folder / speaker / f"{number}.wav", hum(speaker), RATE)
            (folder / speaker / f"{number}.txt").write_text(f"Sentence {number}.\n")
    return folder


def test_lists_name_another_recording_of_the_speaker(recordings: Path) -> None:
    (path,) = write_lists(recordings.parent, None, 5)
    trials = read_trials("own", path, root=Path("/"))
    assert len(trials) == 5
    for trial in trials:
        speaker = trial.id.partition("/")[0]
        assert speaker != "carl", "no other recording to prompt with"
        assert trial.prompt.path.parent.name == speaker
        assert trial.prompt.path != trial.truth
        assert (trial.prompt.length_s, trial.language, trial.prompt_text) == (3.0, "en", None)
        assert trial.truth
        assert trial.text == trial.truth.with_suffix(".txt").read_text().strip()
    ranked = by_hash([Recording(Path(f"/x/{n}.wav"), "T") for n in range(9)])
    assert ranked == by_hash(ranked[::-1])
    assert list_of(ranked, shouted=False, most=3) == "".join(list_of(ranked, shouted=False).splitlines(True)[:3])


def test_librispeech_is_of_2_to_12_s_and_in_small_letters(recordings: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    for number, seconds in enumerate((1.9, 2.1, 11.9, 12.1)):
        write_wav(real / "7" / f"{number}.flac", hum("anna", seconds), RATE)
        (real / "7" / f"{number}.txt").write_text("IT ISN'T SO\n")
    (real / "7" / "notes.flac").write_bytes(b"without a text")
    _, path = write_lists(recordings.parent, real, 50)
    trials = read_trials("own", path, root=Path("/"))
    assert sorted(trial.id for trial in trials) == ["7/1", "7/2"]
    assert {trial.text for trial in trials} == {"It isn't so."}


def test_how_it_speaks_is_chosen_on_what_it_was_validated_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "dataset" / "hdf5").mkdir(parents=True)
    items = []
    for speaker in PITCH:
        for number in range(12):
            path = tmp_path / "recordings" / "synthetic" / speaker / f"{number}.wav"
            write_wav(path, hum(speaker, 0.5), RATE)
            path.with_suffix(".txt").write_text(f"Sentence {number}.\n")
            name = f"synthetic/{speaker}/{number}.wav"
            row = Utterance(name, name, "synthetic", speaker, "en", 0, 8000, RATE, f"Sentence {number}.", "a", 60)
            items.append(Encoded(row, rng.integers(0, 16, (8, 60)).astype(np.uint8)))
    StoreShards().write({"h5": tmp_path / "dataset" / "hdf5" / "0.h5"}, items)
    write_index(tmp_path / "dataset" / "hdf5", ["0.h5"], CODEC, "fingerprint")
    saving.write(tmp_path / "model", make_snapshot(make_config(data__validation=0.4, data__split_by="text"), 3))
    run(monkeypatch, "validation", tmp_path, "--most", 5)
    path = tmp_path / "validation.tsv"
    assert capsys.readouterr().out == f"{path}\n"
    trials = read_trials("own", path, root=Path("/"))
    assert len(trials) == 5
    validated = {f"Sentence {n}." for n in range(12) if split_of(folded(f"Sentence {n}."), 0.4) == "validation"}
    for trial in trials:
        assert trial.text in validated
        assert trial.prompt.path.with_suffix(".txt").read_text().strip() in validated
        assert trial.prompt.path != trial.truth


def evaluated(recordings: Path, mode: str, voice: dict[str, str]) -> Path:
    """Leaves what `valle eval` does: rows, waves and a report; the model speaks as `voice` says."""
    out = recordings.parent / "eval" / "step-00000010" / mode / "held-out"
    trials = read_trials("own", recordings.parent / "lists" / "held-out.tsv", root=Path("/"))
    rows = []
    for trial in trials:
        for system in (TRUTH, RESYNTHESIS, MODEL):
            speaker = trial.id.partition("/")[0]
            sound = voice.get(speaker, speaker) if system == MODEL else speaker
            write_wav(wave_path(out, system, trial.id), hum(sound), RATE)
            rows.append({"system": system, "id": trial.id, "text": trial.text, "heard": "sentence", "wer": 0.5})
    (out / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    interval = {"mean": 0.25, "low": 0.1, "high": 0.4}
    systems = {name: {"wer": interval, "cer": interval, "wer_corpus": 0.3} for name in (TRUTH, RESYNTHESIS, MODEL)}
    systems[MODEL]["rtf"] = 1.5  # type: ignore[assignment]
    found = {
        "utterances": len(trials),
        "decoding": f"{mode}, seed 0",
        "judges": {"recogniser": "whisper"},
        "systems": systems,
    }
    (out / "report.json").write_text(json.dumps(found))
    return out


def test_the_report_joins_modes_and_tells_voices_apart(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = recordings.parent
    monkeypatch.setattr("stages.listeners.resemblyzer.Resemblyzer", Ear)
    write_lists(out, None, 6)
    with pytest.raises(MissingInputError, match="must hold a finished `valle eval`"):
        report(out, "step-00000010")
    evaluated(recordings, "ar", {})
    evaluated(recordings, "nar-len", {"anna": "ben", "ben": "ben"})
    (out / "texts").mkdir()
    (out / "texts" / "texts.json").write_text(
        json.dumps({"train": {"modern": 8000}, "sources": {"modern": "patterns"}})
    )
    (out / "model").mkdir()
    (out / "model" / "log.jsonl").write_text('{"step": 10, "validation/loss": 3.5}\n')
    (out / "99-old.wav").write_bytes(b"of another run")
    told = report(out, "step-00000010")
    rows = [line for line in told.splitlines() if line.startswith("| held-out")]
    assert [row.split("|")[2].strip() for row in rows] == ["recordings", "codec", "ar", "nar-len"]
    assert [row.split("|")[8].strip() for row in rows[:3]] == ["100", "100", "100"]
    assert 0 < int(rows[3].split("|")[8]) < 100, "of the two speakers, one is spoken as the other"
    assert "30.0 [10.0, 40.0]" in rows[2]
    assert "8,000 of patterns" in told
    assert "* heard: sentence" in told
    assert "| 10 | 3.500 |" in told
    waves = sorted(path.name for path in out.glob("*.wav"))
    assert len(waves) == 6
    assert waves[0].startswith("01-")
    assert (out / "waves.tsv").read_text().splitlines()[0] == "file\ttext\theard\twer"
    found = json.loads((out / "report.json").read_text())
    assert [row["system"] for row in found["rows"]] == ["recordings", "codec", "ar", "nar-len"]
    assert (out / "curve.png").is_file()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["sentences", *map(str, arguments)])
    main()


def test_the_command_line(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "lists", recordings.parent, "--most", 2)
    assert capsys.readouterr().out == f"{recordings.parent / 'lists' / 'held-out.tsv'}\n"
    mistakes: list[tuple[type[ValleError], str, list[Any]]] = [
        (UsageError, "`--most` must be 1 or more", ["lists", recordings.parent, "--most", 0]),
        (
            MissingInputError,
            "must hold <speaker>/<name>.flac",
            ["lists", recordings.parent, "--librispeech", recordings],
        ),
        (MissingInputError, "finished `valle eval`", ["report", recordings.parent, "--step", "step-1"]),
    ]
    for kind, told, arguments in mistakes:
        with pytest.raises(kind, match=told):
            run(monkeypatch, *arguments)
    monkeypatch.setattr(sentences, "_SHORTEST_S", 0.0)
    with pytest.raises(UsageError, match="two recordings"):
        list_of([Recording(Path("/a/1.wav"), "One."), Recording(Path("/b/1.wav"), "Two.")], shouted=False)
