"""`valle-prep plan`: computes time, GPU hours, disk and network of a dataset that isn't made yet.

The rates are those measured on a dataset (`--out`), where there is one; else documented ones, each with its source.
Nothing is guessed: a stage without a rate has no time, and says how to get one.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import PrepConfig, wanted_stages
from pipeline.dataset.folder import HEAD, Dataset, configuration
from pipeline.options import Options
from pipeline.runner.estimate import UTTERANCE_S, Estimate, bytes_per_item
from stages.artefacts.manifest import list_shards, read_receipt, shard_count
from stages.errors import UsageError

_PROBED = 64
"""Shards to look at for the lengths in a dataset."""
_CLIENT_S_PER_SHARD = 0.005
"""Processor time of the client for a shard: docs/figures.md, "The scheduler alone"."""
_FIGURES = "docs/figures.md"
_HEARS, _READS = frozenset({"transcribe", "encode"}), frozenset({"clean", "transcribe", "slice", "encode", "similar"})
"""Stages that a GPU may work for; stages that read the sound of every recording."""
_LISTENING = frozenset({"mfcc"})
"""Features of `similar` that read the sound and have a documented rate."""
_PER_SPEAKER_S = 36_000.0
"""Seconds of speech of a speaker, for the neighbours among these, if `--speakers` doesn't tell their number."""
_PAIR_S = 2 * 192 / 69e9
"""Seconds of one core for the similarity of two utterances: docs/figures.md, 138 GFLOP/s on two cores."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one worker does."""

    audio_s: float = 0.0
    """Seconds of audio a second; 0 if the length doesn't matter."""
    item_s: float = 0.0
    """Seconds an item."""
    source: str = ""

    def seconds(self, items: float, audio_s: float) -> float:
        """Returns the seconds of one worker for so many items with so much audio."""
        return items * self.item_s + (audio_s / self.audio_s if self.audio_s else 0.0)


_CPU: dict[str, Rate] = {
    "transcribe": Rate(item_s=0.0043, source=f"{_FIGURES}: 3,228 transcripts in 6.9 s on two cores"),
    "slice": Rate(audio_s=973, source=f"{_FIGURES}: cutting and measuring"),
    "g2p": Rate(item_s=1 / 6142, source=f"{_FIGURES}: 12,284 sentences a second with two processes"),
    "hdf5": Rate(item_s=0.000343, source=f"{_FIGURES}: many recordings, for plans"),
    "metadata": Rate(item_s=0.000201, source=f"{_FIGURES}: many recordings, for plans"),
    "similar": Rate(audio_s=213, source=f"{_FIGURES}: 0.51 hours in 4.3 s on two cores"),
}
_ENCODING = {"embedded": 70.9, "encodec": 29.2, "vocos": 29.2, "dac": 2.71}
_EXACT = {"encodec": 14.4, "vocos": 14.4, "dac": 0.68}
"""Seconds of audio a CPU second, by codec, and with `encode.exact`: docs/figures.md."""
_CLEANING = {"gate": 25.0, "deepfilternet": 6.0}
"""Likewise, by cleaner."""
_HEARING_GPU = Rate(audio_s=70, source="whisperX's README: 70 x real time with large-v2, batched")
_CLIENT_ITEM_S = {"hdf5": 0.000103, "metadata": 0.000108, "similar": 0.000113}
"""Seconds of the client an item, for what it does alone at a stage's end: docs/figures.md, "Many recordings"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be planned."""

    hours: float
    workers: int
    gpus: int = 0
    recording_s: float | None = None
    """Length of a recording; None: that of the dataset, else that of an utterance."""
    utterance_s: float | None = None
    heard: float = 0.0
    """Share of the hours without transcripts, which whisper hears."""
    kbit_s: float = 256.0
    """Bit rate of the recordings; 256 is 16-bit PCM of 16 kHz."""
    speakers: int | None = None
    rates: Mapping[str, float] | None = None
    """Seconds of audio that a worker does a second, by stage, as the user tells it."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """What a stage will take; None if its rate isn't known."""

    stage: str
    items: int
    shards: int
    worker_hours: float | None
    gpu_hours: float | None
    """Of the worker hours those of GPUs; 0 if none is used."""
    wall_hours: float | None
    written_bytes: int
    read_bytes: int
    """What the workers read over the network if no file lies on their own disks: recordings, and the stage before."""
    source: str
    """Where the rate comes from, or how to get one."""


