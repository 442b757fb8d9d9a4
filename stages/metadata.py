"""The stage `metadata`: writes a Parquet row per utterance, and a summary of the dataset."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.artefacts.disk import atomic, write_text
from stages.artefacts.formats import Rows
from stages.artefacts.manifest import METADATA, part_paths
from stages.artefacts.parquet import write_records
from stages.base import Filtered, Reject, Stage, single
from stages.config import StageConfig
from stages.ids import speaker_key, split_of
from stages.records import Encoded, Record, count_phonemes
from stages.text.shared import SharedTexts, folded, warning_of

_log = logging.getLogger(__name__)

SUMMARY = "summary.json"

_EDGES = {
    "seconds": (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30),
    "characters_per_second": (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30),
    "phonemes_per_second": (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30),
}
"""Lower edges of the histograms' bins; the last bin has no upper edge."""


class MetadataConfig(StageConfig):
    """How the dataset is split."""

    split_by: Literal["utterance", "speaker", "text"] = "utterance"
    """What is kept together in one split: each utterance on its own, all utterances of a speaker, or all of one text,
    whatever its case and punctuation."""
    validation: float = Field(default=0.02, ge=0, le=1)
    """Share of utterances (or speakers or texts, see `split_by`) in the validation split."""
    test: float = Field(default=0.0, ge=0, le=1)
    """Share of utterances (or speakers or texts) in the test split."""

    @field_validator("test")
    @classmethod
    def _leaves_some(cls, test: float, info: ValidationInfo) -> float:
        validation = info.data.get("validation", 0.0)
        if validation + test > 1:
            raise ValueError(f"must leave room beside `metadata.validation` ({validation:g}), but is {test:g}")
        return test


@dataclass(frozen=True, slots=True)
class MetadataRow(Record):
    """A row of `metadata.parquet`: one utterance."""

    id: str
    recording: str
    group: str
    speaker: str
    language: str
    text: str
    phonemes: str
    start_s: float
    seconds: float
    frames: int
    split: str
    spoken: str | None = None
    """The text in words; null where it is said as it is written."""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.seconds


class Metadata(Stage[MetadataConfig, Encoded, MetadataRow]):
    """Writes the table of utterances and its summary."""

    name = "metadata"
    needs = "encode"
    version = 3
    format = Rows(MetadataRow)

    def process(self, items: Sequence[Encoded]) -> list[list[MetadataRow | Filtered | Reject]]:
        """Turns utterances into rows of the table."""
        return single([self._row(item) for item in items])

    def _row(self, item: Encoded) -> MetadataRow:
        utterance, config = item.utterance, self.config
        keys = {
            "utterance": utterance.id,
            "speaker": speaker_key(utterance.group, utterance.speaker),
            "text": folded(utterance.text),
        }
        return MetadataRow(
            id=utterance.id,
            recording=utterance.recording,
            group=utterance.group,
            speaker=utterance.speaker,
            language=utterance.language,
            text=utterance.text,
            phonemes=utterance.phonemes,
            start_s=utterance.start_samples / utterance.sample_rate,
            seconds=utterance.duration_s,
            frames=utterance.frames,
            split=split_of(keys[config.split_by], config.validation, config.test),
            spoken=utterance.spoken,
        )

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the table and the summary; warns of texts that stand in several splits."""
        summary = Summary()
        with atomic(folder / METADATA) as path:
            write_records(path, MetadataRow, (self._read(folder, shard, summary) for shard in shards))
        texts = summary.shared.found(self._texts(folder, shards))
        if told := warning_of(texts, "metadata.split_by"):
            _log.warning("%s", told)
        write_text(
            folder / SUMMARY, json.dumps(summary.to_json() | {"texts": texts}, ensure_ascii=False, indent=1) + "\n"
        )
        return [METADATA, SUMMARY]

    def _texts(self, folder: Path, shards: Sequence[str]) -> Iterator[tuple[str, str]]:
        for shard in shards:
            for row in self.format.read(part_paths(folder, shard, self.format.parts)):
                yield row.text, row.split

    def _read(self, folder: Path, shard: str, summary: "Summary") -> list[MetadataRow]:
        """Returns the rows of a shard, and adds them to the summary."""
        rows = self.format.read(part_paths(folder, shard, self.format.parts))
        for row in rows:
            summary.add(row)
        return rows


def read_summary(folder: Path) -> dict[str, Any]:
    """Reads the summary in the stage's folder; {} if there is none yet."""
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return summary


class Summary:
    """Totals over the rows: hours, splits, symbols, histograms."""

    def __init__(self) -> None:
        self.seconds: dict[str, Counter[str]] = {name: Counter() for name in ("language", "speaker", "split")}
        self.utterances: dict[str, Counter[str]] = {name: Counter() for name in self.seconds}
        self.symbols: Counter[str] = Counter()
        self.shared = SharedTexts()
        self.histograms = {name: [0] * len(edges) for name, edges in _EDGES.items()}

    def add(self, row: MetadataRow) -> None:
        """Adds a row to the totals."""
        speaker = speaker_key(row.group, row.speaker)
        for name, key in (("language", row.language), ("speaker", speaker), ("split", row.split)):
            self.seconds[name][key] += row.seconds  # type: ignore[assignment]
            self.utterances[name][key] += 1
        self.symbols.update(row.phonemes)
        self.shared.add(row.text, row.split)
        values = {
            "seconds": row.seconds,
            "characters_per_second": len(row.text) / row.seconds,
            "phonemes_per_second": count_phonemes(row.phonemes) / row.seconds,
        }
        for name, value in values.items():
            self.histograms[name][sum(value >= edge for edge in _EDGES[name]) - 1] += 1

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as plain JSON values."""
        by = {
            f"by_{name}": {
                key: {"utterances": self.utterances[name][key], "hours": round(seconds[key] / 3600, 6)}
                for key in sorted(seconds)
            }
            for name, seconds in self.seconds.items()
        }
        return {
            "utterances": sum(self.utterances["split"].values()),
            "hours": round(sum(self.seconds["split"].values()) / 3600, 6),
            "speakers": len(self.seconds["speaker"]),
            **by,
            "symbols": dict(sorted(self.symbols.items())),
            "histograms": {name: {"edges": list(_EDGES[name]), "counts": c} for name, c in self.histograms.items()},
        }


STAGE = Metadata
