"""Writes, seals and reads what a worker made: whole shards, and the saved parts of unfinished ones."""

import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

from pipeline.runner.plan import ShardJob
from stages.artefacts.formats import read_lines, write_lines
from stages.artefacts.manifest import (
    ITEMS,
    OUT,
    Receipt,
    file_digest,
    part_paths,
    read_receipt,
    remove_shard,
    write_shard,
)
from stages.base import Filtered, Reject, Stage
from stages.errors import ArtefactError, MachineError
from stages.ids import file_of

Outcomes = list[Any]
"""The outcomes of one item: outputs, `Filtered` and `Reject`."""


@dataclass(frozen=True, slots=True)
class Done:
    """An item and its outcomes."""

    item: Any
    fingerprint: str
    """Hash of the item's content and of everything that decides its outcomes."""
    outcomes: Outcomes
    basis: str = ""
    """Hash of the item's content and of what decides the costly part; "" if the stage can't revise outcomes."""


def commit(stage: Stage[Any, Any, Any], folder: Path, name: str, job: ShardJob, done: Sequence[Done]) -> Receipt:
    """Writes and seals the outcomes of items.

    Args:
        stage: The stage.
        folder: Its output folder.
        name: Of the shard, or of a part of it.
        job: The shard's job.
        done: The items, in order.

    Returns:
        The receipt.

    Raises:
        MachineError: if the files can't be written; none of them is left.
    """
    outputs: list[Any] = []
    aside: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    counts: dict[str, Counter[str]] = {"filtered": Counter(), "rejected": Counter()}
    for entry in done:
        item_id = entry.item.id
        left_out = [outcome for outcome in entry.outcomes if isinstance(outcome, Filtered | Reject)]
        good = [outcome for outcome in entry.outcomes if not isinstance(outcome, Filtered | Reject)]
        outputs += good
        row = {"item": item_id, "fingerprint": entry.fingerprint, "outputs": len(good)}
        rows.append(row | ({"basis": entry.basis} if entry.basis else {}))
        for outcome in left_out:
            kind = "filtered" if isinstance(outcome, Filtered) else "rejected"
            counts[kind][outcome.reason] += 1
            about = {"item": item_id, "kind": kind, "path": recording_of(entry.item), "stage": stage.name}
            aside.append({**about, **outcome.to_json()})
    receipt = Receipt(
        stage=stage.name,
        shard=name,
        fingerprint=job.fingerprint,
        upstream=job.upstream,
        inputs=len(done),
        pieces=len(outputs) + len(aside),
        outputs=len(outputs),
        filtered=dict(sorted(counts["filtered"].items())),
        rejected=dict(sorted(counts["rejected"].items())),
        audio_s=round(sum(output.duration_s for output in outputs), 6),
        files={},
    )
    paths = part_paths(folder, f".{job.shard}.{uuid.uuid4().hex}.tmp", [*stage.format.parts, OUT, ITEMS])
    try:
        stage.format.write(paths, outputs)
        write_lines(paths[OUT], aside)
        write_lines(paths[ITEMS], rows)
        return write_shard(folder, receipt, paths)
    except OSError as error:
        free = shutil.disk_usage(folder).free / 2**20
        raise MachineError(
            f"`{stage.name}`, shard {job.shard}, can't be written: {error}. `{folder}` has {free:,.0f} MiB free."
        ) from error
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


def recording_of(item: Any) -> str:
    """Returns the id of the file that an item comes from, whatever its stage."""
    row = getattr(item, "utterance", item)
    return file_of(str(getattr(row, "recording", row.id)))


def read_done(
    stage: Stage[Any, Any, Any], folder: Path, names: Iterable[str], retry: Sequence[str] = ()
) -> dict[str, Outcomes]:
    """Reads what is already made, so that it needn't be made again.

    Args:
        stage: The stage.
        folder: Its output folder.
        names: Names of shards and parts; unreadable ones are skipped.
        retry: Reject reasons to process again; `*` for all. Items with such a reject are left out.

    Returns:
        Outcomes under two keys each: the item's fingerprint (reuse as they are) and, if it has one, its basis (reuse
        through `revise`).
    """
    found: dict[str, Outcomes] = {}
    for name in names:
        receipt = read_receipt(folder, name)
        if receipt is None:
            continue
        paths = part_paths(folder, name, [*stage.format.parts, OUT, ITEMS])
        try:
            if any(file_digest(path) != receipt.files[part].sha256 for part, path in paths.items()):
                continue
            outputs = iter(stage.format.read(paths))
            left_out: dict[str, Outcomes] = {}
            for row in read_lines(paths[OUT]):
                left_out.setdefault(row["item"], []).append(_from_row(row))
            for row in read_lines(paths[ITEMS]):
                outcomes = [*islice(outputs, row["outputs"]), *left_out.get(row["item"], [])]
                found |= {key: outcomes for key in (row["fingerprint"], row.get("basis")) if key}
        except (ArtefactError, OSError, ValueError, KeyError, TypeError):
            # Only time is lost: these items are processed again.
            continue
    return {key: outcomes for key, outcomes in found.items() if not _is_retried(outcomes, retry)}


def _from_row(row: dict[str, Any]) -> Filtered | Reject:
    if row["kind"] == "filtered":
        return Filtered.from_json({key: row[key] for key in ("id", "reason", "message", "cut") if key in row})
    return Reject(row["id"], row["reason"], row["message"], row["hint"])


def _is_retried(outcomes: Outcomes, retry: Sequence[str]) -> bool:
    return any(isinstance(outcome, Reject) and ("*" in retry or outcome.reason in retry) for outcome in outcomes)


def parts_of(folder: Path, shard: str) -> list[str]:
    """Returns the names of an unfinished shard's saved parts, in order."""
    names = (f".{shard}.part{number}" for number in count())
    return list(takewhile(lambda name: (folder / f"{name}.json").exists(), names))


def remove_parts(folder: Path, shard: str) -> None:
    """Removes the saved parts of a finished shard."""
    for name in parts_of(folder, shard):
        remove_shard(folder, name)
