"""Where the page looks for the model's own run; wrong settings are one line."""

from pathlib import Path

import pytest

from model.serving.page.serve import run_of
from tests.model.serving.conftest import refused


def test_the_run_of_a_model(tmp_path: Path) -> None:
    step = tmp_path / "runs" / "base" / "checkpoints" / "step-00000001"
    step.mkdir(parents=True)
    assert run_of(step) is None
    (tmp_path / "runs" / "base" / "log.jsonl").touch()
    assert run_of(step) == (tmp_path / "runs" / "base").resolve()
    assert run_of(tmp_path / "model.safetensors") is None


def test_wrong_settings_are_one_line(tiny: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    pytest.importorskip("gradio", reason="the page needs gradio: `make setup EXTRAS=dev,serve`")
    monkeypatch.delenv("VALLE_API_KEY", raising=False)
    given = "--model", tiny, "--device", "cpu"
    assert "`host` must be a loopback address" in refused(monkeypatch, capsys, "ui", *given, "--host", "0.0.0.0")
    assert "`--runs` must be a run's folder" in refused(monkeypatch, capsys, "ui", *given, "--runs", tmp_path / "none")
    told = refused(monkeypatch, capsys, "ui", *given, "--voices", tmp_path / "none", "--port", 0)
    assert "`--voices` must be a folder" in told
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "gradio" else True)
    told = refused(monkeypatch, capsys, "ui", *given)
    assert "`valle ui` needs gradio. Install them: `make setup EXTRAS=serve`." in told