def plan(wanted: Wanted, config: PrepConfig, dataset: Dataset) -> list[StageCost]:
    """Computes what each stage will take.

    Args:
        wanted: The hours, and who works.
        config: The configuration.
        dataset: Its measured rates and sizes are used; it needn't exist.
    """
    utterance_s, recording_s = _lengths(wanted, dataset)
    audio_s = wanted.hours * 3600
    recordings, utterances = math.ceil(audio_s / recording_s), math.ceil(audio_s / utterance_s)
    shards = shard_count(recordings)
    estimate, costs, before = Estimate(dataset.folder), list[StageCost](), recordings * 400
    for name in wanted_stages(config):
        items = recordings if name in {"clean", "transcribe", "slice"} else utterances
        rates = _rates(name, wanted, config, estimate)
        on_gpus = wanted.gpus > 0 and name in _HEARS and (name != "transcribe" or wanted.heard > 0)
        workers = min(wanted.gpus if on_gpus else wanted.workers, shards)
        work_s = None if rates is None else sum(rate.seconds(share * items, share * audio_s) for rate, share in rates)
        alone_s = _CLIENT_ITEM_S.get(name, 0.0) * items
        if name == "similar":
            each = utterances / wanted.speakers if wanted.speakers else _PER_SPEAKER_S / utterance_s
            alone_s += utterances * each * _PAIR_S
        wall_s = None
        if work_s is not None:
            # A stage ends with its last shard, and no shard is shared by workers.
            rounds = math.ceil(shards / workers)
            wall_s = max(rounds * work_s / shards, shards * _CLIENT_S_PER_SHARD) + alone_s
        made = (recordings if name in {"clean", "transcribe"} else utterances) * bytes_per_item(
            dataset.stage(name), name
        )
        share = {"transcribe": wanted.heard, "similar": config.similar.feature in {"mfcc", "speaker"}}.get(name, 1.0)
        sound = int(share * audio_s * wanted.kbit_s * 125) if name in _READS else 0
        hours = None if work_s is None else work_s / 3600
        costs.append(
            StageCost(
                name,
                items,
                shards,
                hours,
                hours if on_gpus else 0.0,
                None if wall_s is None else wall_s / 3600,
                made,
                sound + before,
                "; ".join(rate.source for rate, _ in rates) if rates else _how_to_know(name),
            )
        )
        before = made
    return costs


def _lengths(wanted: Wanted, dataset: Dataset) -> tuple[float, float]:
    """Returns the seconds of an utterance and of a recording."""
    found = {}
    for name in ("slice", "transcribe"):
        folder = dataset.stage(name)
        receipts = [one for shard in list_shards(folder)[:_PROBED] if (one := read_receipt(folder, shard))]
        outputs = sum(receipt.outputs for receipt in receipts)
        found[name] = sum(receipt.audio_s for receipt in receipts) / outputs if outputs else 0.0
    utterance_s = wanted.utterance_s or found["slice"] or UTTERANCE_S
    return utterance_s, wanted.recording_s or found["transcribe"] or utterance_s


def _rates(name: str, wanted: Wanted, config: PrepConfig, estimate: Estimate) -> list[tuple[Rate, float]] | None:
    """Returns a stage's rates, each with the share of the corpus that it is for; None if one isn't known."""
    if told := (wanted.rates or {}).get(name):
        return [(Rate(audio_s=told, source="told by --rate"), 1.0)]
    if measured := estimate.worker_seconds(name):
        return [(Rate(item_s=measured, source="measured on this dataset"), 1.0)]
    if name == "transcribe" and wanted.heard:
        return [(_CPU[name], 1 - wanted.heard), (_HEARING_GPU, wanted.heard)] if wanted.gpus else None
    if name == "similar" and config.similar.feature not in _LISTENING:
        return None
    if name in {"clean", "encode"}:
        encoding = _ENCODING | (_EXACT if config.encode.exact else {})
        by, rates = (config.clean.cleaner, _CLEANING) if name == "clean" else (config.encode.codec, encoding)
        rate = None if name == "encode" and wanted.gpus else rates.get(by or "")
        return [(Rate(audio_s=rate, source=f"{_FIGURES}: {by} on one core"), 1.0)] if rate else None
    return [(_CPU[name], 1.0)] if name in _CPU else None


