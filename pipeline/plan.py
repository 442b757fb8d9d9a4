"""What is to be done: which shards of a stage are missing or stale, and why.

A shard is done when its receipt's fingerprint is the one its inputs and parameters give now, and its files have the
checksums that the receipt names. Times, names, worker counts and batch sizes play no part.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.dataset import RECORDINGS, Dataset
from pipeline.digests import DigestCache
from stages.base import Context, Stage
from stages.errors import MissingInputError
from stages.manifest import LAYOUT, Receipt, digest_of, list_shards, part_paths, read_receipt


@dataclass(frozen=True, slots=True)
class ShardJob:
    """All that a worker needs to make one shard; small, since it travels."""

    stage: str
    config: str
    """The stage's section of the configuration, as JSON."""
    context: Context
    shard: str
    fingerprint: str
    upstream: str
    """Digest of the shard that the items come from."""
    revision: str
    """Of the stage's weights."""
    last_recording: str | None
    """Recordings after this id are left out; None for none."""
    previous: tuple[str, ...]
    """Older shards whose finished rows may be carried over."""
    alone: bool = False
    """Whether items are processed one by one, to find one that kills its worker."""
    poisoned: tuple[str, ...] = ()
    """Items known to kill their worker: rejected unseen."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage has to do."""

    jobs: list[ShardJob]
    done: list[Receipt]
    why: Counter[str] = field(default_factory=Counter)
    """How many shards are to do for which reason."""

    @property
    def shards(self) -> list[str]:
        """All of the stage's shards, sorted."""
        return sorted([job.shard for job in self.jobs] + [receipt.shard for receipt in self.done])


def plan_stage(
    stage: Stage[Any, Any, Any], dataset: Dataset, cache: DigestCache, *, last_recording: str | None = None
) -> StagePlan:
    """Compares what a stage's shards should be with what is there.

    Args:
        stage: The stage.
        dataset: Where its inputs and outputs lie.
        cache: Checksums known from before.
        last_recording: Recordings after this id are left out; None for none.

    Raises:
        MissingInputError: if the stage before hasn't run, or not to its end; names its command.
    """
    folder = dataset.stage(stage.name)
    parameters = digest_of([LAYOUT, stage.name, stage.version, stage.parameters(), last_recording])
    present, revision = list_shards(folder), stage.revision()
    plan = StagePlan([], [])
    for upstream in input_receipts(stage.needs, dataset, cache):
        fingerprint = digest_of([parameters, upstream.digest])
        receipt = read_receipt(folder, upstream.shard)
        why = _why_stale(folder, receipt, fingerprint, cache)
        if receipt and not why:
            plan.done.append(receipt)
            continue
        plan.why[why] += 1
        previous = tuple(_overlapping(upstream.shard, present)) if why != _DAMAGED else ()
        config = stage.config.model_dump_json()
        plan.jobs.append(
            ShardJob(
                stage=stage.name,
                config=config,
                context=stage.context,
                shard=upstream.shard,
                fingerprint=fingerprint,
                upstream=upstream.digest,
                revision=revision,
                last_recording=last_recording,
                previous=previous,
            )
        )
    return plan


_DAMAGED = "damaged"


def _why_stale(folder: Path, receipt: Receipt | None, fingerprint: str, cache: DigestCache) -> str:
    """Returns why a shard must be made, or "" where it is whole."""
    if receipt is None:
        return "missing"
    if not is_whole(folder, receipt, cache):
        return _DAMAGED
    return "" if receipt.fingerprint == fingerprint else "inputs or parameters changed"


def is_whole(folder: Path, receipt: Receipt, cache: DigestCache) -> bool:
    """Tells whether a shard's files are those that its receipt names."""
    paths = part_paths(folder, receipt.shard, receipt.files)
    return all(cache.digest(path) == receipt.files[name].sha256 for name, path in paths.items())


def input_receipts(needs: str, dataset: Dataset, cache: DigestCache) -> Iterator[Receipt]:
    """Yields the receipts of the shards that a stage takes.

    Raises:
        MissingInputError: if they aren't all there; names the command that makes them.
    """
    found = list_shards(dataset.stage(needs))
    expected = list_shards(dataset.stage(RECORDINGS))
    command = "transcribe VOICES" if needs == RECORDINGS else needs
    if not found or found != expected:
        state = f"is half done ({len(found)} of {len(expected)} shards)" if found else "isn't there"
        raise MissingInputError(
            f"The output of `{needs}` {state} in `{dataset.folder}`."
            f" Run `valle-prep {command} --out {dataset.folder}` first."
        )
    for shard in found:
        receipt = read_receipt(dataset.stage(needs), shard)
        if receipt is None or not is_whole(dataset.stage(needs), receipt, cache):
            raise MissingInputError(
                f"Shard {shard} of `{needs}` in `{dataset.folder}` is damaged."
                f" Run `valle-prep {command} --out {dataset.folder}`: it makes that shard again."
            )
        check_fresh(receipt, needs, dataset)
        yield receipt


def check_fresh(receipt: Receipt, name: str, dataset: Dataset) -> None:
    """Checks that a shard was made from what the stages before it hold now.

    Raises:
        MissingInputError: if one of them has changed since; names the command that follows it up.
    """
    while name != RECORDINGS:
        before = import_module(f"stages.{name}").STAGE.needs
        upstream = read_receipt(dataset.stage(before), receipt.shard)
        if upstream is None or upstream.digest != receipt.upstream:
            raise MissingInputError(
                f"The output of `{name}` in `{dataset.folder}` is older than that of `{before}`."
                f" Run `valle-prep {name} --out {dataset.folder}` first, or `valle-prep run`."
            )
        name, receipt = before, upstream


def _overlapping(shard: str, present: Iterable[str]) -> Iterator[str]:
    """Yields the shards, of this or another total, whose recordings may be in this one."""
    index, total = _place(shard)
    for name in present:
        other, others = _place(name)
        if other * total < (index + 1) * others and index * others < (other + 1) * total:
            yield name


def _place(shard: str) -> tuple[int, int]:
    index, _, total = shard.partition("-of-")
    return int(index), int(total)
