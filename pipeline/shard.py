"""Making one shard, on a worker: read the inputs, carry over what holds, process the rest, seal.

Knows nothing of Dask; may be killed at any moment and called any number of times.
"""

import traceback
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.config import PrepConfig, build_stage
from pipeline.dataset import RECORDINGS, read_recordings
from pipeline.plan import ShardJob
from stages.base import Context, Filtered, Reject, Stage
from stages.errors import ArtefactError, WeightsError
from stages.manifest import (
    ITEMS,
    OUT,
    Receipt,
    digest_of,
    part_paths,
    read_lines,
    read_receipt,
    write_lines,
    write_shard,
)

Outcomes = list[Any]
"""Of one item: outputs, `Filtered` and `Reject`."""


def run_shard(job: ShardJob) -> Receipt:
    """Makes and commits one shard.

    Returns:
        The shard's receipt.

    Raises:
        ArtefactError: if an input shard is damaged, or if the stage loses or invents an item.
    """
    from threadpoolctl import threadpool_limits

    stage = _ready_stage(job.stage, job.config, job.context, job.revision)
    folder = job.context.dataset / job.stage
    items = _read_items(stage, job)
    fingerprints = [_item_fingerprint(stage, item) for item in items]
    carried = _carried_over(stage, folder, job.previous)
    fresh = [item for item, fingerprint in zip(items, fingerprints, strict=True) if fingerprint not in carried]
    # The last digits of a matrix product depend on the number of threads, and the bytes of a dataset must not.
    with threadpool_limits(1):
        made = iter(_process_all(stage, folder, job, fresh))
    outcomes = [carried[f] if f in carried else next(made) for f in fingerprints]
    _check_conservation(stage, job, items, outcomes)
    ids = [item.id for item in items]
    return _commit(stage, folder, job, list(zip(ids, fingerprints, outcomes, strict=True)))


@lru_cache(maxsize=1)
def _ready_stage(name: str, config: str, context: Context, _revision: str) -> Stage[Any, Any, Any]:
    """Builds a stage and loads its weights; kept while these are the same, so that a worker does it once."""
    stage = build_stage(name, PrepConfig.model_validate_json(f'{{"{name}": {config}}}'), context)
    stage.setup()
    return stage


def _read_items(stage: Stage[Any, Any, Any], job: ShardJob) -> list[Any]:
    folder = job.context.dataset / stage.needs
    items: list[Any]
    if stage.needs == RECORDINGS:
        items = list(read_recordings(folder, job.shard))
    else:
        upstream = import_module(f"stages.{stage.needs}").STAGE
        items = upstream.format.read(part_paths(folder, job.shard, upstream.format.parts))
    last = job.last_recording
    return items if last is None else [item for item in items if _recording_of(item) <= last]


def _recording_of(item: Any) -> str:
    row = getattr(item, "utterance", item)
    return str(getattr(row, "recording", row.id))


def _item_fingerprint(stage: Stage[Any, Any, Any], item: Any) -> str:
    content = item.content().hex()
    return digest_of([stage.version, stage.item_parameters(item), content])[:32]


def _carried_over(stage: Stage[Any, Any, Any], folder: Path, shards: Sequence[str]) -> dict[str, Outcomes]:
    """Returns the outcomes of finished items by their fingerprint, from older shards that can be read."""
    carried: dict[str, Outcomes] = {}
    for shard in shards:
        if read_receipt(folder, shard) is None:
            continue
        paths = part_paths(folder, shard, [*stage.format.parts, OUT, ITEMS])
        try:
            outputs = iter(stage.format.read(paths))
            left_out: dict[str, Outcomes] = {}
            for row in read_lines(paths[OUT]):
                left_out.setdefault(row["item"], []).append(_from_row(row))
            for row in read_lines(paths[ITEMS]):
                carried[row["fingerprint"]] = [*islice(outputs, row["outputs"]), *left_out.get(row["item"], [])]
        except (ArtefactError, OSError, ValueError, KeyError, TypeError):
            # Only speed is lost: what can't be carried over is made again.
            continue
    return carried


