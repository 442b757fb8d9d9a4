"""Estimates the time and disk space that the remaining work needs.

Times come from earlier runs on this dataset: a stage that never ran here has no estimate. Disk space per item comes
from the finished shards, or from measurements on real recordings if there are none yet.
"""

import json
import math
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset.folder import RECORDINGS, Dataset
from pipeline.dataset.recordings import count_recordings, read_recordings
from pipeline.runner.plan import MISSING, StagePlan
from stages.artefacts.disk import write_text
from stages.artefacts.manifest import list_shards, read_receipt
from stages.audio import files as audio
from stages.errors import FULL, ArtefactError, AudioError, MachineError
from stages.ids import place_of
from stages.tar import members

_RATES = ".rates.json"
_WORKERS = "workers"
"""The key, among the stages' seconds, of how many workers took them."""
_BYTES_PER_ITEM = {
    "clean": 450_000,
    "transcribe": 500,
    "slice": 800,
    "g2p": 800,
    "encode": 18_000,
    "hdf5": 9_000,
    "metadata": 1_600,
    "similar": 850,
    "mix": 32_000,
}
"""Bytes per item of a stage's files, measured on ten real corpora: 5 s per utterance, 8 codebooks at 75 Hz."""
UTTERANCE_S = 5.0
"""Assumed length of an utterance, in seconds."""
_FEWEST_BYTES_PER_S = 50
"""No codec of speech needs fewer bytes per second."""
_PROBED = 64
"""Recordings, or shards, to look at for an estimate of all."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The estimated work of a stage; None if unknown."""

    items: int
    hours: float | None
    """Hours of audio in the items."""
    seconds: float | None
    """Time it will take."""
    bytes: int
    """Disk space it will need."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The items that a stage will process, estimated."""

    items: int
    audio_s: float
    """Seconds of audio in them; 0 if unknown."""


class Estimate:
    """Seconds per item of each stage, measured on this dataset and stored in its folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _RATES
        try:
            rates = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            rates = {}
        self._rates: dict[str, Any] = rates if isinstance(rates, dict) else {}

    def learn(self, plan: StagePlan, seconds: float, workers: int) -> None:
        """Stores a stage's seconds per item, and who worked, if it made its shards from nothing and without a limit."""
        items = sum(todo.inputs for todo in plan.todo)
        from_scratch = all(todo.why == MISSING and not todo.previous for todo in plan.todo)
        if items and from_scratch and plan.last_recording is None:
            self._rates[plan.stage.name] = round(seconds / items, 6)
            self._rates[_WORKERS] = {**self._workers(), plan.stage.name: min(workers, len(plan.todo))}
            with suppress(OSError):  # without it, only the next estimate is missing
                write_text(self._path, json.dumps(self._rates, indent=1) + "\n")

    def _workers(self) -> dict[str, int]:
        found = self._rates.get(_WORKERS)
        return found if isinstance(found, dict) else {}

    def worker_seconds(self, name: str) -> float | None:
        """Returns the seconds of one worker for an item of a stage; None if that wasn't measured on this dataset."""
        rate, workers = self._rates.get(name), self._workers().get(name)
        return rate * workers if rate and workers else None

    def cost(self, dataset: Dataset, name: str, before: Expected) -> Cost:
        """Estimates what it takes a stage to process the expected items."""
        if not before.items:
            return Cost(0, 0.0, 0.0, 0)
        hours = before.audio_s / 3600 or None
        rate = self._rates.get(name)
        seconds = None if rate is None else rate * before.items
        return Cost(before.items, hours, seconds, before.items * bytes_per_item(dataset.stage(name), name))


def bytes_per_item(folder: Path, name: str) -> int:
    """Returns the bytes per input item in a stage's shards."""
    taken = items = 0
    for shard in list_shards(folder)[:_PROBED]:
        if receipt := read_receipt(folder, shard):
            taken += sum(file.bytes for file in receipt.files.values())
            items += receipt.inputs
    return taken // items if items else _BYTES_PER_ITEM.get(name, 1000)


