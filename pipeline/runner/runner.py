"""Runs the stages: makes the missing shards, accounts for every item, finishes each stage and commits it.

A shard is done when it has a receipt. So a run that is killed at any moment goes on where it stopped.
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
from pipeline.dataset.folder import RECORDINGS, REJECTS, Dataset, sections_of, stages_of
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
"""Worker deaths in a row, with no shard made in between, after which the run stops: no item is to blame for so many."""


@dataclass(frozen=True, slots=True)
class Run:
    """State that the stages of one command share."""

    dataset: Dataset
    config: PrepConfig
    device: str
    cluster: Cluster
    cache: DigestCache
    reporter: Reporter
    token: str = ""
    """The run's token: workers check that the dataset still belongs to it."""
    scanned: bool = False
    """Whether this command has just scanned the recordings."""
    last_recording: str | None = None
    """Recordings after this id are left out; None: none is."""
    retry: tuple[str, ...] = ()
    """Reject reasons to process again; `*` for all."""

    make: Callable[[ShardJob], Receipt] = run_shard
    """Makes a shard. `valle-prep import` has its own: its stage isn't one that a worker can build by name."""

    def stage(self, name: str) -> Stage[Any, Any, Any]:
        """Builds a stage, without setting it up."""
        context = Context(
            self.dataset.voices,
            self.dataset.folder.resolve(),
            self.device,
            weights=self.config.encode.weights,
            exact=self.config.encode.exact,
            layout=self.config.transcribe.layout,
            columns=tuple(self.config.transcribe.columns.items()),
            raw=self.config.transcribe.raw or "",
            verify=self.config.transcribe.verify or "",
            cleaner=self.config.clean.cleaner or "",
        )
        return build_stage(name, self.config, context)

    def verified(self, before: Sequence[str]) -> list[str]:
        """Returns the stages that this command knows to be up to date, after running the stages `before`."""
        return [*before, *([RECORDINGS] if self.scanned else [])]

    def plan(self, name: str, *, verified: Sequence[str] = (), plans: "Plans | None" = None) -> StagePlan:
        """Plans a stage.

        Args:
            name: The stage.
            verified: Stages just found up to date: they aren't checked again.
            plans: Their plans.
        """
        stage = self.stage(name)
        known = plans.get(stage.before) if plans else None
        return plan_stage(
            stage,
            self.dataset,
            self.cache,
            last_recording=self.last_recording,
            retry=self.retry,
            verified=stage.before in verified,
            before=known.sealed if known and stage.before in verified else None,
        )


Plans = dict[str, StagePlan | None]
"""The plan of each stage; None if its inputs aren't made yet."""


def plan_all(run: Run, names: Sequence[str]) -> Plans:
    """Plans the stages, in order; None for every stage after one that has something to do."""
    changed = False
    plans: Plans = {}
    for index, name in enumerate(names):
        try:
            plan = None if changed else run.plan(name, verified=run.verified(names[:index]), plans=plans)
        except (MissingInputError, WeightsError):  # weights are missing only in a dry run, which downloads nothing
            if name == names[0]:
                raise
            plan = None
        changed = changed or plan is None or bool(plan.todo)
        plans[name] = plan
    return plans


def run_stages(run: Run, names: Sequence[str], plans: Plans) -> list[Tally]:
    """Runs stages one after the other.

    Args:
        run: The state they share.
        names: The stages, in order.
        plans: Their plans from `plan_all`. A missing one (None) is made when its turn comes; all are updated.

    Returns:
        One tally per stage; in each, pieces = outputs + filtered + rejected.

    Raises:
        MachineError: if the disk is full; finished work is kept.
        StoppedError: if the user stops it; finished work is kept.
    """
    tallies: list[Tally] = []
    for index, name in enumerate(names):
        started = time.monotonic()
        verified = run.verified(names[:index])
        plan = plans[name] or run.plan(name, verified=verified, plans=plans)
        tally, plans[name] = run_stage(run, plan, verified)
        tally.seconds = time.monotonic() - started
        run.reporter.done(tally)
        tallies.append(tally)
    return tallies


def run_stage(run: Run, plan: StagePlan, verified: Sequence[str]) -> tuple[Tally, StagePlan]:
    """Runs one stage; raises the same errors as `run_stages`.

    Args:
        run: The state that the stages share.
        plan: The stage's plan.
        verified: Stages just found up to date.

    Returns:
        The stage's tally, and its new plan with nothing left to do.
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
    tally.finished = _finish(run, done, folder, tally, verified)
    return tally, done


def _make(run: Run, plan: StagePlan, tally: Tally, folder: Path) -> dict[str, Sealed]:
    """Makes the planned shards on the cluster, adds them to the tally, and returns them by name."""
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
        Estimate(run.dataset.folder).learn(plan, time.monotonic() - began, run.cluster.workers())
    except MachineError as error:
        left = room_needed(folder, [todo.shard for todo in plan.todo])
        raise MachineError(f"{error}{left} Finished work is kept: make room and run the same command.") from error
    finally:
        run.reporter.end()
        run.cache.save()
    return made


def _check_conservation(plan: StagePlan, tally: Tally) -> None:
    """Checks that every item of the stage before became an output, was filtered or was rejected.

    Raises:
        ArtefactError: if the counts don't add up.
    """
    stage, given = plan.stage, plan.given
    taken = given if plan.last_recording is not None else tally.inputs
    if taken != given or not tally.conserved or tally.shards_seen != len(plan.shards):
        raise ArtefactError(
            f"`{stage.name}` must account for every item, but took {tally.inputs} of {given}, in {tally.shards_seen} of"
            f" {len(plan.shards)} shards, and made {tally.pieces} pieces: {tally.outputs} outputs"
            f" + {tally.filtered.total()} filtered + {tally.rejected.total()} rejected. Run the same command again;"
            " if that doesn't help, report it as a bug."
        )


def _withdraw(folder: Path) -> None:
    """Removes the files that `finish` made, and last its record: they don't describe the new shards."""
    for name in read_sealed(folder / COMPLETE).get("files", {}):
        (folder / name).unlink(missing_ok=True)
    (folder / COMPLETE).unlink(missing_ok=True)


