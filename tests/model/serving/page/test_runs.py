"""Reading runs: logs that grow, are cut and begin anew; samples; nothing outside the folder."""

import json
from pathlib import Path

import pytest

from model.serving.page.runs import Runs, thinned
from stages.errors import UsageError


def write(run: Path, *records: object, mode: str = "a") -> None:
    run.mkdir(parents=True, exist_ok=True)
    with (run / "log.jsonl").open(mode) as log:
        log.writelines(f"{json.dumps(record)}\n" for record in records)


def test_a_log_that_grows(tmp_path: Path) -> None:
    run = tmp_path / "base"
    write(run, {"step": 1, "train/loss": 3.0, "tokens_per_s": 10.0})
    runs = Runs(tmp_path)
    first = runs.curves("base")
    assert first.points == {"train/loss": [(1, 3.0)], "tokens_per_s": [(1, 10.0)]}
    version = first.version
    write(run, {"step": 2, "train/loss": float("nan"), "validation/loss": 2.5})
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 3, "train/lo')
    second = runs.curves("base")
    assert second.points["train/loss"] == [(1, 3.0)], "NaN is no point"
    assert (second.last_step, second.kinds()) == (2, ["loss", "tokens_per_s"])
    assert second.version != version
    with (run / "log.jsonl").open("a") as log:
        log.write('ss": 1.0}\nnot JSON\n{"no": "step"}\n[1]\n')
    third = runs.curves("base")
    assert third.points["train/loss"] == [(1, 3.0), (3, 1.0)]
    assert runs.curves("base").version == third.version


def test_a_run_that_resumes_writes_its_log_anew(tmp_path: Path) -> None:
    run = tmp_path / "base"
    write(run, *({"step": step, "train/loss": 1.0} for step in range(5)))
    runs = Runs(tmp_path)
    assert runs.curves("base").last_step == 4
    write(tmp_path / "other", {"step": 1, "train/loss": 2.0})
    (tmp_path / "other" / "log.jsonl").replace(run / "log.jsonl")
    assert runs.curves("base").points == {"train/loss": [(1, 2.0)]}
    write(run, mode="w")
    assert runs.curves("base").points == {}


def test_the_runs_of_a_folder(tmp_path: Path) -> None:
    assert Runs(None).names() == []
    assert Runs(None).curves("x").last_step is None
    with pytest.raises(UsageError, match="`--runs` must be a run's folder"):
        Runs(tmp_path / "none")
    runs = Runs(tmp_path)
    assert runs.names() == []
    write(tmp_path / "a" / "run", {"step": 1, "train/loss": 1.0})
    write(tmp_path / "a" / "other", {"step": 1, "train/loss": 1.0})
    write(tmp_path / "secret", {"step": 9, "train/loss": 1.0})
    (tmp_path / "a" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "a" / "data").mkdir()
    runs = Runs(tmp_path / "a")
    assert sorted(runs.names()) == ["other", "run"], "a link out of the folder is none"
    for name in ("link", "../secret", str(tmp_path / "secret"), "", "data"):
        assert runs.curves(name).last_step is None
        assert runs.samples(name, 1) == []
    alone = Runs(tmp_path / "secret")
    assert alone.names() == ["secret"]
    assert alone.curves("secret").last_step == 9


def test_the_accuracy_of_each_codebook(tmp_path: Path) -> None:
    run = tmp_path / "base"
    values = {f"validation/accuracy_{book}": book / 10 for book in (0, 10, 2)}
    others = {"validation/accuracy": 1.0, "validation/accuracy_nar": 1.0, "train/accuracy_1": 1.0}
    write(run, {"step": 1, **values, **others})
    found = Runs(tmp_path).curves("base").codebooks()
    assert found == {"0": [(1, 0.0)], "2": [(1, 0.2)], "10": [(1, 1.0)]}
    assert list(found) == ["0", "2", "10"]


def test_samples(tmp_path: Path) -> None:
    run = tmp_path / "base"
    write(run, {"step": 1, "train/loss": 1.0})
    runs = Runs(tmp_path)
    assert runs.steps("base") == []
    for step in (2, 10):
        folder = run / "samples" / f"step-{step:08d}"
        folder.mkdir(parents=True)
        for name in ("00.wav", "00.reference.wav", "00.txt", "00.attention.png", "01.wav", "notes.wav"):
            (folder / name).write_text(f"{name} of {step}")
    (run / "samples" / "tmp").mkdir()
    (tmp_path / "secret.wav").write_text("secret")
    (folder / "02.wav").symlink_to(tmp_path / "secret.wav")
    assert runs.steps("base") == [10, 2]
    first, second = runs.samples("base", 10)
    assert (first.number, first.about, first.spoken.read_text()) == ("00", "00.txt of 10", "00.wav of 10")
    assert first.reference == folder / "00.reference.wav"
    assert first.attention == folder / "00.attention.png"
    assert (second.number, second.reference, second.about, second.attention) == ("01", None, "", None)
    assert runs.samples("base", 3) == []


def test_long_curves_are_thinned() -> None:
    points = [(step, float(step)) for step in range(1001)]
    found = thinned(points, 100)
    assert len(found) <= 101
    assert found[-1] == points[-1]
    assert all(abs(value - step) <= 1 for step, value in found)
    assert [step for step, _ in found] == sorted({step for step, _ in found})
    assert thinned(points[:50], 100) == points[:50]
    assert thinned([], 10) == []
