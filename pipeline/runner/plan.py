"""What is to be done: which shards of a stage are missing or stale, and why.

A shard is done when its receipt's fingerprint is the one its inputs and parameters give now, and its files have the
checksums that the receipt names. Times, names, worker counts and batch sizes play no part.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.config import stage_class
from pipeline.dataset.digests import DigestCache, is_whole
from pipeline.dataset.folder import RECORDINGS, Dataset
from pipeline.runner.tally import Tally
from stages.artefacts.manifest import LAYOUT, OUT, Receipt, digest_of, list_shards, read_receipt, shard_name
from stages.base import Context, Stage
from stages.errors import MissingInputError


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
    run: str
    """The run's token: a worker of another run may not write."""
    retry: tuple[str, ...] = ()
    """Reasons of rejects that are to be processed again; `*` for all."""


@dataclass(frozen=True, slots=True)
class Todo:
    """A shard to be made."""

    shard: str
    why: str
    fingerprint: str
    upstream: str
    previous: tuple[str, ...]
    inputs: int
    """Items to take; most of them may be carried over."""
    audio_s: float
    """Of the items, as far as it is known."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What others need to know of a shard that is made."""

    digest: str
    """Of its outputs."""
    aside: str
    """Of what it filtered and rejected."""
    outputs: int
    audio_s: float

    @classmethod
    def of(cls, receipt: Receipt) -> "Sealed":
        """Takes it from the receipt."""
        aside = receipt.files[OUT].sha256 if OUT in receipt.files else ""
        return cls(receipt.digest, aside, receipt.outputs, receipt.audio_s)


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage has to do; running it changes nothing here."""

    stage: Stage[Any, Any, Any]
    last_recording: str | None
    kept: Tally
    """The counts of what is done: to be copied before more is counted in."""
    todo: tuple[Todo, ...]
    sealed: Mapping[str, Sealed]
    """The shards that are made."""
    given: int
    """Items to be taken in all."""

    @property
    def shards(self) -> list[str]:
        """All of the stage's shards, sorted."""
        return sorted({todo.shard for todo in self.todo} | self.sealed.keys())

    @property
    def why(self) -> Counter[str]:
        """How many shards are to do for which reason."""
        return Counter(todo.why for todo in self.todo)

    def jobs(self, run: str, retry: Sequence[str] = ()) -> Iterator[ShardJob]:
        """Yields the work, a job a shard, made as it is asked for."""
        config, revision = self.stage.config.model_dump_json(), self.stage.revision()
        for todo in self.todo:
            yield ShardJob(
                stage=self.stage.name,
                config=config,
                context=self.stage.context,
                shard=todo.shard,
                fingerprint=todo.fingerprint,
                upstream=todo.upstream,
                revision=revision,
                last_recording=self.last_recording,
                previous=todo.previous,
                run=run,
                retry=tuple(retry),
            )


def plan_stage(
    stage: Stage[Any, Any, Any],
    dataset: Dataset,
    cache: DigestCache,
    *,
    last_recording: str | None = None,
    retry: Sequence[str] = (),
    sure: bool = False,
    before: Mapping[str, Sealed] | None = None,
) -> StagePlan:
    """Compares what a stage's shards should be with what is there.

    Args:
        stage: The stage.
        dataset: Where its inputs and outputs lie.
        cache: Checksums known from before.
        last_recording: Recordings after this id are left out; None for none.
        retry: Shards with rejects for these reasons (`*` for any) are to be made again.
        sure: Whether the stages before have just been found up to date.
        before: The shards of the stage before, where they are known.

    Raises:
        MissingInputError: if the stage before hasn't run, or not to its end; names its command.
    """
    folder = dataset.stage(stage.name)
    parameters = digest_of([LAYOUT, stage.name, stage.version, stage.parameters(), last_recording])
    present = set(list_shards(folder))
    totals = {_place(name)[1] for name in present}
    kept, sealed, todo = Tally(stage.name), dict[str, Sealed](), list[Todo]()
    upstream = before or {
        receipt.shard: Sealed.of(receipt) for receipt in input_receipts(stage.needs, dataset, cache, sure=sure)
    }
    for shard, taken in upstream.items():
        fingerprint = digest_of([parameters, taken.digest])
        receipt = read_receipt(folder, shard)
        why = _why_stale(folder, receipt, fingerprint, cache)
        if receipt and not why and _to_retry(receipt, retry):
            why = RETRY
        if receipt and not why:
            sealed[shard] = Sealed.of(receipt)
            kept.add([receipt])
            continue
        previous = tuple(_overlapping(shard, present, totals))
        todo.append(Todo(shard, why, fingerprint, taken.digest, previous, taken.outputs, taken.audio_s))
    given = sum(taken.outputs for taken in upstream.values())
    return StagePlan(stage, last_recording, kept, tuple(todo), MappingProxyType(sealed), given)


MISSING, DAMAGED, CHANGED, RETRY = "missing", "damaged", "inputs or parameters changed", "to be retried"


def _why_stale(folder: Path, receipt: Receipt | None, fingerprint: str, cache: DigestCache) -> str:
    """Returns why a shard must be made, or "" where it is whole."""
    if receipt is None:
        return MISSING
    if not is_whole(folder, receipt, cache):
        return DAMAGED
    return "" if receipt.fingerprint == fingerprint else CHANGED


def _to_retry(receipt: Receipt, retry: Sequence[str]) -> bool:
    return any("*" in retry or reason in retry for reason in receipt.rejected)


def input_receipts(needs: str, dataset: Dataset, cache: DigestCache, *, sure: bool = False) -> Iterator[Receipt]:
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
        if receipt is None or not (sure or is_whole(dataset.stage(needs), receipt, cache)):
            raise MissingInputError(
                f"Shard {shard} of `{needs}` in `{dataset.folder}` is damaged."
                f" Run `valle-prep {command} --out {dataset.folder}`: it makes that shard again."
            )
        if not sure:
            check_fresh(receipt, needs, dataset)
        yield receipt


def check_fresh(receipt: Receipt, name: str, dataset: Dataset) -> None:
    """Checks that a shard was made from what the stages before it hold now, as far as it was made from any.

    Raises:
        MissingInputError: if one of them has changed since; names the command that follows it up.
    """
    while name != RECORDINGS and receipt.upstream:
        before = stage_class(name).needs
        upstream = read_receipt(dataset.stage(before), receipt.shard)
        if upstream is None or upstream.digest != receipt.upstream:
            raise MissingInputError(
                f"The output of `{name}` in `{dataset.folder}` is older than that of `{before}`."
                f" Run `valle-prep {name} --out {dataset.folder}` first, or `valle-prep run`."
            )
        name, receipt = before, upstream


def _overlapping(shard: str, present: Set[str], totals: Set[int]) -> Iterator[str]:
    """Yields the shards, of this or another total, whose recordings may be in this one."""
    index, total = _place(shard)
    for others in sorted(totals):
        first, last = index * others // total, ((index + 1) * others - 1) // total
        for other in range(first, last + 1):
            if (name := shard_name(other, others)) in present:
                yield name


def _place(shard: str) -> tuple[int, int]:
    index, _, total = shard.partition("-of-")
    return int(index), int(total)
