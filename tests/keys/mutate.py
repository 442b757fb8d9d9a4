"""Mutation test of the keys' proofs, run by hand: `python -m tests.keys.mutate [SECTION.KEY …]`, minutes for all keys.

For each place where the code reads a key, it puts the key's default there and runs the key's proof. It lists places
where the proof still holds: either the proof is too weak, or the place doesn't affect the output (a message, a
fingerprint, another section's key of the same name).
"""

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PRELOADED = ("torch", "lightning_fabric", "torch.utils.tensorboard", "pandas", "peft", "faiss", "librosa", "pytest")
"""Heavy libraries, imported once before forking: each mutant is a fork, and imports only this project."""


def places(key: str, default: Any) -> Iterator[tuple[Path, int, bytes]]:
    """Yields file, line and changed source for each place that reads a key."""
    section, _, name = key.partition(".")
    for path in _files(section):
        source = path.read_bytes()
        lines = source.splitlines(keepends=True)
        starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load):
                owner = ast.unparse(node.value).rpartition(".")[2]
                if owner in {"config", section} or (owner == "self" and path.name == "config.py"):
                    end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
                    before, after = source[: starts[node.lineno - 1] + node.col_offset], source[end:]
                    yield path, node.lineno, before + f"({default!r})".encode() + after


def _files(section: str) -> list[Path]:
    prepared = {path.stem: path for path in (ROOT / "stages").glob("*.py")}
    if section in prepared and section not in {"model", "data"}:
        return [prepared[section], *sorted((ROOT / "pipeline").rglob("*.py"))]
    return sorted((ROOT / "model").rglob("*.py"))


class _Changed(importlib.abc.SourceLoader, importlib.abc.MetaPathFinder):
    """Imports the module of one file from a changed source."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = str(path), source
        self._name = ".".join(path.relative_to(ROOT).with_suffix("").parts)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, origin=self._path) if name == self._name else None

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        return self._source

    def path_stats(self, path: str | bytes) -> Any:
        raise OSError("never cached")


def holds(key: str, path: Path, source: bytes) -> bool:
    """Returns whether a key's proof holds in a child process with a changed file."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    code = 1
    try:
        sys.meta_path.insert(0, _Changed(path, source))
        import pytest

        from stages.machine import nothing_fetched
        from tests.keys.table import KEYS
        from tests.keys.world import World

        quiet = contextlib.redirect_stderr(io.StringIO())
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, nothing_fetched(), quiet:
            KEYS[key](World(Path(folder), patch))
        code = 0
    finally:
        os._exit(code)


def _defaults() -> dict[str, Any]:
    """Returns key -> default, read in a child process: this one must not import the project."""
    import json
    import subprocess

    code = (
        "import json; from model.config import TrainConfig; from pipeline.config import PrepConfig;"
        "from tests.keys.world import fields;"
        "print(json.dumps({key: repr(field.get_default(call_default_factory=True))"
        " for kind in (PrepConfig, TrainConfig) for key, field in fields(kind)}))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {key: ast.literal_eval(value) for key, value in json.loads(told).items()}


def main(keys: Sequence[str]) -> None:
    """Tries every place that reads these keys, or all keys."""
    for name in _PRELOADED:
        importlib.import_module(name)
    for key, default in _defaults().items():
        if keys and key not in keys:
            continue
        found = list(places(key, default))
        weak = [f"{path.relative_to(ROOT)}:{line}" for path, line, source in found if holds(key, path, source)]
        print(f"{key}: {len(found)} places{', held at ' + ', '.join(weak) if weak else ''}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
