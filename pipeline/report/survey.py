"""Collects the statistics and the sample utterances that `valle-prep report` shows.

Shards are read one by one. Kept in memory are the sample utterances, and some hundred bytes of numbers of each other.
"""

from array import array
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from pipeline.dataset.folder import Dataset
from pipeline.report.drawing import Drawing
from pipeline.report.readings import Readings
from pipeline.runner.runner import read_status
from pipeline.runner.tally import Tally
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import CODEC, OUT, list_shards, read_codec, read_receipt
from stages.artefacts.parquet import find_rows
from stages.errors import MissingInputError
from stages.ids import speaker_key
from stages.metadata import read_summary
from stages.records import Taken, count_phonemes
from stages.similar import TABLE
from stages.store.reader import Store, open_store
from stages.transcripts.summary import read_taken

_CHAIN = ("encode", "g2p", "slice")
"""Stages whose rows are utterances; the first of these that was run is used."""
_EXAMPLES = 20
"""Example items per reason."""
_DOUBTFUL = 20
"""Utterances to listen to because their texts are the most doubtful."""
_NUMBERS = {
    "measures": {},
    "certainty": {},
    "again": {"first": "misheard_first", "last": "misheard_last"},
}
"""The parts of a row of `slice` whose numbers are shown, with the names of those that need another."""

Row = dict[str, Any]


@dataclass(slots=True)
class Share:
    """A speaker's or language's share of the dataset."""

    seconds: float = 0.0
    utterances: int = 0
    among: set[str] = field(default_factory=set)
    """The speakers of a language, or the languages of a speaker."""

    def add(self, seconds: float, other: str) -> None:
        """Counts an utterance."""
        self.seconds += seconds
        self.utterances += 1
        self.among.add(other)


@dataclass(slots=True)
class LeftOut:
    """The items that a stage filtered or rejected for one reason."""

    stage: str
    kind: str
    """`filtered` or `rejected`."""
    reason: str
    count: int = 0
    examples: list[Row] = field(default_factory=list)
    """The first items in shard order, each with `id`, `message`, `hint`."""


