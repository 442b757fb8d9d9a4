"""Drives the stages: plan, make the shards that are missing, account for every item, finish, commit.

The only place that knows how work is shared out. Whatever is killed, the next run goes on where this one stopped:
what is done is what has a receipt.
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.cluster.cluster import Cluster, WorkerDiedError
from pipeline.config import PrepConfig, build_stage
from pipeline.dataset.digests import DigestCache, sealed_files
from pipeline.dataset.folder import RECORDINGS, REJECTS, Dataset, stages_of
from pipeline.runner.estimate import Estimate, room_needed
from pipeline.runner.plan import Sealed, ShardJob, StagePlan, check_fresh, plan_stage
from pipeline.runner.progress import Reporter
from pipeline.runner.shard import run_shard
from pipeline.runner.tally import Tally
from stages.artefacts.disk import atomic
from stages.artefacts.formats import read_lines, write_lines
from stages.artefacts.manifest import (
    COMPLETE,
    OUT,
    Receipt,
    digest_of,
    list_shards,
    read_receipt,
    read_sealed,
    remove_shard,
    seal,
    write_sealed,
)
from stages.base import Context, Stage
from stages.errors import ArtefactError, MachineError, MissingInputError, WeightsError

_MOST_DEATHS = 100
"""Deaths without one shard made in between after which the work is given up: the machine is at fault, not an item."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the stages of one command share."""

    dataset: Dataset
    config: PrepConfig
    device: str
    cluster: Cluster
    cache: DigestCache
    reporter: Reporter
    token: str = ""
    """Proves to the workers that the dataset is this run's."""
    scanned: bool = False
    """Whether this command has just found the recordings."""
    last_recording: str | None = None
    retry: tuple[str, ...] = ()
    """Reasons of rejects to be processed again; `*` for all."""

    make: Callable[[ShardJob], Receipt] = run_shard
    """Makes a shard. `valle-prep import` has its own: its stage isn't one that a worker can build by name."""

    def stage(self, name: str) -> Stage[Any, Any, Any]:
        """Returns a stage, not yet set up."""
        weights, layout = self.config.encode.weights, self.config.transcribe.layout
        context = Context(self.dataset.voices, self.dataset.folder.resolve(), self.device, weights, layout)
        return build_stage(name, self.config, context)

    def sure(self, before: Sequence[str]) -> list[str]:
        """Returns what has been found up to date by this command once it has gone through these stages."""
        return [*before, *([RECORDINGS] if self.scanned else [])]

    def plan(self, name: str, *, sure: Sequence[str] = (), before: "Plans | None" = None) -> StagePlan:
        """Returns what a stage has to do.

        Args:
            name: The stage.
            sure: The stages that have just been found up to date.
            before: What is known of them.
        """
        stage = self.stage(name)
        known = before.get(stage.needs) if before else None
        return plan_stage(
            stage,
            self.dataset,
            self.cache,
            last_recording=self.last_recording,
            retry=self.retry,
            sure=stage.needs in sure,
            before=known.sealed if known and stage.needs in sure else None,
        )


Plans = dict[str, StagePlan | None]
"""What each stage has to do; None for one whose inputs are yet to be made."""


def plan_all(run: Run, names: Sequence[str]) -> Plans:
    """Returns each stage's plan."""
    changed = False
    plans: Plans = {}
    for index, name in enumerate(names):
        try:
            plan = None if changed else run.plan(name, sure=run.sure(names[:index]), before=plans)
        except (MissingInputError, WeightsError):  # weights are missing in a dry run only: nothing is fetched for it
            if name == names[0]:
                raise
            plan = None
        changed = changed or plan is None or bool(plan.todo)
        plans[name] = plan
    return plans


