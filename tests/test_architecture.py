"""The walls of the project, read from its sources: who may import whom, where each outside library lives, and sizes."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "stages", "model")
SOURCES = {str(path.relative_to(ROOT)): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}

ARROWS = {"stages": {"stages"}, "pipeline": {"pipeline", "stages"}, "model": {"model", "stages"}}
LEAVES_FOR_MODEL = {
    *("errors", "config", "records", "console", "audio", "codecs", "disk", "dnsmos", "g2p", "languages"),
    *("lock", "machine", "measures", "resemblyzer", "store", "whisper", "whitening"),
}
"""Of `stages`, what the model may import: speech and text are treated at synthesis as they were in preparation.

What hears and what compares voices there judges here: `whisper`, `whitening`, `resemblyzer`, `dnsmos`.
"""

HOMES = {
    "typer": {"pipeline/cli.py", "pipeline/options.py", "model/cli.py", "model/options.py"},
    "dask": {"pipeline/cluster/cluster.py", "pipeline/cluster/scheduler.py"},
    "distributed": {
        "pipeline/cluster/cluster.py",
        "pipeline/cluster/scheduler.py",
        "pipeline/cluster/slurm.py",
        "pipeline/cluster/preload.py",
    },
    "dask_cuda": {"pipeline/cluster/scheduler.py"},
    "dask_jobqueue": {"pipeline/cluster/slurm.py"},
    "h5py": {"stages/store/reader.py", "pipeline/bench/store.py"},
    "soundfile": {"stages/audio/files.py"},
    "av": {"stages/audio/files.py"},
    "soxr": {"stages/audio/files.py"},
}
HEAVY = {
    *("torch", "torchaudio", "lightning", "transformers", "whisperx", "faster_whisper", "encodec", "dac", "vocos"),
    *("phonemizer", "pykakasi", "librosa", "soundfile", "av", "soxr", "scipy", "pandas"),
    *("dask", "distributed", "dask_cuda", "dask_jobqueue", "pyarrow", "h5py"),
}
ITEM_BOUNDARY = "pipeline/runner/shard.py"
"""The one place that may catch everything: whatever error one item causes becomes its reject."""


@dataclass(frozen=True)
class Import:
    """One imported module, and whether importing the file imports it too."""

    module: str
    line: int
    on_load: bool


def imports_of(node: ast.AST, *, on_load: bool = True) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, on_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute here"
            names = [f"{child.module}.{alias.name}" for alias in child.names] if child.module in PACKAGES else []
            yield from (Import(name, child.lineno, on_load) for name in names or [str(child.module)])
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (Import(found.module, found.line, False) for found in imports_of(child))
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports_of(child, on_load=on_load and not deferred)


TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
IMPORTS = {name: list(imports_of(tree)) for name, tree in TREES.items()}
STAGES = {
    name
    for name, tree in TREES.items()
    if name.startswith("stages/")
    and any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STAGE" for node in tree.body)
}


MODEL = {name for name in SOURCES if name.startswith("model/")}


def module_of(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".")


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_the_scan_sees_the_project() -> None:
    names = "transcribe", "slice", "g2p", "encode", "hdf5", "metadata", "similar"
    assert {f"stages/{name}.py" for name in names} <= STAGES
    assert {one.on_load for one in IMPORTS["stages/store/reader.py"] if one.module == "h5py"} == {False}


def test_packages_import_only_along_the_arrows() -> None:
    wrong = {
        (name, one.line, one.module)
        for name, found in IMPORTS.items()
        for one in found
        if package_of(one.module) in set(PACKAGES) - ARROWS[Path(name).parts[0]]
    }
    assert not wrong


def test_stages_dont_import_each_other() -> None:
    modules = {module_of(name) for name in STAGES}
    wrong = {(name, one.module) for name in STAGES for one in IMPORTS[name] if one.module in modules}
    assert not wrong


def test_the_model_imports_only_leaves_of_stages() -> None:
    leaves = {f"stages.{name}" for name in LEAVES_FOR_MODEL}
    wrong = {
        (name, one.line, one.module)
        for name in MODEL
        for one in IMPORTS[name]
        if package_of(one.module) == "stages" and ".".join(one.module.split(".")[:2]) not in leaves
    }
    assert not wrong


@pytest.mark.parametrize("library", HOMES)
def test_outside_libraries_have_one_home(library: str) -> None:
    users = {name for name, found in IMPORTS.items() if library in {package_of(one.module) for one in found}}
    assert users, f"nothing imports {library}: drop it here and from pyproject.toml"
    assert users <= HOMES[library]


def test_heavy_libraries_are_not_imported_on_load() -> None:
    wrong = {
        (name, one.line, one.module)
        for name in set(SOURCES) - (MODEL - {"model/cli.py", "model/config.py"})
        for one in IMPORTS[name]
        if one.on_load and package_of(one.module) in HEAVY
    }
    assert not wrong


def test_no_cycles_on_load() -> None:
    modules = {module_of(name) for name in SOURCES}
    graph = {
        module_of(name): {one.module for one in found if one.on_load and one.module in modules}
        for name, found in IMPORTS.items()
    }
    while leaves := {module for module, needs in graph.items() if not needs}:
        graph = {module: needs - leaves for module, needs in graph.items() if module not in leaves}
    assert not graph, "these import each other, or one that does"


def test_files_are_small_and_named_for_what_they_do() -> None:
    assert not {name for name, path in SOURCES.items() if path.stem in {"utils", "util", "common", "helpers", "misc"}}
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_only_the_item_boundary_catches_everything() -> None:
    catch_all = {"", "Exception", "BaseException"}
    handlers = [
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and (ast.unparse(node.type) if node.type else "") in catch_all
    ]
    assert handlers == [ITEM_BOUNDARY]


def constants(node: ast.AST) -> Iterator[str]:
    yield from (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


RANGE = re.compile(
    "[\u3000-\u9fff\uac00-\ud7a3\U00020000-\U000323af]-[\u3000-\u9fff\uac00-\ud7a3\U00020000-\U000323af]"
)


def test_facts_about_languages_have_one_home() -> None:
    """Which letters a script has, and which languages do without spaces: a new row must not be told to four files."""
    trees = {name: tree for name, tree in TREES.items() if name != "stages/text/languages.py"}
    ranges = {(name, text) for name, tree in trees.items() for text in constants(tree) if RANGE.search(text)}
    assert not ranges
    codes = {
        (name, node.lineno)
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Set) and {"ja", "zh"} & set(constants(node))
    }
    assert not codes


def test_no_reason_steers_the_work_by_its_name() -> None:
    """A reason is what people count by; what is decided by it is a type, a flag or an enumeration."""
    kinds = {"Reject", "Filtered"}
    calls = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    reasons = {
        node.args[1].value
        for node in calls
        if ast.unparse(node.func) in kinds and len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    }
    assert reasons > {"TooLong", "Misfit", "NoSpeech", "NoPhonemes"}
    reasons |= {"NotThere", "TimedOut", "WorkerKilled"}
    compared = {
        (name, node.lineno)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and reasons & set(constants(node))
    }
    assert not compared
