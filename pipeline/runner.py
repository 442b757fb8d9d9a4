"""Drives the stages: plan, make the shards that are missing, account for every item, finish, commit.

The only place that knows how work is shared out. Whatever is killed, the next run goes on where this one stopped:
what is done is what has a receipt.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.cluster import Cluster, WorkerDiedError
from pipeline.config import STAGES, PrepConfig, build_stage
from pipeline.dataset import RECORDINGS, Dataset, read_all_recordings
from pipeline.digests import DigestCache
from pipeline.plan import ShardJob, StagePlan, check_fresh, plan_stage
from pipeline.report import Reporter, StageReport
from pipeline.shard import journal_path, run_shard
from stages.base import Context, Stage
from stages.errors import ArtefactError, MissingInputError, WeightsError
from stages.manifest import digest_of, list_shards, read_receipt, remove_shard, seal, write_text

_COMPLETE = "stage.json"
"""The commit record of a whole stage: totals, and the checksums of what `finish` made."""
_MOST_DEATHS = 20
"""Deaths after which a job is given up: the machine is at fault, not an item."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the stages of one command share."""

    dataset: Dataset
    config: PrepConfig
    device: str
    cluster: Cluster
    cache: DigestCache
    reporter: Reporter
    last_recording: str | None = None

    def stage(self, name: str) -> Stage[Any, Any, Any]:
        """Returns a stage, not yet set up."""
        return build_stage(name, self.config, Context(self.dataset.voices, self.dataset.folder.resolve(), self.device))

    def plan(self, stage: Stage[Any, Any, Any]) -> StagePlan:
        """Returns what a stage has to do."""
        return plan_stage(stage, self.dataset, self.cache, last_recording=self.last_recording)


def check_stages(run: Run, names: Sequence[str]) -> None:
    """Asks every stage what would stop it, before any work begins.

    Raises:
        WeightsError: with all of the problems, a line each.
    """
    problems = []
    for name in names:
        stage = run.stage(name)
        items = read_all_recordings(run.dataset) if stage.needs == RECORDINGS else []
        problems += [f"`{name}`: {problem}" for problem in stage.check(items)]
    if problems:
        raise WeightsError("\n".join(problems))


def plan_all(run: Run, names: Sequence[str]) -> Iterator[tuple[str, StagePlan | None]]:
    """Yields each stage's plan; None for a stage whose inputs are yet to be made."""
    changed = False
    for name in names:
        try:
            plan = (
                None
                if changed
                else plan_stage(run.stage(name), run.dataset, run.cache, last_recording=run.last_recording)
            )
        except MissingInputError:
            if name == names[0]:
                raise
            plan = None
        changed = changed or plan is None or bool(plan.jobs)
        yield name, plan


def run_stages(run: Run, names: Sequence[str]) -> list[StageReport]:
    """Runs stages one after the other, each to its end.

    Returns:
        A report a stage; in each, inputs = outputs + filtered + rejected.
    """
    return [_run_stage(run, run.stage(name)) for name in names]


def _run_stage(run: Run, stage: Stage[Any, Any, Any]) -> StageReport:
    started = time.monotonic()
    folder = run.dataset.stage(stage.name)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    plan = run.plan(stage)
    report = StageReport(stage.name, shards_made=len(plan.jobs), shards_kept=len(plan.done))
    report.add(plan.done)
    if plan.jobs:
        _withdraw(folder)
    run.reporter.begin(stage.name, len(plan.jobs), len(plan.done))
    deaths = _Deaths(run.reporter)
    try:
        for receipt in run.cluster.run(run_shard, plan.jobs, deaths.next_job):
            report.add([receipt])
            run.reporter.advance(receipt)
    finally:
        run.reporter.end()
        run.cache.save()
    for shard in set(list_shards(folder)) - set(plan.shards):
        remove_shard(folder, shard)
    _check_conservation(run, stage, plan, report)
    report.finished = _finish(run, stage, folder, plan.shards, report)
    report.seconds = time.monotonic() - started
    return report


