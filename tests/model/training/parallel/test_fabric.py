"""What importing Fabric sees of another package."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from model.training.parallel.fabric import _version_alone

NAME = "some_metrics"


def metadata(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{NAME}-1.2.dist-info").mkdir()
    (folder / f"{NAME}-1.2.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.2\n")
    (folder / f"{NAME}.py").write_text("HERE = True\n")
    monkeypatch.syspath_prepend(folder)


def test_an_import_sees_the_version_and_later_ones_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata(tmp_path, monkeypatch)
    with pytest.raises(KeyError), _version_alone(NAME):
        seen = importlib.import_module(NAME)
        assert (seen.__version__, hasattr(seen, "HERE")) == ("1.2", False)
        raise KeyError("an import that fails leaves nothing behind, either")
    assert importlib.import_module(NAME).HERE
    del sys.modules[NAME]


def test_one_that_is_imported_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, NAME, whole := ModuleType(NAME))
    with _version_alone(NAME):
        assert importlib.import_module(NAME) is whole
    assert sys.modules[NAME] is whole


def test_one_that_is_not_installed_stays_missing() -> None:
    with _version_alone(NAME), pytest.raises(ModuleNotFoundError):
        importlib.import_module(NAME)
    assert NAME not in sys.modules
