"""Tests `valle-prep export --push` against a small hub, and the card of a dataset."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from pipeline.verbs.pushing import publish
from stages.errors import UsageError
from stages.exchange.source import Source
from tests.hub import Hub, running
from tests.stages.exchange.test_table import source  # noqa: F401 (a fixture)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running(monkeypatch) as found:
        yield found


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["parquet", "webdataset"])
def test_a_dataset_is_exported_and_pushed_with_its_card(source: Source, hub: Hub, tmp_path: Path, kind: str) -> None:  # noqa: F811
    told = publish(kind, source, tmp_path / "out", "anna/speech")
    assert told["utterances"] == 6
    assert told["visibility"] == "private"
    assert hub.files["anna/speech"] == files_of(tmp_path / "out")
    assert told["files"] == {name: len(content) for name, content in hub.files["anna/speech"].items()}
    assert hub.made[0]["type"] == "dataset"
    card = DatasetCard(hub.files["anna/speech"]["README.md"].decode())
    assert card.data.language == ["en"]
    assert card.data.size_categories == ["n<1K"]
    for row in (
        "| utterances | 6 |",
        "| speakers | 2 |",
        "| hours | 0.0017 |",
        "| en | 6 | 0.0017 |",
        "| licence of the codec's weights | CC BY-NC 4.0 |",
        "| fingerprint | `fingerprint` |",
    ):
        assert row in card.text, row


def test_an_export_that_is_there_is_only_pushed(source: Source, hub: Hub, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "out"
    dry = publish("parquet", source, out, "anna/speech", dry_run=True)
    assert (dry["utterances"], "files" in dry, out.exists()) == (6, False, False)
    publish("parquet", source, out, "anna/speech")
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert set(publish("parquet", source, out, "anna/speech", dry_run=True)["files"]) == set(files_of(out))
    publish("parquet", source, out, "anna/other", public=True)
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert hub.files["anna/other"] == hub.files["anna/speech"]
    assert hub.made[-1]["private"] is False
    with pytest.raises(UsageError, match="must be a new or empty folder"):
        publish("webdataset", source, out, "anna/speech")


@pytest.mark.parametrize("kind", ["lhotse", "whisperx", "filelist"])
def test_what_names_files_of_this_machine_is_not_pushed(source: Source, hub: Hub, tmp_path: Path, kind: str) -> None:  # noqa: F811
    with pytest.raises(UsageError, match=f"`--push` can upload parquet, webdataset, but the format is `{kind}`"):
        publish(kind, source, tmp_path / "out", "anna/speech")
    assert not hub.made


def test_an_unknown_format_is_told(source: Source, hub: Hub, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="`xyz` must be one of the formats"):
        publish("xyz", source, tmp_path / "out", "anna/speech")
    assert not (tmp_path / "out").exists()
