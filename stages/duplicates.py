"""Which utterances have the same audio: known only once all are cut, so it is written down when `slice` is finished.

`g2p` leaves the copies out where `g2p.unique` asks for that. Of equal ones the first by id stays, whatever the order in
which they were cut.
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.disk import write_text
from stages.errors import MissingInputError
from stages.manifest import part_paths, read_lines

DUPLICATES = "duplicates.json"
"""Beside the shards of `slice`: the id of each copy, with that of the first that has its audio."""


def write_duplicates(folder: Path, shards: Sequence[str]) -> None:
    """Writes down the copies among the rows of `slice`; the hashes of all of them take 8 bytes each in memory."""
    hashes = array("Q", (int(found, 16) for _, found in _hashes(folder, shards)))
    values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
    repeated = set(values[counts > 1].tolist())
    alike: dict[int, list[str]] = {}
    if repeated:
        for uid, found in _hashes(folder, shards):
            if int(found, 16) in repeated:
                alike.setdefault(int(found, 16), []).append(uid)
    copies = {uid: ids[0] for ids in map(sorted, alike.values()) for uid in ids[1:]}
    write_text(folder / DUPLICATES, json.dumps(dict(sorted(copies.items())), ensure_ascii=False, indent=1) + "\n")


def read_duplicates(folder: Path) -> dict[str, str]:
    """Returns the id of each copy with that of the first.

    Raises:
        MissingInputError: if `slice` isn't finished.
    """
    try:
        copies: dict[str, str] = json.loads((folder / DUPLICATES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingInputError(
            f"`g2p.unique` needs `{folder / DUPLICATES}`, which can't be read: {error}. Run `valle-prep slice` first."
        ) from error
    return copies


def _hashes(folder: Path, shards: Sequence[str]) -> Iterator[tuple[str, str]]:
    for shard in shards:
        for row in read_lines(part_paths(folder, shard, ["rows.jsonl"])["rows.jsonl"]):
            measures: dict[str, Any] | None = row.get("measures")
            if measures:
                yield row["id"], measures["hash"]
