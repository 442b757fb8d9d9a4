"""Writes Parquet files for Hugging Face `load_dataset`."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from stages.artefacts.parquet import write_blocks
from stages.exchange.export import Export
from stages.exchange.source import ROWS_PER_GROUP, Source


def parquet(source: Source, folder: Path, final: Path) -> None:  # noqa: ARG001
    """Writes `data/<split>-….parquet`, which `datasets.load_dataset(folder)` opens with typed columns.

    Columns: those of `Source.row` without `split`, then `codes` (`[K, T]`) and, unless it is left out, `audio` (FLAC).
    """
    strings = ("id", "recording", "group", "speaker", "language", "text", "spoken", "phonemes")
    kinds = {**dict.fromkeys(strings, "string"), "start_s": "float64", "duration_s": "float64", "codes": "codes"}
    if source.voices is not None:
        kinds["audio"] = "file"
    features = {name: _FEATURES[kind] for name, kind in kinds.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (folder / "data").mkdir()
    for split, number, total, rows in source.shards():
        blocks = (rows[at : at + ROWS_PER_GROUP] for at in range(0, len(rows), ROWS_PER_GROUP))
        path = folder / "data" / f"{split}-{number:05d}-of-{total:05d}.parquet"
        write_blocks(
            path, kinds, ([_parquet_row(source, index, kinds) for index in block] for block in blocks), metadata
        )


_FEATURES: dict[str, dict[str, Any]] = {
    **{kind: {"dtype": kind, "_type": "Value"} for kind in ("string", "float64")},
    "codes": {"feature": {"feature": {"dtype": "uint16", "_type": "Value"}, "_type": "List"}, "_type": "List"},
    "file": {"_type": "Audio"},
}
"""Hugging Face's names of the types of `write_blocks`."""


def _parquet_row(source: Source, index: int, columns: Collection[str]) -> dict[str, Any]:
    row = {**source.row(index), "codes": source.store.codes(index).tolist()}
    if "audio" in columns:
        row["audio"] = {"bytes": source.flac(index), "path": f"{index:09d}.flac"}
    return {name: row[name] for name in columns}


PARQUET = Export("parquet", "Parquet that Hugging Face `load_dataset` opens", parquet, portable=True)
