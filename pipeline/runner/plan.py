"""Plans a stage: which of its shards are missing or stale, and why.

A shard is up to date when its receipt's fingerprint matches its current inputs and parameters, and its files match the
receipt's checksums. File times, names, worker counts and batch sizes don't matter.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pipeline.config import stage_class
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import RECORDINGS, Dataset
from pipeline.dataset.receipts import Receipts
from pipeline.runner.tally import Tally
from stages.artefacts.manifest import LAYOUT, OUT, Receipt, digest_of, list_shards, read_receipt, shard_name
from stages.base import Context, Stage
from stages.errors import MissingInputError


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Everything a worker needs to make one shard. Small, because it is sent over the network."""

    stage: str
    config: str
    """The stage's section of the configuration, as JSON."""
    context: Context
    shard: str
    fingerprint: str
    upstream: str
    """Digest of the input shard."""
    revision: str
    """Identity of the stage's weights."""
    last_recording: str | None
    """Recordings after this id are left out; None: none is."""
    previous: tuple[str, ...]
    """Older shards from which finished items may be carried over."""
    run: str
    """The run's token: workers of other runs may not write."""
    retry: tuple[str, ...] = ()
    """Reject reasons to process again; `*` for all."""


@dataclass(frozen=True, slots=True)
class Todo:
    """A shard to make."""

    shard: str
    why: str
    fingerprint: str
    upstream: str
    previous: tuple[str, ...]
    inputs: int
    """Items in the input shard; most may be carried over."""
    audio_s: float
    """Seconds of audio in the items; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What later stages need to know of a finished shard."""

    digest: str
    """Digest of its outputs."""
    aside: str
    """Checksum of the file of filtered and rejected items."""
    outputs: int
    audio_s: float

    @classmethod
    def of(cls, receipt: Receipt) -> "Sealed":
        """Reads it from a receipt."""
        aside = receipt.files[OUT].sha256 if OUT in receipt.files else ""
        return cls(receipt.digest, aside, receipt.outputs, receipt.audio_s)


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage has to do. Immutable: running the stage gives a new plan."""

    stage: Stage[Any, Any, Any]
    last_recording: str | None
    kept: Tally
    """Counts of the finished shards. Copy it before adding to it."""
    todo: tuple[Todo, ...]
    sealed: Mapping[str, Sealed]
    """The finished shards."""
    given: int
    """Items in all input shards."""

    @property
    def shards(self) -> list[str]:
        """All of the stage's shards, sorted."""
        return sorted({todo.shard for todo in self.todo} | self.sealed.keys())

    @property
    def why(self) -> Counter[str]:
        """Number of shards to make, by reason."""
        return Counter(todo.why for todo in self.todo)

    def jobs(self, run: str, retry: Sequence[str] = ()) -> Iterator[ShardJob]:
        """Yields one job per shard to make."""
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
    verified: bool = False,
    before: Mapping[str, Sealed] | None = None,
) -> StagePlan:
    """Compares a stage's shards on disk with its inputs and parameters.

    Args:
        stage: The stage.
        dataset: Where its inputs and outputs are.
        cache: Known checksums.
        last_recording: Recordings after this id are left out; None: none is.
        retry: Shards with rejects for these reasons (`*` for any) are made again.
        verified: Whether the stage before was just found up to date: then it isn't checked again.
        before: The shards of the stage before, if they are known already.

    Raises:
        MissingInputError: if the stage before isn't finished, or is damaged or outdated; names the command to run.
    """
    folder = dataset.stage(stage.name)
    parameters = digest_of([LAYOUT, stage.name, stage.version, stage.parameters(), last_recording])
    receipts = Receipts(folder, cache)
    present = set(receipts.shards)
    totals = {_place(name)[1] for name in present}
    kept, sealed, todo = Tally(stage.name), dict[str, Sealed](), list[Todo]()
    upstream = before or {
        receipt.shard: Sealed.of(receipt) for receipt in input_receipts(stage.before, dataset, cache, verified=verified)
    }
    for shard, taken in upstream.items():
        fingerprint = digest_of([parameters, taken.digest])
        receipt, whole = receipts.read(shard)
        why = _why_stale(receipt, fingerprint, whole=whole)
        if receipt and not why and _to_retry(receipt, retry):
            why = RETRY
        if receipt and not why:
            sealed[shard] = Sealed.of(receipt)
            kept.add([receipt])
            continue
        previous = tuple(_overlapping(shard, present, totals))
        todo.append(Todo(shard, why, fingerprint, taken.digest, previous, taken.outputs, taken.audio_s))
    receipts.keep()
    given = sum(taken.outputs for taken in upstream.values())
    return StagePlan(stage, last_recording, kept, tuple(todo), MappingProxyType(sealed), given)