@dataclass(slots=True)
class Survey:
    """The statistics of a dataset, and some of its utterances."""

    stage: str
    """The stage whose rows the utterances are."""
    codec: str
    """The codec in one line, with the licence of its weights; "" before `encode`."""
    tallies: list[Tally]
    """The counts of every stage."""
    languages: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    speakers: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    values: dict[str, "array[float]"] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    """Name of a measure -> its values for all utterances that have it."""
    symbols: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Language -> how often each symbol occurs in its phonemes."""
    left_out: dict[tuple[str, str, str], LeftOut] = field(default_factory=dict)
    """(stage, kind, reason) -> the items left out."""
    taken: list[Taken] = field(default_factory=list)
    """What was taken out of the texts."""
    texts: Row = field(default_factory=dict)
    """What `metadata` counted of texts in several splits, as its summary has it; {} before `metadata`."""
    doubtful: list[Row] = field(default_factory=list)
    """The utterances whose text is furthest from the sound, or of which whisper was least sure: worst first, each with
    `id`, `text`, `value`, and `heard` if a second model heard it."""
    doubt: str = ""
    """The name of the value by which they are the worst."""
    readings: dict[str, Readings] = field(default_factory=lambda: defaultdict(Readings))
    """Language -> how its texts were read."""
    shown: list[Row] = field(default_factory=list)
    """The sample: the fields of each utterance, `shard`, `values`, and `neighbours` as pairs of id and score."""

    @property
    def seconds(self) -> float:
        """Length of all utterances in seconds."""
        return sum(share.seconds for share in self.languages.values())

    @property
    def utterances(self) -> int:
        """Number of utterances."""
        return sum(share.utterances for share in self.languages.values())


def _codec(dataset: Dataset) -> str:
    """Returns the codec and the licence of its weights in one line; "" before `encode`."""
    if not (dataset.stage("encode") / CODEC).is_file():
        return ""
    codec = read_codec(dataset.folder)
    return codec.describe() + (f", licence: {codec.licence}" if codec.licence else "")


def survey(dataset: Dataset, *, shown: int) -> Survey:
    """Reads a dataset, finished or not, and collects its statistics.

    Args:
        dataset: The dataset.
        shown: Number of sample utterances: drawn from all speakers in turn, each followed by its neighbours. The most
            doubtful ones come on top, unless it is 0.

    Raises:
        MissingInputError: if `slice` hasn't been run yet.
    """
    stage = next((name for name in _CHAIN if list_shards(dataset.stage(name))), None)
    if stage is None:
        raise MissingInputError(f"`{dataset.folder}` has no utterances yet. Run `valle-prep slice` first.")
    found = Survey(stage, _codec(dataset), read_status(dataset))
    drawing = Drawing(shown)
    doubts: dict[str, list[tuple[float, str, Row]]] = {"misheard": [], "avg_logprob": []}
    for shard in list_shards(dataset.stage(stage)):
        for row in _rows(dataset, stage, shard):
            _count(found, row)
            drawing.add(row["id"], speaker_key(row["group"], row["speaker"]), shard)
            for name, worst in doubts.items():
                if name in row["values"]:
                    _keep_worst(worst, row, -abs(row["values"][name]))
    for name in (tally.stage for tally in found.tallies):
        for shard in list_shards(dataset.stage(name)):
            _count_left_out(found, dataset, name, shard)
    found.texts = read_summary(dataset.stage("metadata")).get("texts", {})
    found.taken = read_taken(dataset.stage("transcribe"))
    found.doubt = next((name for name, worst in doubts.items() if worst), "")
    found.doubtful = [
        {"id": uid, "text": row["text"], "value": row["values"][found.doubt], "heard": row["heard"]}
        for _, uid, row in doubts.get(found.doubt, [])
    ]
    found.shown = _sample(dataset, stage, drawing, shown, [row["id"] for row in found.doubtful])
    return found


def _keep_worst(worst: list[tuple[float, str, Row]], row: Row, rank: float) -> None:
    """Adds an utterance to the worst ones, if it is among them; the lowest rank is the worst."""
    insort(worst, (rank, row["id"], row), key=itemgetter(0, 1))
    del worst[_DOUBTFUL:]


def _rows(dataset: Dataset, stage: str, shard: str) -> Iterator[Row]:
    """Yields the utterances of a shard, with measured and derived numbers as `values`."""
    measured = {}
    if read_receipt(dataset.stage("slice"), shard):
        measured = {row["id"]: row for row in read_lines(dataset.stage("slice") / f"{shard}.rows.jsonl")}
    for row in read_lines(dataset.stage(stage) / f"{shard}.rows.jsonl"):
        seconds = (row["end_samples"] - row["start_samples"]) / row["sample_rate"]
        values = {"seconds": seconds, "characters_per_second": len(row["text"]) / seconds}
        if row.get("phonemes"):
            values["phonemes_per_second"] = count_phonemes(row["phonemes"]) / seconds
        cut = measured.get(row["id"], {})
        for part, renamed in _NUMBERS.items():
            numbers = (cut.get(part) or {}).items()
            values |= {renamed.get(name, name): float(one) for name, one in numbers if isinstance(one, int | float)}
        yield {**row, "shard": shard, "values": values, "heard": (cut.get("again") or {}).get("text")}


def _count(found: Survey, row: Row) -> None:
    seconds, speaker = row["values"]["seconds"], speaker_key(row["group"], row["speaker"])
    found.languages[row["language"]].add(seconds, speaker)
    found.speakers[speaker].add(seconds, row["language"])
    found.readings[row["language"]].add(row)
    found.symbols[row["language"]].update(row.get("phonemes", ""))
    for name, value in row["values"].items():
        found.values[name].append(value)


def _count_left_out(found: Survey, dataset: Dataset, stage: str, shard: str) -> None:
    receipt = read_receipt(dataset.stage(stage), shard)
    if receipt is None or not (receipt.filtered or receipt.rejected):
        return
    for row in read_lines(dataset.stage(stage) / f"{shard}.{OUT}"):
        key = stage, row["kind"], row["reason"]
        group = found.left_out.setdefault(key, LeftOut(*key))
        group.count += 1
        if len(group.examples) < _EXAMPLES:
            group.examples.append({"id": row["id"], "message": row["message"], "hint": row.get("hint", "")})


def _sample(dataset: Dataset, stage: str, drawing: Drawing, count: int, more: Sequence[str]) -> list[Row]:
    """Returns `count` utterances, speaker by speaker in turn, each followed by its neighbours; then those of `more`."""
    seeds = drawing.drawn()
    near = _neighbours(dataset, seeds)
    chosen = dict.fromkeys(one for uid in seeds for one in (uid, *(other for other, _ in near.get(uid, []))))
    wanted = dict.fromkeys([*list(chosen)[:count], *(more if count else ())])
    near = _neighbours(dataset, list(wanted))
    shards = drawing.shards(wanted)
    rows = {row["id"]: row for shard in shards for row in _rows(dataset, stage, shard) if row["id"] in wanted}
    return [{**rows[uid], "neighbours": near.get(uid, [])} for uid in wanted if uid in rows]


def _neighbours(dataset: Dataset, ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """Returns id -> its neighbours and their scores, nearest first; empty if `similar` isn't finished."""
    path = dataset.stage("similar") / TABLE
    if not path.is_file():
        return {}
    rows = find_rows(path, ids, ["id", "similar", "similar_score"])
    return {
        uid: [(other, round(score, 4)) for other, score in zip(row["similar"], row["similar_score"], strict=True)]
        for uid, row in rows.items()
        if row["similar"]
    }


def opened(dataset: Dataset) -> Store | None:
    """Opens the store; returns None if `hdf5` isn't finished."""
    try:
        return open_store(dataset.folder)
    except MissingInputError:
        return None


def histogram(values: Sequence[float], bins: int = 32) -> tuple[list[float], list[int]]:
    """Counts values in bins with round edges.

    The bins cover the middle 99.8 % of the values. Values beyond are counted in the first or last bin.

    Args:
        values: The values, at least one.
        bins: The approximate number of bins.

    Returns:
        The edges of the bins, and the count of each bin: one less than edges.
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
    """Rounds a bin width up to 1, 2, 2.5 or 5 times a power of ten."""
    if least <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9)))
