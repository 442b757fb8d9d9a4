"""What a dataset holds, in numbers and in samples: all that `valle-prep report` shows.

Shards are read one by one, and only the utterances that will be shown are kept whole.
"""

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from pipeline.dataset.folder import Dataset
from pipeline.runner.runner import read_status
from pipeline.runner.tally import Tally
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import OUT, list_shards, read_codec, read_receipt
from stages.artefacts.parquet import find_rows
from stages.errors import MissingInputError
from stages.ids import speaker_key
from stages.records import count_phonemes
from stages.similar import TABLE
from stages.store.reader import Store, open_store

_CHAIN = ("encode", "g2p", "slice")
"""Whose rows are the utterances: of the first of these that has been run."""
_EXAMPLES = 20
"""Items named of each reason for which some were left out."""

Row = dict[str, Any]


@dataclass(slots=True)
class Share:
    """What a speaker or a language has of the dataset."""

    seconds: float = 0.0
    utterances: int = 0
    among: set[str] = field(default_factory=set)
    """A language's speakers, or a speaker's languages."""

    def add(self, seconds: float, other: str) -> None:
        """Counts an utterance."""
        self.seconds += seconds
        self.utterances += 1
        self.among.add(other)


@dataclass(slots=True)
class LeftOut:
    """What a stage left out for one reason."""

    stage: str
    kind: str
    """`filtered` or `rejected`."""
    reason: str
    count: int = 0
    examples: list[Row] = field(default_factory=list)
    """The first, by shard: `id`, `message`, `hint`."""