MISSING, DAMAGED, CHANGED, RETRY = "missing", "damaged", "inputs or parameters changed", "to be retried"


def _why_stale(receipt: Receipt | None, fingerprint: str, *, whole: bool) -> str:
    """Returns why a shard must be made, or "" if it is up to date."""
    if receipt is None:
        return MISSING
    if not whole:
        return DAMAGED
    return "" if receipt.fingerprint == fingerprint else CHANGED


def _to_retry(receipt: Receipt, retry: Sequence[str]) -> bool:
    return any("*" in retry or reason in retry for reason in receipt.rejected)


def input_receipts(needs: str, dataset: Dataset, cache: DigestCache, *, verified: bool = False) -> Iterator[Receipt]:
    """Yields the receipts of a stage's input shards.

    Args:
        needs: The stage that makes them.
        dataset: The dataset.
        cache: Known checksums.
        verified: Whether that stage was just found up to date: then it isn't checked again.

    Raises:
        MissingInputError: if one is missing, damaged or outdated; names the command that makes them.
    """
    receipts = Receipts(dataset.stage(needs), cache)
    found = receipts.shards
    expected = list_shards(dataset.stage(RECORDINGS))
    command = {RECORDINGS: "transcribe VOICES", "clean": "clean VOICES"}.get(needs, needs)
    if not found or found != expected:
        state = f"is unfinished ({len(found)} of {len(expected)} shards)" if found else "is missing"
        raise MissingInputError(
            f"The output of `{needs}` {state} in `{dataset.folder}`."
            f" Run `valle-prep {command} --out {dataset.folder}` first."
        )
    for shard in found:
        receipt, whole = receipts.read(shard, verified=verified)
        if receipt is None or not whole:
            raise MissingInputError(
                f"Shard {shard} of `{needs}` in `{dataset.folder}` is damaged."
                f" Run `valle-prep {command} --out {dataset.folder}`: it makes the shard again."
            )
        if not verified:
            check_fresh(receipt, needs, dataset)
        yield receipt
    receipts.keep()


def check_fresh(receipt: Receipt, name: str, dataset: Dataset) -> None:
    """Checks that a shard, and the shards before it back to the recordings, were made from their current inputs.

    A shard without an upstream digest was imported and passes.

    Raises:
        MissingInputError: if an input has changed since; names the command that updates the output.
    """
    while name != RECORDINGS and receipt.upstream:
        before = stage_class(name).follows(dataset.cleaner)
        upstream = read_receipt(dataset.stage(before), receipt.shard)
        if upstream is None or upstream.digest != receipt.upstream:
            raise MissingInputError(
                f"The output of `{name}` in `{dataset.folder}` is older than that of `{before}`."
                f" Run `valle-prep {name} --out {dataset.folder}` first, or `valle-prep run`."
            )
        name, receipt = before, upstream


def _overlapping(shard: str, present: Set[str], totals: Set[int]) -> Iterator[str]:
    """Yields the present shards, of this or another total, that may share recordings with this shard."""
    index, total = _place(shard)
    for others in sorted(totals):
        first, last = index * others // total, ((index + 1) * others - 1) // total
        for other in range(first, last + 1):
            if (name := shard_name(other, others)) in present:
                yield name


def _place(shard: str) -> tuple[int, int]:
    index, _, total = shard.partition("-of-")
    return int(index), int(total)
