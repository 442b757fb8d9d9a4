"""How long the rest will take and how much room it needs, from what earlier shards took here.

Times are learnt: a stage that has never run on this dataset has none. Room is what the sealed shards take for an item;
before there are any, it is what they took on real recordings.
"""

import json
import math
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.folder import RECORDINGS, Dataset
from pipeline.dataset.recordings import count_recordings, read_recordings
from pipeline.runner.plan import MISSING, StagePlan
from stages.artefacts.disk import write_text
from stages.artefacts.manifest import list_shards, read_receipt
from stages.audio import files as audio
from stages.errors import FULL, ArtefactError, AudioError, MachineError
from stages.ids import path_of

_RATES = ".rates.json"
_BYTES_PER_ITEM = {
    "transcribe": 500,
    "slice": 800,
    "g2p": 800,
    "encode": 18_000,
    "hdf5": 9_000,
    "metadata": 1_600,
    "similar": 850,
    "mix": 32_000,
}
"""Of a stage's files, measured on real recordings of ten corpora: 5 s an utterance, 8 codebooks at 75 Hz."""
_UTTERANCE_S = 5.0
_PROBED = 64
"""Recordings whose header is read to estimate the hours of all."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage has before it; None where nobody knows."""

    items: int
    hours: float | None
    """Of audio."""
    seconds: float | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a stage has before it, as far as it can be told beforehand."""

    items: int
    audio_s: float
    """Of audio in them; 0 where nobody knows."""


class Estimate:
    """Seconds an item of each stage took here; kept in the dataset's folder between runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _RATES
        try:
            rates = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            rates = {}
        self._rates: dict[str, float] = rates if isinstance(rates, dict) else {}

    def learn(self, plan: StagePlan, seconds: float) -> None:
        """Notes what it took to make shards from nothing, and whole."""
        items = sum(one.inputs for one in plan.todo)
        anew = all(one.why == MISSING and not one.previous for one in plan.todo)
        if items and anew and plan.last_recording is None:
            self._rates[plan.stage.name] = round(seconds / items, 6)
            with suppress(OSError):  # what isn't learnt is only not known next time
                write_text(self._path, json.dumps(self._rates, indent=1) + "\n")

    def cost(self, dataset: Dataset, name: str, before: Expected) -> Cost:
        """Returns what it takes a stage to do what it has before it."""
        if not before.items:
            return Cost(0, 0.0, 0.0, 0)
        hours = before.audio_s / 3600 or None
        rate = self._rates.get(name)
        seconds = None if rate is None else rate * before.items
        return Cost(before.items, hours, seconds, before.items * bytes_per_item(dataset.stage(name), name))


def bytes_per_item(folder: Path, name: str) -> int:
    """Returns what an item takes in a stage's shards."""
    taken = items = 0
    for shard in list_shards(folder)[:_PROBED]:
        if receipt := read_receipt(folder, shard):
            taken += sum(file.bytes for file in receipt.files.values())
            items += receipt.inputs
    return taken // items if items else _BYTES_PER_ITEM.get(name, 1000)


def room_needed(folder: Path, shards: Sequence[str]) -> str:
    """Returns a sentence on how much room the shards that aren't sealed yet will need."""
    made = [receipt for shard in shards if (receipt := read_receipt(folder, shard))]
    left = len(shards) - len(made)
    if made:
        each = sum(file.bytes for receipt in made for file in receipt.files.values()) / len(made)
    else:
        each = 64 * _BYTES_PER_ITEM.get(folder.name, 1000)
    return f" The {left} shards left of `{folder.name}` need about {max(left * each / 2**20, 0.1):,.1f} MiB."


def expected(dataset: Dataset, plans: Mapping[str, StagePlan | None]) -> dict[str, Expected]:
    """Returns about what each stage has to do.

    A stage whose inputs are yet to be made takes the share of all utterances that the stage before makes anew; how many
    there are is told by the hours of audio.

    Args:
        dataset: The dataset.
        plans: The stages' plans, in their order; None where what a stage does follows from one before.
    """
    found: dict[str, Expected] = {}
    share, whole = 1.0, None
    for name, plan in plans.items():
        items = None if plan is None else sum(todo.inputs for todo in plan.todo)
        audio_s = 0.0 if plan is None else sum(todo.audio_s for todo in plan.todo)
        if plan is not None and items is not None:
            share = items / plan.given if items else 1.0
        if items is None or (items and not audio_s):  # what isn't made or isn't read yet
            whole = whole or _whole(dataset)
            audio_s = share * whole.audio_s
            items = math.ceil(share * whole.items) if items is None else items
        found[name] = Expected(items, audio_s)
    return found


def _whole(dataset: Dataset) -> Expected:
    """Returns about how many utterances the recordings come to, and how long they last; 0 s where nothing tells."""
    recordings, audio_s = count_recordings(dataset.stage(RECORDINGS)), _probe_audio_s(dataset)
    return Expected(max(recordings, math.ceil(audio_s / _UTTERANCE_S)), audio_s)


def room_needed_by(dataset: Dataset, plans: Mapping[str, StagePlan | None]) -> int:
    """Returns about how many bytes stages need for what they have to do."""
    found = expected(dataset, plans)
    return sum(one.items * bytes_per_item(dataset.stage(name), name) for name, one in found.items())


@contextmanager
def full_disk_told(dataset: Dataset, names: Sequence[str]) -> Iterator[None]:
    """Says in a line that the disk is full, wherever it was that something couldn't be written.

    Raises:
        MachineError: with the room that there is, and that the stages need in all.
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
            f"`{dataset.folder}` can't be written on: {' '.join(str(error).split())}. There are {free:,.1f} MiB free;"
            f" {', '.join(names)} need about {need:,.1f} MiB in all."
            " What is done is kept: make room and run the same command."
        ) from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL or "requested and" in str(error)  # NumPy gives no number
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _probe_audio_s(dataset: Dataset) -> float:
    """Returns about how much audio the recordings hold, in seconds, from the headers of some; 0 where none tells."""
    folder = dataset.stage(RECORDINGS)
    shards = list_shards(folder)
    seconds: list[float] = []
    for shard in shards:
        if len(seconds) >= _PROBED:
            break
        with suppress(ArtefactError):  # a disk that fills may have left a shard half gone
            for recording in read_recordings(folder, shard)[: max(1, _PROBED // len(shards))]:
                with suppress(AudioError):
                    info = audio.probe(dataset.voices / path_of(recording.id))
                    seconds.append(info.samples / info.sample_rate)
    return count_recordings(folder) * sum(seconds) / len(seconds) if seconds else 0.0
