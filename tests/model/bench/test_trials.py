"""Trials take about the processor time they are given, keep what they found, and show it side by side."""

from pathlib import Path

import pytest
import yaml

from model.bench import trials
from model.bench.basis.random_data import write_store
from model.bench.trials import Trials, read_trials, run_trial, table
from stages.errors import UsageError
from tests.model.conftest import make_config

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def two(tmp_path: Path) -> Trials:
    (tmp_path / "dataset").mkdir()
    write_store(tmp_path / "dataset", utterances=12, speakers=2)
    config = make_config(data__store=str(tmp_path / "dataset"), data__max_s=30.0).model_dump(mode="json")
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(config))
    each = {"as it is": [], "in groups": ["model.group=2"], "wide": ["model.width=64"]}
    about = {"base": str(tmp_path / "base.yaml"), "set": ["model.layers=1", "model.width=16"], "trials": each}
    (tmp_path / "trials.yaml").write_text(yaml.safe_dump(about))
    return read_trials(tmp_path / "trials.yaml")


def test_trials_of_equal_time(two: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = {name: run_trial(two, name, tmp_path / "out", seconds=0.3) for name in two.each}
    for one in results.values():
        assert one["steps"] == max(1, round(0.3 / one["step_s"]))
        assert {"loss", "loss_0", "loss_nar"} <= one.keys()
    assert results["wide"]["parameters"] > 3 * results["as it is"]["parameters"], "its own setting is taken"
    assert results["in groups"]["parameters"] > results["as it is"]["parameters"]
    lines = table(results).splitlines()
    assert lines[0] == "| trial | parameters | steps | s a step | loss | ar | nar |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in two.each]
    monkeypatch.setattr(trials, "Trainer", None)
    assert run_trial(two, "wide", tmp_path / "out", seconds=0.3) == results["wide"], "what was found is kept"


@pytest.mark.parametrize("text", ["", "[]", "base: a.yaml", "base: a.yaml\ntrials: {one: 3}", "trials: {one: []}", "{"])
def test_another_form_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "trials.yaml").write_text(text)
    with pytest.raises(UsageError, match="must have `base`"):
        read_trials(tmp_path / "trials.yaml")


def test_the_trials_of_the_sentences_can_be_read() -> None:
    assert len(read_trials(ROOT / ".setup" / "trials.yaml").each) > 5
