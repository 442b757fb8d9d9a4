"""Tests `valle export --push` against a small hub, and the card that it uploads."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from model.checkpoints.export import read_model
from model.checkpoints.publishing import publish
from model.cli import main
from model.training.trainer import train
from stages.codecs.table import codec_identity
from stages.errors import MachineError, UsageError
from tests.hub import Hub, running
from tests.model.conftest import make_config, make_store


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running(monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few steps, validated, on two languages."""
    folder = tmp_path_factory.mktemp("publishing") / "run"
    store = make_store(codec=replace(codec_identity("embedded"), licence="Apache-2.0"))
    store.languages = ["en", "de"] * 12
    shape = {"width": 64, "heads": 4, "feedforward": 96}
    values = {f"model__{key}": value for key, value in shape.items()}
    steps = {"trainer__max_steps": 3, "trainer__validate_every": 3, "data__max_s": 2.0}
    train(make_config(trainer__out=str(folder), **steps, **values), store, quiet=True)
    return folder


def test_a_file_is_exported_and_pushed_with_its_card(run: Path, hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    told = publish(run, out, "gguf", "anna/voice", evaluation="system  WER\nmodel   3.1")
    assert told["url"].endswith("anna/voice")
    assert told["visibility"] == "private"
    files = hub.files["anna/voice"]
    assert files["m.gguf"] == out.read_bytes()
    assert told["files"] == {name: len(content) for name, content in files.items()}
    assert set(files) == {"m.gguf", "README.md"}

    card = ModelCard(files["README.md"].decode())
    assert card.data.language == ["de", "en"]
    assert card.data.pipeline_tag == "text-to-speech"
    assert "gguf" in card.data.tags
    meta = read_model(run).meta
    seconds = make_store().frames.sum() / 75
    for row in (
        "| utterances | 24 |",
        "| speakers | 4 |",
        f"| hours | {round(float(seconds) / 3600, 4)} |",
        "| steps | 3 |",
        "| licence of the codec's weights | Apache-2.0 |",
        f"| all | {meta.validation_loss:.4f} |",
        "| hours in `de` |",
        "| `optimizer.lr` | `0.003` |",
        "model   3.1",
    ):
        assert row in card.text, row


def test_a_folder_goes_as_it_is_and_again_without_exporting(run: Path, hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "hf"
    hub.status["commit"] = 400
    with pytest.raises(MachineError, match="Run the same command to go on"):
        publish(run, out, "hf", "anna/voice")
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    hub.status.clear()
    publish(run, out, "hf", "anna/voice", public=True)
    assert times == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert hub.files["anna/voice"] == {path.name: path.read_bytes() for path in out.iterdir()}
    assert hub.made[-1]["private"] is False
    assert ModelCard(hub.files["anna/voice"]["README.md"].decode()).data.library_name == "transformers"


@pytest.mark.parametrize("form", ["safetensors", "hf", "gguf"])
def test_what_is_no_export_of_this_model_is_left_alone(run: Path, hub: Hub, tmp_path: Path, form: str) -> None:
    out = tmp_path / ("m" if form == "hf" else f"m.{form}")
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="must not exist, or be an export of this model"):
        publish(run, out, form, "anna/voice")  # type: ignore[arg-type]
    assert out.read_bytes() == b"mine"
    assert not hub.made


def test_a_dry_run_lists_the_files_and_needs_no_token(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv",
        ["valle", "export", str(run), str(tmp_path / "m.safetensors"), "--push", "anna/voice", "--dry-run", "--json"],
    )
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["files"]) == {"m.safetensors", "README.md"}
    assert all(told["files"].values())
    assert "url" not in told
    assert not list(tmp_path.iterdir())


def test_an_older_model_has_a_card_too(run: Path) -> None:
    from model.checkpoints.card import model_card

    model = read_model(run)
    text = model_card(replace(model, meta=replace(model.meta, figures={}, languages=("no",))), use="x")
    card = ModelCard(text)
    assert card.data.language == ["no"]
    assert "| languages | no |" in card.text
    assert "## Validation" not in card.text
