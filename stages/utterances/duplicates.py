"""Which utterances have the same audio: known only once all are cut, so it is written down when `slice` is finished.

`g2p` leaves the copies out where `g2p.unique` asks for that. Of equal ones the first by id that it lets in stays,
whatever the order in which they were cut.
"""

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.artefacts.disk import write_text
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import part_paths
from stages.errors import MissingInputError
from stages.records import Utterance

DUPLICATES = "duplicates.json"
"""Beside the shards of `slice`: a list for each audio that several rows have, with these rows by id, unmeasured."""
DUPLICATES_VERSION = 2
"""Of how that file is written."""


def write_duplicates(folder: Path, shards: Sequence[str]) -> None:
    """Writes down the copies among the rows of `slice`; the hashes of all of them take 8 bytes each in memory."""
    hashes = array("Q", (found for found, _ in _hashed(folder, shards)))
    values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
    repeated = set(values[counts > 1].tolist())
    alike: dict[int, list[dict[str, Any]]] = {}
    if repeated:
        for found, row in _hashed(folder, shards):
            if found in repeated:
                alike.setdefault(found, []).append({key: row[key] for key in row if key != "measures"})
    groups = sorted((sorted(rows, key=_id) for rows in alike.values()), key=lambda rows: _id(rows[0]))
    write_text(folder / DUPLICATES, json.dumps(groups, ensure_ascii=False, indent=1) + "\n")


def read_duplicates(folder: Path) -> list[list[Utterance]]:
    """Returns the rows of each audio that several have, by id.

    Raises:
        MissingInputError: if `slice` isn't finished, or measured nothing.
    """
    try:
        groups = json.loads((folder / DUPLICATES).read_text(encoding="utf-8"))
        return [[Utterance.from_json(row) for row in rows] for rows in groups]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged, or of an older version"
        raise MissingInputError(
            f"`g2p.unique` needs `{folder / DUPLICATES}`, which can't be read: {why}."
            " Run `valle-prep slice` first, with `slice.measure` at true."
        ) from error


class Copies:
    """Tells which utterance stays instead of another.

    Args:
        groups: Rows that have the same audio, by id.
        lets_in: Whether a row would stay if it had no copies; asked no more than once for each.
    """

    def __init__(self, groups: Sequence[Sequence[Utterance]], lets_in: Callable[[Utterance], bool]) -> None:
        self._groups = groups
        self._lets_in = lets_in
        self._group_of = {row.id: number for number, rows in enumerate(groups) for row in rows}
        self._first: dict[int, str] = {}

    def kept_instead(self, uid: str) -> str:
        """Returns the id of the first copy that is let in, where it comes before this utterance; else ""."""
        number = self._group_of.get(uid)
        if number is None:
            return ""
        if number not in self._first:
            self._first[number] = next((row.id for row in self._groups[number] if self._lets_in(row)), "")
        first = self._first[number]
        return first if first and first < uid else ""


def _id(row: dict[str, Any]) -> str:
    return str(row["id"])


def _hashed(folder: Path, shards: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for shard in shards:
        for row in read_lines(part_paths(folder, shard, ["rows.jsonl"])["rows.jsonl"]):
            measures: dict[str, Any] | None = row.get("measures")
            if measures:
                yield int(measures["hash"], 16), row