def sweep(folder: Path, *, parts: bool = False) -> None:
    """Removes half-written files of a killed run; with `parts` also the saved parts of finished shards."""
    for path in folder.rglob(".*"):
        if ".tmp" in path.name or (parts and ".part" in path.name):
            path.unlink(missing_ok=True)


def _finish(run: Run, plan: StagePlan, folder: Path, tally: Tally, verified: Sequence[str]) -> bool:
    """Calls the stage's `finish` and commits the stage; returns False if that was done before."""
    stage, shards = plan.stage, plan.shards
    digests = [[sealed.digest, sealed.aside] for _, sealed in sorted(plan.sealed.items())]
    joined = [completion_digest(run.dataset, name, verified=name in verified) for name in stage.joins]
    more = [] if (parameters := stage.finish_parameters()) is None else [parameters]
    identity = [stage.name, stage.version, stage.config.identity(), stage.revision()]
    fingerprint = digest_of([*identity, digests, joined, *more])
    record = read_sealed(folder / COMPLETE)
    whole = run.cache.holds_all({f"{folder}/{name}": file["sha256"] for name, file in record.get("files", {}).items()})
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
    """Writes the rejects of all shards into one readable file."""
    keys = ("id", "path", "stage", "reason", "message", "hint")
    rows = (row for shard in shards for row in read_lines(folder / f"{shard}.{OUT}") if row["kind"] == "rejected")
    with atomic(folder / REJECTS) as path:
        write_lines(path, ({key: row[key] for key in keys} for row in rows))


def completion_digest(dataset: Dataset, name: str, *, verified: bool = False) -> str:
    """Returns the fingerprint of a finished stage.

    Args:
        dataset: The dataset.
        name: The stage.
        verified: Whether it was just found up to date: then it isn't checked again.

    Raises:
        MissingInputError: if the stage isn't finished or is older than its inputs; names the command to run.
    """
    fingerprint = read_sealed(dataset.stage(name) / COMPLETE).get("fingerprint")
    if fingerprint is None:
        raise MissingInputError(
            f"`{dataset.stage(name)}` isn't finished. Run `valle-prep {name} --out {dataset.folder}` first."
        )
    for shard in [] if verified else list_shards(dataset.stage(name)):
        if receipt := read_receipt(dataset.stage(name), shard):
            check_fresh(receipt, name, dataset)
    return str(fingerprint)


def note_if_stale(folder: Path, names: Sequence[str]) -> str:
    """Returns a note if one of these stages isn't finished or is older than its inputs; "" if all are up to date.

    Args:
        folder: The dataset's folder.
        names: Stages about to be read; those that never ran are skipped.
    """
    dataset = Dataset(folder, Path(), sections=sections_of(folder))
    try:
        for name in names:
            if list_shards(dataset.stage(name)):
                completion_digest(dataset, name)
    except MissingInputError as error:
        return f"note: this uses the output of `{name}`, which isn't up to date. {error}"
    return ""


def read_status(dataset: Dataset) -> list[Tally]:
    """Returns a tally of each stage from its receipts, without checking the files."""
    tallies = []
    for name in stages_of(dataset):
        folder = dataset.stage(name)
        shards = list_shards(folder)
        tally = Tally(name, shards_kept=len(shards))
        tally.add(receipt for shard in shards if (receipt := read_receipt(folder, shard)))
        tallies.append(tally)
    return tallies


class _Deaths:
    """Retries a shard after a worker's death: the next worker finds the item to blame."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.in_a_row = 0

    def again(self, job: ShardJob) -> ShardJob:
        """Returns the job to try next.

        Raises:
            WorkerDiedError: after `_MOST_DEATHS` deaths in a row.
        """
        self.in_a_row += 1
        if self.in_a_row > _MOST_DEATHS:
            raise WorkerDiedError(
                f"`{job.stage}`: workers died {_MOST_DEATHS} times and made nothing. Lack of memory is the usual cause:"
                " give fewer `--jobs`. Finished work is kept: run the same command again."
            )
        self._reporter.say(f"{job.stage}: a worker died; retrying shard {job.shard}")
        return job