def run_stages(run: Run, names: Sequence[str], plans: Plans) -> list[Tally]:
    """Runs stages one after the other, each to its end.

    Args:
        run: What they share.
        names: The stages, in order.
        plans: What each has to do, as `plan_all` found it; a stage after one that changes something is planned anew.

    Returns:
        A tally a stage; in each, inputs = outputs + filtered + rejected.

    Raises:
        MachineError: if the disk is full; what is done is kept.
        StoppedError: if the user stops it; what is done is kept.
    """
    tallies: list[Tally] = []
    for index, name in enumerate(names):
        started = time.monotonic()
        sure = run.sure(names[:index])
        plan = plans[name] or run.plan(name, sure=sure, before=plans)
        tally, plans[name] = run_stage(run, plan, sure)
        tally.seconds = time.monotonic() - started
        run.reporter.done(tally)
        tallies.append(tally)
    return tallies


def run_stage(run: Run, plan: StagePlan, sure: Sequence[str]) -> tuple[Tally, StagePlan]:
    """Runs a stage to its end; errors as in `run_stages`.

    Args:
        run: What the stages share.
        plan: What the stage has to do.
        sure: The stages that have just been found up to date.

    Returns:
        The stage's tally, and the plan as it is now, with nothing left to do.
    """
    folder = run.dataset.stage(plan.stage.name)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    tally = deepcopy(plan.kept)
    tally.shards_made, tally.shards_kept = len(plan.todo), len(plan.sealed)
    sealed = dict(plan.sealed)
    if plan.todo:
        _withdraw(folder)
        sealed |= _make(run, plan, tally, folder)
    for shard in set(list_shards(folder)) - set(plan.shards):
        remove_shard(folder, shard)
    sweep(folder, parts=True)
    _check_conservation(plan, tally)
    done = replace(plan, kept=deepcopy(tally), todo=(), sealed=MappingProxyType(sealed))
    tally.finished = _finish(run, done, folder, tally, sure)
    return tally, done


def _make(run: Run, plan: StagePlan, tally: Tally, folder: Path) -> dict[str, Sealed]:
    """Has the shards made that are to be made, counts them in, and returns what others need to know of them."""
    stage, made = plan.stage, dict[str, Sealed]()
    deaths = _Deaths(run.reporter)
    run.reporter.begin(stage.name, plan, run.cluster)
    began = time.monotonic()
    try:
        for receipt in run.cluster.run(run.make, plan.jobs(run.token, run.retry), deaths.again, gpu=stage.on_gpu):
            deaths.in_a_row = 0
            tally.add([receipt])
            made[receipt.shard] = Sealed.of(receipt)
            run.cache.learn(sealed_files(folder, receipt))
            run.reporter.advance(receipt)
        Estimate(run.dataset.folder).learn(plan, time.monotonic() - began)
    except MachineError as error:
        left = room_needed(folder, [todo.shard for todo in plan.todo])
        raise MachineError(f"{error}{left} What is done is kept: make room and run the same command.") from error
    finally:
        run.reporter.end()
        run.cache.save()
    return made


def _check_conservation(plan: StagePlan, tally: Tally) -> None:
    """Checks that every item of the stage before is an output, filtered or rejected, before the stage is complete.

    Raises:
        ArtefactError: if one is missing.
    """
    stage, given = plan.stage, plan.given
    taken = given if plan.last_recording is not None else tally.inputs
    if taken != given or not tally.conserved or tally.shards_seen != len(plan.shards):
        raise ArtefactError(
            f"`{stage.name}` was given {given} items and took {tally.inputs}, in {tally.shards_seen} of"
            f" {len(plan.shards)} shards: {tally.pieces} pieces = {tally.outputs} outputs"
            f" + {tally.filtered.total()} filtered + {tally.rejected.total()} rejected doesn't add up."
        )


def _withdraw(folder: Path) -> None:
    """Removes what `finish` made, its record last: it doesn't describe the shards that are about to be made."""
    for name in read_sealed(folder / COMPLETE).get("files", {}):
        (folder / name).unlink(missing_ok=True)
    (folder / COMPLETE).unlink(missing_ok=True)


def sweep(folder: Path, *, parts: bool = False) -> None:
    """Removes what a killed run left half written; with `parts` also the sealed parts of shards that are whole now."""
    for path in folder.rglob(".*"):
        if ".tmp" in path.name or (parts and ".part" in path.name):
            path.unlink(missing_ok=True)