def room_needed(folder: Path, shards: Sequence[str]) -> str:
    """Returns a sentence that says how much room the unfinished shards need."""
    made = [receipt for shard in shards if (receipt := read_receipt(folder, shard))]
    left = len(shards) - len(made)
    if made:
        each = sum(file.bytes for receipt in made for file in receipt.files.values()) / len(made)
    else:
        each = 64 * _BYTES_PER_ITEM.get(folder.name, 1000)
    return f" The {left} shards left of `{folder.name}` need about {max(left * each / 2**20, 0.1):,.1f} MiB."


def expected(dataset: Dataset, plans: Mapping[str, StagePlan | None]) -> dict[str, Expected]:
    """Estimates how many items, and seconds of audio, each stage will process.

    The inputs of a stage without a plan aren't made yet. Its share of all utterances is that of the stage before it;
    their number is estimated from the hours of audio.

    Args:
        dataset: The dataset.
        plans: The stages' plans, in order; None if a stage's inputs aren't made yet.
    """
    work: dict[str, Expected] = {}
    share, whole = 1.0, None
    for name, plan in plans.items():
        items = None if plan is None else sum(todo.inputs for todo in plan.todo)
        audio_s = 0.0 if plan is None else sum(todo.audio_s for todo in plan.todo)
        if plan is not None and items is not None:
            share = items / plan.given if items else 1.0
        if items is None or (items and not audio_s):  # inputs not made, or audio not read yet
            whole = whole or _whole(dataset)
            audio_s = share * whole.audio_s
            items = math.ceil(share * whole.items) if items is None else items
        work[name] = Expected(items, audio_s)
    return work


def _whole(dataset: Dataset) -> Expected:
    """Estimates the number of utterances in all recordings, and their seconds (0 if no header can be read)."""
    recordings, audio_s = count_recordings(dataset.stage(RECORDINGS)), _probe_audio_s(dataset)
    return Expected(max(recordings, math.ceil(audio_s / UTTERANCE_S)), audio_s)


def room_needed_by(dataset: Dataset, plans: Mapping[str, StagePlan | None]) -> int:
    """Estimates how many bytes the planned stages will write."""
    works = expected(dataset, plans).items()
    return sum(work.items * bytes_per_item(dataset.stage(name), name) for name, work in works)


@contextmanager
def report_full_disk(dataset: Dataset, names: Sequence[str]) -> Iterator[None]:
    """Turns any error of a full disk inside the block into a `MachineError`.

    Args:
        dataset: The dataset being written.
        names: The stages being run.

    Raises:
        MachineError: if the disk is full; names the free space and what the stages need in all.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        folder = Path(getattr(error, "filename", None) or dataset.folder / "any").parent
        free = shutil.disk_usage(folder if folder.is_dir() else dataset.folder).free / 2**20
        need = max(room_needed_by(dataset, dict.fromkeys(names)) / 2**20, 0.1)
        raise MachineError(
            f"`{dataset.folder}` can't be written to: {' '.join(str(error).split())}. There are {free:,.1f} MiB free;"
            f" {', '.join(names)} need about {need:,.1f} MiB in all."
            " Finished work is kept: make room and run the same command."
        ) from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL or "requested and" in str(error)  # NumPy's error has no errno
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _probe_audio_s(dataset: Dataset) -> float:
    """Estimates the seconds of audio in all recordings from the headers of some; 0 if none can be read."""
    folder = dataset.stage(RECORDINGS)
    shards = list_shards(folder)
    seconds: list[float] = []
    for shard in shards:
        if len(seconds) >= _PROBED:
            break
        with suppress(ArtefactError):  # a full disk may have left a broken shard
            for recording in read_recordings(folder, shard)[: max(1, _PROBED // len(shards))]:
                with suppress(AudioError):
                    place = place_of(dataset.voices, recording.id, dataset.raw)
                    info = audio.probe(place)
                    # A broken header may announce any length.
                    longest = members.stamp(place.path)[0] / _FEWEST_BYTES_PER_S
                    seconds.append(min(info.samples / info.sample_rate, longest))
    return count_recordings(folder) * sum(seconds) / len(seconds) if seconds else 0.0