def _from_row(row: dict[str, Any]) -> Filtered | Reject:
    if row["kind"] == "filtered":
        return Filtered(row["id"], row["reason"], row["detail"])
    return Reject(row["id"], row["reason"], row["detail"], row["hint"])


def _process_all(stage: Stage[Any, Any, Any], folder: Path, job: ShardJob, items: list[Any]) -> list[Outcomes]:
    """Returns the outcomes of each item; the batch under way is written down in case the worker dies."""
    size = 1 if job.alone else stage.batch_size
    journal = journal_path(folder, job.shard)
    done: list[Outcomes] = []
    for batch in _batches(items, size):
        journal.write_text("\n".join(item.id for item in batch), encoding="utf-8")
        well = [item for item in batch if item.id not in job.poisoned]
        outcomes = iter(_guarded(stage, well) if well else [])
        done += [[_killed(item.id)] if item.id in job.poisoned else next(outcomes) for item in batch]
    journal.unlink(missing_ok=True)
    return done


def journal_path(folder: Path, shard: str) -> Path:
    """Returns where a worker writes down the items that it has in hand."""
    return folder / f".{shard}.in-hand.tmp"


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _guarded(stage: Stage[Any, Any, Any], batch: list[Any]) -> list[Outcomes]:
    """Processes a batch; where that raises, its items one by one, so that only the bad one is rejected."""
    try:
        outcomes = list(stage.process(batch))
    except WeightsError:
        raise  # every item would fail alike
    except Exception as error:  # the item boundary: whatever one item does, the others go on
        if len(batch) == 1:
            return [[_raised(batch[0].id, error)]]
        return [outcome for item in batch for outcome in _guarded(stage, [item])]
    if len(outcomes) != len(batch):
        raise ArtefactError(f"`{stage.name}` was given {len(batch)} items, but told of {len(outcomes)}: a bug in it.")
    return outcomes


def _raised(item_id: str, error: Exception) -> Reject:
    where = traceback.extract_tb(error.__traceback__)[-1]
    detail = f"{str(error).strip() or 'no message'} (at {Path(where.filename).name}:{where.lineno})"
    return Reject(item_id, type(error).__name__, " ".join(detail.split()), "this is a bug in the stage: report it")


def _killed(item_id: str) -> Reject:
    return Reject(item_id, "WorkerKilled", "the worker that processed this item died each time", "look at the file")


def _check_conservation(
    stage: Stage[Any, Any, Any], job: ShardJob, items: Sequence[Any], outcomes: Sequence[Outcomes]
) -> None:
    """Checks that no item is lost: each has an outcome, and exactly one where the stage is one-to-one."""
    wrong = [
        item.id for item, got in zip(items, outcomes, strict=True) if not got or (stage.one_to_one and len(got) > 1)
    ]
    if wrong:
        raise ArtefactError(
            f"`{stage.name}`, shard {job.shard}: {len(wrong)} items lost or doubled, first `{wrong[0]}`."
        )


def _commit(
    stage: Stage[Any, Any, Any], folder: Path, job: ShardJob, done: Sequence[tuple[str, str, Outcomes]]
) -> Receipt:
    """Writes and seals the shard from each item's id, fingerprint and outcomes."""
    outputs: list[Any] = []
    aside: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    counts: dict[str, Counter[str]] = {"filtered": Counter(), "rejected": Counter()}
    for item_id, fingerprint, outcomes in done:
        left_out = [outcome for outcome in outcomes if isinstance(outcome, Filtered | Reject)]
        good = [outcome for outcome in outcomes if not isinstance(outcome, Filtered | Reject)]
        outputs += good
        rows.append({"item": item_id, "fingerprint": fingerprint, "outputs": len(good)})
        for outcome in left_out:
            kind = "filtered" if isinstance(outcome, Filtered) else "rejected"
            counts[kind][outcome.reason] += 1
            aside.append({"item": item_id, "kind": kind, "stage": stage.name, **outcome.to_json()})
    receipt = Receipt(
        stage=stage.name,
        shard=job.shard,
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
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)
