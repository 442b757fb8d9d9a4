"""Finds a recording or an utterance by its id or a part of it.

A whole id is found by its hash, without reading the rest of the corpus. A part of an id is searched for in all ids.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from pipeline.dataset.folder import RECORDINGS, Dataset
from stages.artefacts.formats import Rows, read_lines
from stages.artefacts.manifest import OUT, list_shards, part_paths, read_receipt, shard_index, shard_name
from stages.errors import MissingInputError, UsageError
from stages.ids import file_of, utterance_of
from stages.records import Recording

_ROWS = Rows(Recording)
_CUT = re.compile(r"#(?:\d+-\d+|segments\[\d+\])$")
_SHOWN = 10
"""Matches to list in a message."""


@dataclass(frozen=True, slots=True)
class LocatedItem:
    """A recording or utterance found by its id."""

    id: str
    recording: Recording
    shard: str

    def holds(self, item_id: str) -> bool:
        """Returns whether an item of any stage is this one, or was cut from this recording or made from such a cut."""
        item_id = utterance_of(item_id)
        if self.id != self.recording.id:
            return item_id == self.id
        return self.id in {item_id, _CUT.sub("", item_id), file_of(_CUT.sub("", item_id))}


def find(dataset: Dataset, text: str) -> LocatedItem:
    """Finds the recording or utterance with this id, or the only one whose id contains the text.

    Raises:
        MissingInputError: if the dataset has no recordings yet.
        UsageError: if none or several match; lists similar or matching ids.
    """
    shards = list_shards(dataset.stage(RECORDINGS))
    if not shards:
        raise MissingInputError(
            f"`{dataset.folder}` has no recordings yet. Run `valle-prep transcribe VOICES --out {dataset.folder}`."
        )
    total = int(shards[0].partition("-of-")[2])
    whole = _find_exact(dataset, text, total=total)
    if whole:
        return whole
    ids = [recording.id for shard in shards for recording in _recordings(dataset, shard)]
    matches = matching(text, ids)
    if not matches:
        ids += _cut_ids(dataset)
        matches = matching(text, ids)
    only = _find_exact(dataset, matches[0], total=total) if len(matches) == 1 else None
    if only is None:
        raise UsageError(ambiguous(text, matches, ids, dataset.folder))
    return only


def _find_exact(dataset: Dataset, item_id: str, *, total: int) -> LocatedItem | None:
    whole = _CUT.sub("", item_id)
    for recording_id in dict.fromkeys((item_id, whole, file_of(whole))):
        shard = shard_name(shard_index(recording_id, total), total)
        for recording in _recordings(dataset, shard):
            if recording.id == recording_id and (item_id == recording_id or item_id in _cut_ids_of(dataset, shard)):
                return LocatedItem(item_id, recording, shard)
    return None


def _recordings(dataset: Dataset, shard: str) -> list[Recording]:
    folder = dataset.stage(RECORDINGS)
    return _ROWS.read(part_paths(folder, shard, _ROWS.parts)) if read_receipt(folder, shard) else []


def _cut_ids_of(dataset: Dataset, shard: str) -> Iterator[str]:
    """Yields the ids of a shard of `slice`: utterances, filtered and rejected cuts."""
    folder = dataset.stage("slice")
    if read_receipt(folder, shard):
        for part in ("rows.jsonl", OUT):
            yield from (row["id"] for row in read_lines(folder / f"{shard}.{part}"))


def _cut_ids(dataset: Dataset) -> Iterator[str]:
    for shard in list_shards(dataset.stage("slice")):
        yield from (item_id for item_id in _cut_ids_of(dataset, shard) if _CUT.search(item_id))


def matching(text: str, ids: Sequence[str]) -> list[str]:
    """Returns the ids that contain the text; only one if the text is the whole name of exactly one file."""
    matches = sorted({item_id for item_id in ids if text in item_id})
    named = [item_id for item_id in matches if text in {PurePosixPath(item_id).name, PurePosixPath(item_id).stem}]
    return named if len(named) == 1 else matches


def ambiguous(text: str, matches: Sequence[str], ids: Sequence[str], folder: Path) -> str:
    """Returns the error message for a text that matches no id or several: lists the matching or the similar ids."""
    if matches:
        listed = ", ".join(f"`{item_id}`" for item_id in matches[:_SHOWN])
        more = f" and {len(matches) - _SHOWN:,} more" if len(matches) > _SHOWN else ""
        return (
            f"`{text}` must name one recording or utterance, but {len(matches):,} ids contain it: {listed}{more}."
            " Give more of the id."
        )
    names = {PurePosixPath(item_id).name: item_id for item_id in ids} | {item_id: item_id for item_id in ids}
    near = dict.fromkeys(names[name] for name in get_close_matches(text, names, n=5, cutoff=0.5))
    hint = f" Similar ids: {', '.join(f'`{item_id}`' for item_id in near)}." if near else ""
    return (
        f"`{text}` must be the id of a recording or utterance in `{folder}`, or part of one, but no id matches.{hint}"
    )
