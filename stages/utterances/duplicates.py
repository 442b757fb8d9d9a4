"""Finds utterances with the same audio, and with nearly the same. `slice` lists them when all utterances are cut.

With `g2p.unique`, `g2p` keeps one of each group: the first by id that passes its other checks. So the result doesn't
depend on the order of the work.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.artefacts.disk import write_text
from stages.artefacts.formats import rows_of
from stages.errors import MissingInputError
from stages.records import ASIDE, Utterance

DUPLICATES = "duplicates.json"
"""Beside the shards of `slice`: for each audio that several rows share, these rows by id, without their measures."""
NEAR = "near_duplicates.json"
"""The same of rows whose audio is equal or nearly so, by their sketches."""
DUPLICATES_VERSION = 3
"""Version of these files' content."""


def write_duplicates(folder: Path, shards: Sequence[str]) -> None:
    """Lists the groups of rows of `slice` with equal audio, and with equal or nearly equal audio.

    Reads the rows once, and again only if there are copies. Needs about 300 bytes of memory per row.
    """
    from stages.utterances.near import NearCopies  # with what sketches sound, which `g2p` doesn't need

    copies = NearCopies()
    for audio_hash, row in _hashed(folder, shards):
        seconds = (row["end_samples"] - row["start_samples"]) / row["sample_rate"]
        copies.add(audio_hash, seconds, row["measures"].get("sketch"))
    firsts = {DUPLICATES: copies.equal(), NEAR: copies.groups()}
    sizes = {name: np.bincount(first, minlength=len(first)) for name, first in firsts.items()}
    alike: dict[str, dict[int, list[dict[str, Any]]]] = {name: {} for name in firsts}
    if (sizes[NEAR] > 1).any():  # copies of equal audio are near ones too
        for number, (_, row) in enumerate(_hashed(folder, shards)):
            for name, first in firsts.items():
                if sizes[name][group := int(first[number])] > 1:
                    alike[name].setdefault(group, []).append(_kept(row))
    for name, groups in alike.items():
        _write(folder / name, groups)


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in row if key not in ASIDE}


def _write(path: Path, alike: dict[int, list[dict[str, Any]]]) -> None:
    groups = sorted((sorted(rows, key=_id) for rows in alike.values()), key=lambda rows: _id(rows[0]))
    write_text(path, json.dumps(groups, ensure_ascii=False, indent=1) + "\n")


def read_duplicates(folder: Path, name: str = DUPLICATES) -> list[list[Utterance]]:
    """Reads the groups of rows with the same audio, each sorted by id.

    Args:
        folder: The folder of `slice`.
        name: `DUPLICATES`, or `NEAR` for those with nearly the same audio.

    Raises:
        MissingInputError: if the file is missing or damaged: `slice` isn't finished, or didn't measure.
    """
    try:
        groups = json.loads((folder / name).read_text(encoding="utf-8"))
        return [[Utterance.from_json(row) for row in rows] for rows in groups]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged, or of an older version"
        raise MissingInputError(
            f"`g2p.unique` needs `{folder / name}`, which can't be read: {why}."
            " Run `valle-prep slice` first, with `slice.measure=true`."
        ) from error


class Copies:
    """Decides which of several utterances with the same audio is kept.

    Args:
        groups: Groups of rows with the same audio, each sorted by id.
        lets_in: Whether a row would be kept if it had no copies. Called at most once per row.
    """

    def __init__(self, groups: Sequence[Sequence[Utterance]], lets_in: Callable[[Utterance], bool]) -> None:
        self._groups = groups
        self._lets_in = lets_in
        self._group_of = {row.id: number for number, rows in enumerate(groups) for row in rows}
        self._first: dict[int, str] = {}

    def kept_instead(self, uid: str) -> str:
        """Returns the id of the copy that is kept instead of this utterance; "" if none is."""
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
    for row in rows_of(folder, shards):
        measures: dict[str, Any] | None = row.get("measures")
        if measures:
            yield int(measures["hash"], 16), row