def _check_conservation(run: Run, stage: Stage[Any, Any, Any], plan: StagePlan, report: StageReport) -> None:
    """Checks that every item of the stage before is an output, filtered or rejected, before the stage is complete.

    Raises:
        ArtefactError: if one is missing.
    """
    receipts = [read_receipt(run.dataset.stage(stage.needs), shard) for shard in plan.shards]
    given = sum(receipt.outputs for receipt in receipts if receipt)
    taken = given if run.last_recording is not None else report.inputs
    if taken != given or not report.conserved or report.shards_seen != len(plan.shards):
        raise ArtefactError(
            f"`{stage.name}` was given {given} items and took {report.inputs}, in {report.shards_seen} of"
            f" {len(plan.shards)} shards: {report.pieces} pieces = {report.outputs} outputs"
            f" + {report.filtered.total()} filtered + {report.rejected.total()} rejected doesn't add up."
        )


def _withdraw(folder: Path) -> None:
    """Removes what `finish` made, its record last: it doesn't describe the shards that are about to be made."""
    for name in _read_completion(folder).get("files", {}):
        (folder / name).unlink(missing_ok=True)
    (folder / _COMPLETE).unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Removes what a killed run left half written."""
    for path in folder.rglob(".*.tmp*"):
        path.unlink(missing_ok=True)


def _finish(run: Run, stage: Stage[Any, Any, Any], folder: Path, shards: Sequence[str], report: StageReport) -> bool:
    """Lets the stage make what needs all shards and commits the stage; returns False where that was done already."""
    digests = [receipt.digest for shard in shards if (receipt := read_receipt(folder, shard))]
    joined = [completion_digest(run.dataset, name) for name in stage.joins]
    fingerprint = digest_of([stage.name, stage.version, stage.config.identity(), stage.revision(), digests, joined])
    record = _read_completion(folder)
    files = record.get("files", {})
    whole = all(run.cache.digest(folder / name) == file["sha256"] for name, file in files.items())
    if record.get("fingerprint") == fingerprint and whole:
        return False
    (folder / _COMPLETE).unlink(missing_ok=True)
    made = {name: seal(folder / name).to_json() for name in stage.finish(folder, shards)}
    for name in set(files) - set(made):
        (folder / name).unlink(missing_ok=True)
    totals = {key: value for key, value in report.to_json().items() if not key.startswith(("shards", "seconds"))}
    complete = {"fingerprint": fingerprint, "totals": totals, "files": made}
    write_text(folder / _COMPLETE, json.dumps(complete, ensure_ascii=False, indent=1) + "\n")
    return True


def completion_digest(dataset: Dataset, name: str) -> str:
    """Returns a hash of what a finished stage holds.

    Raises:
        MissingInputError: if it isn't finished, or older than what it was made from; names its command.
    """
    fingerprint = _read_completion(dataset.stage(name)).get("fingerprint")
    if fingerprint is None:
        raise MissingInputError(
            f"`{dataset.stage(name)}` isn't finished. Run `valle-prep {name} --out {dataset.folder}` first."
        )
    for shard in list_shards(dataset.stage(name)):
        if receipt := read_receipt(dataset.stage(name), shard):
            check_fresh(receipt, name, dataset)
    return str(fingerprint)


def _read_completion(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def read_status(dataset: Dataset) -> list[StageReport]:
    """Returns what each stage holds now, without checking a byte of it."""
    reports = []
    for name in STAGES:
        folder = dataset.stage(name)
        report = StageReport(name, shards_kept=len(list_shards(folder)))
        report.add(receipt for shard in list_shards(folder) if (receipt := read_receipt(folder, shard)))
        reports.append(report)
    return reports


class _Deaths:
    """Decides what to do when a worker dies: try again, then item by item, then without the item that kills."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._count: dict[str, int] = {}
        self._suspects: dict[str, str] = {}

    def next_job(self, job: ShardJob) -> ShardJob:
        """Returns the job to try next, given what the dead worker had in hand."""
        journal = journal_path(job.context.dataset / job.stage, job.shard)
        in_hand = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
        journal.unlink(missing_ok=True)
        self._count[job.shard] = self._count.get(job.shard, 0) + 1
        if self._count[job.shard] > _MOST_DEATHS:
            raise WorkerDiedError(
                f"`{job.stage}`, shard {job.shard}: its worker died {_MOST_DEATHS} times. Look at memory."
            )
        if not in_hand:
            return job
        if not job.alone:
            self._reporter.say(f"{job.stage}: a worker died; trying its {len(in_hand)} items one by one")
            return replace(job, alone=True)
        if self._suspects.get(job.shard) == in_hand[0]:
            self._reporter.say(f"{job.stage}: `{in_hand[0]}` kills its worker: rejected")
            return replace(job, poisoned=(*job.poisoned, in_hand[0]))
        self._suspects[job.shard] = in_hand[0]
        return job