def _finish(run: Run, plan: StagePlan, folder: Path, tally: Tally, sure: Sequence[str]) -> bool:
    """Lets the stage make what needs all shards and commits the stage; returns False where that was done already."""
    stage, shards = plan.stage, plan.shards
    digests = [[sealed.digest, sealed.aside] for _, sealed in sorted(plan.sealed.items())]
    joined = [completion_digest(run.dataset, name, sure=name in sure) for name in stage.joins]
    more = [] if (told := stage.finish_parameters()) is None else [told]
    identity = [stage.name, stage.version, stage.config.identity(), stage.revision()]
    fingerprint = digest_of([*identity, digests, joined, *more])
    record = read_sealed(folder / COMPLETE)
    whole = run.cache.hold({f"{folder}/{name}": file["sha256"] for name, file in record.get("files", {}).items()})
    if record.get("fingerprint") == fingerprint and whole:
        return False
    _withdraw(folder)
    _gather_rejects(folder, shards)
    made = {name: seal(folder / name).to_json() for name in [*stage.finish(folder, shards), REJECTS]}
    run_with = {"version": stage.version, "parameters": stage.config.identity(), "revision": stage.revision()}
    complete = {"fingerprint": fingerprint, **run_with, "totals": tally.totals(), "files": made}
    write_sealed(folder / COMPLETE, complete)
    return True


def _gather_rejects(folder: Path, shards: Sequence[str]) -> None:
    """Writes the rejects of all shards into one file for people to read."""
    keys = ("id", "path", "stage", "reason", "message", "hint")
    rows = (row for shard in shards for row in read_lines(folder / f"{shard}.{OUT}") if row["kind"] == "rejected")
    with atomic(folder / REJECTS) as path:
        write_lines(path, ({key: row[key] for key in keys} for row in rows))


def completion_digest(dataset: Dataset, name: str, *, sure: bool = False) -> str:
    """Returns a hash of what a finished stage holds; `sure` where it has just been found up to date.

    Raises:
        MissingInputError: if it isn't finished, or older than what it was made from; names its command.
    """
    fingerprint = read_sealed(dataset.stage(name) / COMPLETE).get("fingerprint")
    if fingerprint is None:
        raise MissingInputError(
            f"`{dataset.stage(name)}` isn't finished. Run `valle-prep {name} --out {dataset.folder}` first."
        )
    for shard in [] if sure else list_shards(dataset.stage(name)):
        if receipt := read_receipt(dataset.stage(name), shard):
            check_fresh(receipt, name, dataset)
    return str(fingerprint)


def note_if_stale(folder: Path, names: Sequence[str]) -> str:
    """Returns a line if one of some stages isn't finished, or older than what it was made from; "" if all is well.

    Args:
        folder: The dataset's.
        names: The stages whose output is about to be used; one that never ran is passed over.
    """
    dataset = Dataset(folder, Path())
    try:
        for name in names:
            if list_shards(dataset.stage(name)):
                completion_digest(dataset, name)
    except MissingInputError as error:
        return f"note: this is of what `{name}` holds, which isn't up to date. {error}"
    return ""


def read_status(dataset: Dataset) -> list[Tally]:
    """Returns what each stage holds now, without checking a byte of it."""
    tallies = []
    for name in stages_of(dataset):
        folder = dataset.stage(name)
        shards = list_shards(folder)
        tally = Tally(name, shards_kept=len(shards))
        tally.add(receipt for shard in shards if (receipt := read_receipt(folder, shard)))
        tallies.append(tally)
    return tallies


class _Deaths:
    """Tries a shard again when its worker died: the worker finds out which item is to blame."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.in_a_row = 0

    def again(self, job: ShardJob) -> ShardJob:
        """Returns the job to try next.

        Raises:
            WorkerDiedError: if workers do nothing but die.
        """
        self.in_a_row += 1
        if self.in_a_row > _MOST_DEATHS:
            raise WorkerDiedError(
                f"`{job.stage}`: workers died {_MOST_DEATHS} times and made nothing. Look at memory (`--jobs`)."
                " What is done is kept: run the same command again."
            )
        self._reporter.say(f"{job.stage}: a worker died; shard {job.shard} is tried again")
        return job
