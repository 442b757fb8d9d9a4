"""Where the page looks for the model's own run; wrong settings are one line."""

import sys
from pathlib import Path

import pytest

from model.cli import main
from model.serving.page.serve import run_of


def test_the_run_of_a_model(tmp_path: Path) -> None:
    step = tmp_path / "runs" / "base" / "checkpoints" / "step-00000001"
    step.mkdir(parents=True)
    assert run_of(step) is None
    (tmp_path / "runs" / "base" / "log.jsonl").touch()
    assert run_of(step) == (tmp_path / "runs" / "base").resolve()
    assert run_of(tmp_path / "model.safetensors") is None


def valle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["valle", "ui", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_wrong_settings_are_one_line(tiny: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    pytest.importorskip("gradio", reason="the page needs gradio: `make setup EXTRAS=dev,serve`")
    monkeypatch.delenv("VALLE_API_KEY", raising=False)
    given = "--model", tiny, "--device", "cpu"
    assert "`host` must be a loopback address" in valle(monkeypatch, capsys, *given, "--host", "0.0.0.0")
    assert "`--runs` must be a run's folder" in valle(monkeypatch, capsys, *given, "--runs", tmp_path / "none")
    told = valle(monkeypatch, capsys, *given, "--voices", tmp_path / "none", "--port", 0)
    assert "`--voices` must be a folder" in told
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "gradio" else True)
    told = valle(monkeypatch, capsys, *given)
    assert "`valle ui` needs gradio. Install them: `make setup EXTRAS=serve`." in told