def _how_to_know(name: str) -> str:
    return f"not known here: run some hours of it and give that dataset by `--out`, or tell the rate: `--rate {name}=X`"


def parse_rates(texts: Sequence[str]) -> dict[str, float]:
    """Reads `STAGE=X` items: seconds of audio that one worker does a second.

    Raises:
        UsageError: if one isn't of that form, or names no stage.
    """
    rates = {}
    stages = tuple(PrepConfig.model_fields)
    for text in texts:
        name, _, value = text.partition("=")
        try:
            rates[name] = float(value)
        except ValueError:
            rates[name] = math.nan
        if name not in stages or not 0 < rates[name] < math.inf:
            raise UsageError(
                f"`--rate` must be STAGE=X, with X seconds of audio a second above 0, but is `{text}`."
                f" Stages: {', '.join(stages)}."
            )
    return rates


def show_plan(options: Options, wanted: Wanted) -> None:
    """Computes the plan and shows it as a table, or as JSON.

    The JSON has `hours`, `workers`, `gpus`, `stages` (a list of the fields of `StageCost`), and `total`: `wall_hours`
    and `gpu_hours` (null if a stage's aren't known), `written_bytes` and `read_bytes`.

    Raises:
        UsageError: if the hours or the lengths aren't above 0, or the share of heard hours isn't within 0 and 1.
    """
    for name in ("hours", "recording_s", "utterance_s", "kbit_s"):
        value = getattr(wanted, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"`--{name.replace('_', '-')}` must be above 0, but is {value:g}.")
    if not 0 <= wanted.heard <= 1:
        raise UsageError(f"`--heard` must be a share from 0 to 1, but is {wanted.heard:g}.")
    dataset = Dataset(options.out if (options.out / HEAD).is_file() else Path(), Path())
    costs = plan(wanted, configuration(options), dataset)
    if options.as_json:
        rows = [{name: getattr(cost, name) for name in cost.__slots__} for cost in costs]
        told = {"hours": wanted.hours, "workers": wanted.workers, "gpus": wanted.gpus, "stages": rows}
        sys.stdout.write(json.dumps({**told, "total": total(costs)}, indent=1) + "\n")
    elif not options.quiet:
        sys.stderr.write("\n".join(lines(costs)) + "\n")


def total(costs: Sequence[StageCost]) -> dict[str, float | None]:
    """Returns the sums over all stages; None where a stage's isn't known."""
    sums: dict[str, float | None] = {}
    for name in ("wall_hours", "gpu_hours", "written_bytes", "read_bytes"):
        values = [getattr(cost, name) for cost in costs]
        sums[name] = None if None in values else sum(values)
    return sums


def lines(costs: Sequence[StageCost]) -> Iterator[str]:
    """Yields the lines of the table, and below it where each rate comes from."""
    heads = ("items", "shards", "worker h", "GPU h", "wall h", "disk GB", "network GB")
    yield f"{'stage':<11}" + "".join(f"{head:>14}" for head in heads)
    for cost in costs:
        figures = f"{cost.items:>14,}{cost.shards:>14,}"
        figures += "".join(map(_hours, (cost.worker_hours, cost.gpu_hours, cost.wall_hours)))
        yield f"{cost.stage:<11}{figures}{cost.written_bytes / 1e9:>14,.1f}{cost.read_bytes / 1e9:>14,.1f}"
    sums = total(costs)
    disk, network = ((sums[name] or 0) / 1e9 for name in ("written_bytes", "read_bytes"))
    yield f"{'total':<11}{'':>42}{_hours(sums['gpu_hours'])}{_hours(sums['wall_hours'])}{disk:>14,.1f}{network:>14,.1f}"
    yield from (f"{cost.stage}: {cost.source}" for cost in costs)


def _hours(value: float | None) -> str:
    return f"{'?' if value is None else format(value, ',.1f'):>14}"
