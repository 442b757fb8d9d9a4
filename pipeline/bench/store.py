"""Benchmarks the store: random reads against an HDF5 file with one group per utterance, and opening a large dataset."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.bench.figures import Bench, Figure, StageBench, seconds
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store.index import write_index
from stages.store.reader import open_store
from stages.store.shards import StoreShards

_CODEC = CodecIdentity("encodec", 24_000, 75.0, 8, 1024, "benchmark")
_UTTERANCES, _READS, _SHARDS = 20_000, 20_000, 64
_MANY, _FEW_FRAMES = 100_000, 8
_ROUNDS = 3
_OPEN = """
import time
from pathlib import Path
import stages.store
started = time.perf_counter()
store = stages.store.open_store(Path({folder!r}))
store.codes(len(store) - 1)[0, 0], store.ids[len(store) - 1]
print(time.perf_counter() - started)
"""


def store(bench: Bench) -> Iterator[Figure]:
    """Measures random reads of codes, and the time to open a dataset of 100,000 utterances."""
    folder, groups = bench.scratch / "flat", bench.scratch / "groups.h5"
    ids = _write(folder, _UTTERANCES, lambda rng: int(rng.integers(75, 900)))
    _write_groups(folder, groups)
    order = np.random.default_rng(1).integers(0, _UTTERANCES, _READS).tolist()
    ours, theirs = zip(
        *((_reads(folder, order), _group_reads(groups, ids, order)) for _ in range(_ROUNDS)), strict=True
    )
    name = f"random reads of {_UTTERANCES:,} utterances"
    yield Figure(name, max(ours), "/s", max(theirs), "one HDF5 group per utterance", least=20)
    _write(bench.scratch / "many", _MANY, lambda _: _FEW_FRAMES)
    program = [sys.executable, "-c", _OPEN.format(folder=str(bench.scratch / "many"))]
    took = [float(subprocess.run(program, check=True, capture_output=True, text=True).stdout) for _ in range(_ROUNDS)]
    yield Figure(f"opening {_MANY:,} utterances in a new process", min(took), "s", most=0.5)


def _write(folder: Path, count: int, frames: Callable[[np.random.Generator], int]) -> list[str]:
    """Writes a store of random codes and returns its ids."""
    (folder / "hdf5").mkdir(parents=True)
    rng = np.random.default_rng(0)
    names, ids = [f"{number:05d}-of-{_SHARDS:05d}.h5" for number in range(_SHARDS)], []
    for number, name in enumerate(names):
        items = []
        for index in range(number, count, _SHARDS):
            codes_KT = rng.integers(0, 1024, (8, frames(rng)), np.uint16)
            uid = f"group/speaker{index % 500:03d}/clip{index:06d}.flac"
            who = "group", f"speaker{index % 500:03d}", "en"
            text = "A sentence of about sixty letters, as there are so many of."
            row = Utterance(uid, uid, *who, 0, 1, 24_000, text, "ɐ sˈɛntəns", codes_KT.shape[1])
            items.append(Encoded(row, codes_KT))
            ids.append(uid)
        StoreShards().write({"h5": folder / "hdf5" / name}, items)
    write_index(folder / "hdf5", names, _CODEC, "benchmark")
    return ids


def _write_groups(folder: Path, path: Path) -> None:
    """Writes the same codes uncompressed with one group per utterance and attributes, as other tools do."""
    import h5py

    flat = open_store(folder)
    with h5py.File(path, "w") as file:
        for index, uid in enumerate(flat.ids):
            group = file.create_group(uid)
            group.create_dataset("codes", data=flat.codes(index))
            group.attrs["language"] = "en"


def _reads(folder: Path, order: Sequence[int]) -> float:
    """Returns reads per second, each copying all codes of an utterance."""
    flat = open_store(folder)

    def work() -> None:
        for index in order:
            flat.codes(index).copy()

    work()
    return len(order) / seconds(work)


def _group_reads(path: Path, ids: Sequence[str], order: Sequence[int]) -> float:
    import h5py

    names = [ids[index] for index in order]
    with h5py.File(path, "r") as file:
        for name in names[:1000]:
            file[name]["codes"][:]
        started = time.perf_counter()
        for name in names:
            file[name]["codes"][:]
        return len(names) / (time.perf_counter() - started)


STORE = StageBench("store", store, 50)
