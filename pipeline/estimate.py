"""How long the rest will take and how much room it needs, from what earlier shards took here.

Times are learnt: a stage that has never run on this dataset has none. Room is what the sealed shards take for an item;
before there are any, it is what they took on real recordings.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset import RECORDINGS, Dataset
from pipeline.plan import MISSING, StagePlan, Todo
from pipeline.recordings import count_recordings, read_recordings
from stages import audio
from stages.disk import write_text
from stages.errors import FULL, AudioError, MachineError
from stages.manifest import list_shards, read_receipt
from stages.records import path_of

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


class Estimate:
    """Seconds an item of each stage took here; kept in the dataset's folder between runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _RATES
        try:
            rates = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            rates = {}
        self._rates: dict[str, float] = rates if isinstance(rates, dict) else {}

    def learn(self, stage: str, todo: Sequence[Todo], seconds: float) -> None:
        """Notes what it took to make shards from nothing."""
        items = sum(one.inputs for one in todo)
        if items and all(one.why == MISSING and not one.previous for one in todo):
            self._rates[stage] = round(seconds / items, 6)
            with suppress(OSError):  # what isn't learnt is only not known next time
                write_text(self._path, json.dumps(self._rates, indent=1) + "\n")

    def cost(self, dataset: Dataset, name: str, plan: StagePlan | None, items: int, audio_s: float | None) -> Cost:
        """Returns what is before a stage.

        Args:
            dataset: The dataset.
            name: The stage.
            plan: What it has to do; None where all of it follows from a stage before.
            items: How many items it will take, where the plan doesn't know.
            audio_s: Seconds of audio in them, likewise; None for unknown.
        """
        if plan is not None:
            items = sum(todo.inputs for todo in plan.todo)
            known = sum(todo.audio_s for todo in plan.todo)
            audio_s = known if known or not items else audio_s
        hours = None if audio_s is None else audio_s / 3600
        rate = self._rates.get(name)
        seconds = 0.0 if not items else None if rate is None else rate * items
        return Cost(items, hours if items else 0.0, seconds, items * bytes_per_item(dataset.stage(name), name))


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


def room_in_all(dataset: Dataset, names: Sequence[str]) -> int:
    """Returns about how many bytes stages need for all the recordings."""
    items = count_recordings(dataset.stage(RECORDINGS))
    return items * sum(bytes_per_item(dataset.stage(name), name) for name in names)


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
        raise MachineError(
            f"`{dataset.folder}` can't be written on: {' '.join(str(error).split())}. There are {free:,.1f} MiB free;"
            f" {', '.join(names)} need about {max(room_in_all(dataset, names) / 2**20, 0.1):,.1f} MiB in all."
            " What is done is kept: make room and run the same command."
        ) from error


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL or "requested and" in str(error)  # NumPy gives no number
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def probe_audio_s(dataset: Dataset) -> float | None:
    """Returns about how much audio the recordings hold, in seconds, from the headers of some; None where none tells."""
    folder = dataset.stage(RECORDINGS)
    shards = list_shards(folder)
    seconds: list[float] = []
    for shard in shards:
        if len(seconds) >= _PROBED:
            break
        for recording in read_recordings(folder, shard)[: max(1, _PROBED // len(shards))]:
            try:
                info = audio.probe(dataset.voices / path_of(recording.id))
            except AudioError:
                continue
            seconds.append(info.samples / info.sample_rate)
    return count_recordings(folder) * sum(seconds) / len(seconds) if seconds else None
