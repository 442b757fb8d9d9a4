"""What each stage imports: `sys.modules` of a process that sets it up and processes one item, then finishes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = {
    *("av", "dask", "distributed", "faiss", "faster_whisper", "h5py", "jinja2", "librosa", "lightning"),
    *("lightning_fabric", "matplotlib", "nltk", "num2words", "numba", "onnxruntime", "opencc", "pandas"),
    *("phonemizer", "py3langid", "pyannote", "pyarrow", "pykakasi", "pyloudnorm", "pypinyin", "rich", "rjieba"),
    *("scipy", "sentencex", "sklearn", "soundfile", "soxr", "torch", "torchaudio", "transformers", "typer"),
    "whisperx",
}
"""The outside packages that take time to import."""

PROCESS = {
    "transcribe": {"py3langid", "soundfile"},
    "slice": {"soundfile", "soxr"},
    "g2p": {"phonemizer", "num2words"},
    "encode": {"soundfile", "soxr"},
    "hdf5": set(),
    "metadata": set(),
    "similar": {"soundfile", "soxr"},
    "mix": {"soundfile", "soxr"},
}
"""What `setup` and `process` import, on a worker, for an English recording with its text, mixed with noise."""

FINISH = {"encode": set(), "hdf5": {"h5py"}, "metadata": {"pyarrow"}, "similar": {"h5py", "pyarrow"}}
"""What `finish` imports in the process that schedules."""

NOISE = Path(__file__).parents[1] / "noise"

WORK = """
import json, sys
from pathlib import Path
from pipeline.config import PrepConfig, build_stage, stage_class
from pipeline.dataset.folder import RECORDINGS
from pipeline.dataset.recordings import read_recordings
from stages.artefacts.manifest import list_shards, part_paths
from stages.base import Context
from stages.config import load_config

part, name, dataset, voices, noise = *sys.argv[1:3], *map(Path, sys.argv[3:])
config = load_config(PrepConfig, None, ["encode.codec=embedded", f"mix.noise={noise}"])
stage = build_stage(name, config, Context(voices, dataset))
folder = dataset / stage.needs
shards = list_shards(folder)

def items():
    for shard in shards:
        if stage.needs == RECORDINGS:
            yield from read_recordings(folder, shard)
        else:
            kind = stage_class(stage.needs).format
            yield from kind.read(part_paths(folder, shard, kind.parts))

if part == "process":
    item = next(item for item in items() if item.id.startswith("en/"))
    stage.setup()
    [outcomes] = stage.process([item])
    kinds = {type(outcome).__name__ for outcome in outcomes}
    assert kinds and "Reject" not in kinds, outcomes
else:
    stage.finish(dataset / name, list_shards(dataset / name))
print(json.dumps(sorted({module.partition(".")[0] for module in sys.modules})))
"""


def imported(part: str, stage: str, dataset: Path, voices: Path) -> set[str]:
    command = [sys.executable, "-c", WORK, part, stage, *map(str, (dataset, voices, NOISE))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return WATCHED & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("stage", PROCESS)
def test_a_stage_imports_what_it_uses(stage: str, dataset: Path, voices: Path) -> None:
    assert imported("process", stage, dataset, voices) == PROCESS[stage]


@pytest.mark.parametrize("stage", FINISH)
def test_finishing_a_stage_imports_what_it_uses(stage: str, copy: Path, voices: Path) -> None:
    assert imported("finish", stage, copy, voices) == FINISH[stage]