@dataclass(slots=True)
class Survey:
    """A dataset in numbers."""

    stage: str
    """Whose rows the utterances are."""
    codec: str
    """A line; "" before `encode`."""
    tallies: list[Tally]
    languages: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    speakers: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    values: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    """Each measured value of all utterances that have it, by name."""
    symbols: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By language, how often each symbol is in the phonemes."""
    left_out: dict[tuple[str, str, str], LeftOut] = field(default_factory=dict)
    """By stage, kind and reason."""
    shown: list[Row] = field(default_factory=list)
    """Some utterances: the fields of an utterance, `shard`, `values` and `neighbours`, pairs of id and score."""

    @property
    def seconds(self) -> float:
        """Of all utterances."""
        return sum(share.seconds for share in self.languages.values())

    @property
    def utterances(self) -> int:
        """Number of all utterances."""
        return sum(share.utterances for share in self.languages.values())


def survey(dataset: Dataset, *, shown: int) -> Survey:
    """Looks through a dataset, finished or not.

    Args:
        dataset: The dataset.
        shown: How many utterances to keep whole: those of all speakers in turn, each with its neighbours.

    Raises:
        MissingInputError: if no recording has been cut into utterances yet.
    """
    stage = next((name for name in _CHAIN if list_shards(dataset.stage(name))), None)
    if stage is None:
        raise MissingInputError(f"`{dataset.folder}` has no utterances yet. Run `valle-prep slice` first.")
    codec = read_codec(dataset.folder).describe() if (dataset.stage("encode") / "codec.json").is_file() else ""
    found = Survey(stage, codec, read_status(dataset))
    drawn: dict[str, list[tuple[bytes, str, str]]] = defaultdict(list)
    for shard in list_shards(dataset.stage(stage)):
        for row in _rows(dataset, stage, shard):
            _count(found, row)
            order = hashlib.blake2b(row["id"].encode("utf-8", "replace"), digest_size=8).digest()
            drawn[speaker_key(row["group"], row["speaker"])].append((order, row["id"], shard))
    for name in (tally.stage for tally in found.tallies):
        for shard in list_shards(dataset.stage(name)):
            _count_left_out(found, dataset, name, shard)
    found.shown = _whole(dataset, stage, drawn, shown)
    return found


def _rows(dataset: Dataset, stage: str, shard: str) -> Iterator[Row]:
    """Yields the utterances of a shard with their `values`: what was measured, and what follows from the row."""
    measured = {}
    if read_receipt(dataset.stage("slice"), shard):
        rows = read_lines(dataset.stage("slice") / f"{shard}.rows.jsonl")
        measured = {row["id"]: row.get("measures") or {} for row in rows}
    for row in read_lines(dataset.stage(stage) / f"{shard}.rows.jsonl"):
        seconds = (row["end_samples"] - row["start_samples"]) / row["sample_rate"]
        values = {"seconds": seconds, "characters_per_second": len(row["text"]) / seconds}
        if row.get("phonemes"):
            values["phonemes_per_second"] = count_phonemes(row["phonemes"]) / seconds
        numbers = measured.get(row["id"], {}).items()
        values |= {name: float(value) for name, value in numbers if isinstance(value, int | float)}
        yield {**row, "shard": shard, "values": values}


def _count(found: Survey, row: Row) -> None:
    seconds, speaker = row["values"]["seconds"], speaker_key(row["group"], row["speaker"])
    found.languages[row["language"]].add(seconds, speaker)
    found.speakers[speaker].add(seconds, row["language"])
    found.symbols[row["language"]].update(row.get("phonemes", ""))
    for name, value in row["values"].items():
        found.values[name].append(value)


def _count_left_out(found: Survey, dataset: Dataset, stage: str, shard: str) -> None:
    receipt = read_receipt(dataset.stage(stage), shard)
    if receipt is None or not (receipt.filtered or receipt.rejected):
        return
    for row in read_lines(dataset.stage(stage) / f"{shard}.{OUT}"):
        key = stage, row["kind"], row["reason"]
        one = found.left_out.setdefault(key, LeftOut(*key))
        one.count += 1
        if len(one.examples) < _EXAMPLES:
            one.examples.append({"id": row["id"], "message": row["message"], "hint": row.get("hint", "")})


def _whole(dataset: Dataset, stage: str, drawn: Mapping[str, list[tuple[bytes, str, str]]], count: int) -> list[Row]:
    """Returns the utterances to be shown, in the order in which they were drawn."""
    shard_of = {uid: shard for rows in drawn.values() for _, uid, shard in rows}
    in_turn = zip_longest(*(sorted(rows) for _, rows in sorted(drawn.items())))
    seeds = [one[1] for turn in in_turn for one in turn if one is not None]
    near = _neighbours(dataset, seeds[:count])
    chosen = dict.fromkeys(one for uid in seeds[:count] for one in (uid, *(other for other, _ in near.get(uid, []))))
    wanted = dict.fromkeys(list(chosen)[:count])
    near = _neighbours(dataset, list(wanted))
    shards = sorted({shard_of[uid] for uid in wanted if uid in shard_of})
    rows = {row["id"]: row for shard in shards for row in _rows(dataset, stage, shard) if row["id"] in wanted}
    return [{**rows[uid], "neighbours": near.get(uid, [])} for uid in wanted if uid in rows]


def _neighbours(dataset: Dataset, ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """Returns the neighbours of utterances, nearest first; of none where `similar` hasn't come to its end."""
    path = dataset.stage("similar") / TABLE
    if not path.is_file():
        return {}
    rows = find_rows(path, ids, ["id", "similar", "similar_score"])
    return {
        uid: [(one, round(score, 4)) for one, score in zip(row["similar"], row["similar_score"], strict=True)]
        for uid, row in rows.items()
        if row["similar"]
    }


def opened(dataset: Dataset) -> tuple[Store | None, dict[str, int]]:
    """Returns the store and the row number of each id; None where `hdf5` hasn't come to its end."""
    try:
        store = open_store(dataset.folder)
    except MissingInputError:
        return None, {}
    return store, {uid: row for row, uid in enumerate(store.ids)}


def histogram(values: Sequence[float], bins: int = 32) -> tuple[list[float], list[int]]:
    """Returns the edges, one more than counts, and the counts of a histogram with round edges; all values are counted.

    The range is that of the middle 99.8 %; what lies beyond is counted in the first or the last bin.
    """
    data = np.asarray(values, np.float64)
    low, high = (float(value) for value in np.quantile(data, (0.001, 0.999)))
    step = _round_step((high - low) / bins)
    first = np.floor(low / step)
    edges = (
        (first + np.arange(int(np.ceil(high / step) - first) + 1)) * step if high > low else np.array([low, low + 1])
    )
    places = np.clip(np.searchsorted(edges, data, side="right") - 1, 0, len(edges) - 2)
    return [round(float(edge), 9) for edge in edges], np.bincount(places, minlength=len(edges) - 1).tolist()


def _round_step(least: float) -> float:
    """Returns the least of 1, 2, 2.5 and 5 times a power of ten that isn't under `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9)))
