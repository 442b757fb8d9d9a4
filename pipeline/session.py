"""Runs a `valle-prep` command from its options to its exit code, with one dataset, one lock and one cluster.

All problems that can be known beforehand are reported together, before anything is written. A dry run writes nothing.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cluster.cluster import STOPPED, open_cluster
from pipeline.cluster.scheduler import Scheduler, parse_scheduler
from pipeline.config import STAGES, PrepConfig, build_stage, check_together, stage_class, wanted_stages
from pipeline.dataset import lock
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import (
    DIGESTS,
    RECORDINGS,
    Dataset,
    check_cleaned,
    check_made_here,
    check_voices,
    configuration,
    make_folder,
    new_dataset,
    open_dataset,
    write_head,
)
from pipeline.dataset.recordings import ScanCounts, Walk, find_recordings, nth_recording
from pipeline.options import Options, device_of
from pipeline.runner.estimate import Estimate, expected, report_full_disk
from pipeline.runner.interrupt import Interrupt
from pipeline.runner.preflight import PreflightError, check, check_stages
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, plan_all, read_status, run_stages, sweep
from pipeline.runner.tally import Tally, exit_code
from stages.artefacts.manifest import list_shards
from stages.base import Context
from stages.corpora.scan import check_folder, walk
from stages.errors import ExitCode, StoppedError, UsageError, ValleError
from stages.machine import cores, nothing_fetched
from stages.remote import files as remote
from stages.remote.listing import LISTING


class Problems:
    """Collects user errors, to report them together."""

    def __init__(self) -> None:
        self._found: list[ValleError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keeps a `ValleError` instead of raising it."""
        try:
            yield
        except ValleError as error:
            self._found.append(error)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_all(self) -> None:
        """Raises the collected errors: a single one as it is, several as one error with a line each."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            error = PreflightError("\n".join(map(str, self._found)))
            error.exit_code = max(problem.exit_code for problem in self._found)
            raise error


def prepare(
    options: Options,
    names: Sequence[str] | None,
    *,
    voices: Path | None = None,
    sets: Sequence[str] = (),
    retry: Sequence[str] = (),
    done: Sequence[Tally] = (),
) -> ExitCode:
    """Runs stages, or shows their plan for a dry run.

    Args:
        options: The command's options.
        names: The stages, in order; None for all that the configuration asks for.
        voices: The folder of recordings; None for the one the dataset was made from.
        sets: More `section.key=value` items, from the command's own options.
        retry: Reject reasons to process again; `*` for all.
        done: Tallies of stages that the command has already run; reported with the others.

    Returns:
        The exit code.
    """
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    config = configuration(options, sets)
    names = wanted_stages(config) if names is None else names
    check_together(config, names)
    if kept := _kept_keys(options, sets, config, names):
        reporter.say(f"kept from the last run (change with `--set` or `--config`): {', '.join(kept)}")
    if options.verbose:
        reporter.say(config.model_dump_json(indent=1))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) if options.dry_run and voices else None
        scheduler, dataset = _resolve(options, names, config, voices, scratch)
        token, stop = "", None
        if not options.dry_run:
            make_folder(dataset.folder)
            token = stack.enter_context(lock.hold(dataset.folder, reporter.say))
            stop = stack.enter_context(Interrupt(dataset.folder, reporter.say))
            stack.enter_context(report_full_disk(dataset, names))
            stack.push(partial(_tidy_up, dataset.folder))
        cache = stack.enter_context(DigestCache(dataset.folder / DIGESTS, read_only=options.dry_run))
        cluster = stack.enter_context(open_cluster(scheduler, lambda: stop is not None and stop.asked))
        if voices is not None:
            told = config.transcribe
            room = Path(stack.enter_context(tempfile.TemporaryDirectory())) if options.dry_run else dataset.folder
            new_list = stack.enter_context(remote.listed(dataset.voices, room, dataset.folder / LISTING))
            how: dict[str, Any] = {"layout": told.layout, "columns": told.columns, "raw": bool(told.raw)}
            scan = partial(walk, **how)
            seen = how if new_list is None else None
            reporter.say_found(find(options, dataset, cache, walk=scan, reporter=reporter, stop=stop, told=seen))
            if not options.dry_run:
                remote.keep_listing(new_list, dataset.voices, dataset.folder)
        last = nth_recording(dataset.stage(RECORDINGS), options.limit) if options.limit and voices is None else None
        run = Run(
            dataset=dataset,
            config=config,
            device=scheduler.worker_device,
            cluster=cluster,
            cache=cache,
            reporter=reporter,
            token=token,
            scanned=voices is not None,
            last_recording=last,
            retry=tuple(retry),
        )
        if options.dry_run:
            check_stages(run, names, fetch=False)
            reporter.show_plan(_plan_rows(run, names), explain=options.explain)
            return ExitCode.DONE
        plans = check(run, names)
        write_head(dataset, config, names)
        tallies = [*done, *run_stages(run, names, plans)]
    reporter.close(tallies)
    if not any(tally.shards_made or tally.finished for tally in tallies):
        reporter.say("nothing to do: everything is up to date")
    return exit_code(tallies)


def _resolve(
    options: Options, names: Sequence[str], config: PrepConfig, voices: Path | None, scratch: Path | None
) -> tuple[Scheduler, Dataset]:
    """Resolves the scheduler and the dataset; reports all problems of options and configuration together."""
    problems = Problems()
    with problems.collect():
        device = device_of(options.device)
        scheduler = parse_scheduler(options.scheduler, jobs=options.jobs, device=device)
    with problems.collect():
        dataset = open_dataset(options.out) if voices is None else new_dataset(options.out, voices, recordings=scratch)
    with problems.collect():
        if voices is not None:
            check_folder(voices)
        elif not problems:
            check_voices(dataset)
            check_made_here(dataset, names)
            check_cleaned(dataset, config, names)
    if problems:
        for name in names:
            with problems.collect():
                context = Context(voices or options.out, options.out, weights=config.encode.weights)
                if found := build_stage(name, config, context).check([]):
                    raise PreflightError("\n".join(f"`{name}`: {problem}" for problem in found))
    problems.raise_all()
    return scheduler, dataset


def _tidy_up(folder: Path, kind: type[BaseException] | None, *_: object) -> None:
    """Removes half-written files after an error: the workers are gone by now."""
    for stage in (RECORDINGS, *STAGES) if kind else ():
        sweep(folder / stage)


def find(
    options: Options,
    dataset: Dataset,
    cache: DigestCache,
    *,
    walk: Walk,
    reporter: Reporter,
    stop: Interrupt | None,
    told: Any = None,
) -> ScanCounts:
    """Scans the voices folder with `find_recordings` and shows the progress.

    Args:
        options: The command's options.
        dataset: The dataset to write the recordings to.
        cache: Known digests.
        walk: Lists the recordings.
        reporter: Shows the progress.
        stop: Tells whether the user wants to stop; None if there is nothing to tell it.
        told: All that `walk` depends on besides the folder; None: unknown, so the folder is walked in any case.

    Raises:
        StoppedError: if the user stops it; others as `find_recordings`.
    """

    def progress(done: int, total: int) -> None:
        if stop and stop.asked:
            raise StoppedError(STOPPED)
        reporter.reading(done, total)

    threads = options.jobs or cores()
    return find_recordings(
        dataset, cache, walk=walk, limit=options.limit, threads=threads, progress=progress, told=told
    )


_FOLLOWS, _NO_WEIGHTS = "an earlier stage changes", "its weights aren't downloaded yet"


def _plan_rows(run: Run, names: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the rows of a dry run.

    Returns:
        One row per stage, with the keys
            `stage`;
            `to_do`: shards to make; None: all of them, because an earlier stage changes or weights are missing;
            `kept`: shards that stay as they are;
            `items`: items in the shards to make, an upper bound: finished items are carried over;
            `hours`: hours of audio in these items; None if unknown;
            `seconds`: estimated from earlier runs on this dataset; None if there are none;
            `bytes`: disk space needed;
            `why`: number of shards per reason;
            `shards`: the shards to make, each with `shard`, `why` and `items`.
    """
    estimate = Estimate(run.dataset.folder)
    with nothing_fetched():
        plans = plan_all(run, names)
    before = expected(run.dataset, plans)
    rows: list[dict[str, Any]] = []
    for name, plan in plans.items():
        cost = estimate.cost(run.dataset, name, before[name])
        todo = plan.todo if plan else []
        unknown = _FOLLOWS if any(row["to_do"] != 0 for row in rows) else _NO_WEIGHTS
        rows.append(
            {
                "stage": name,
                "to_do": len(todo) if plan else None,
                "kept": len(plan.sealed) if plan else 0,
                "items": cost.items,
                "hours": cost.hours,
                "seconds": cost.seconds,
                "bytes": cost.bytes,
                "why": dict(plan.why) if plan else {unknown: len(list_shards(run.dataset.stage(name)))},
                "shards": [{"shard": shard.shard, "why": shard.why, "items": shard.inputs} for shard in todo],
            }
        )
    return rows


def retry(options: Options, reasons: Sequence[str]) -> ExitCode:
    """Processes rejected items again, and updates the stages after them.

    Args:
        options: The command's options.
        reasons: Reject reasons to retry; empty for all.

    Returns:
        The exit code.

    Raises:
        UsageError: if nothing was rejected for one of the reasons.
    """
    dataset = open_dataset(options.out)
    tallies = read_status(dataset)
    rejected = {reason for tally in tallies for reason in tally.rejected}
    unknown = sorted(set(reasons) - rejected)
    if unknown:
        known = ", ".join(f"`{reason}`" for reason in sorted(rejected)) or "none"
        raise UsageError(
            f"`--reason` must be a reason for which `{options.out}` has rejects, but is `{unknown[0]}`."
            f" Reasons there: {known}."
        )
    names = [name for name in STAGES if list_shards(dataset.stage(name)) and (name != "clean" or dataset.cleaner)]
    return prepare(options, names, retry=tuple(reasons) or ("*",))


def _kept_keys(options: Options, sets: Sequence[str], config: PrepConfig, names: Sequence[str]) -> list[str]:
    """Returns the settings remembered from the last run that aren't defaults and aren't set on the command line."""
    given = {item.partition("=")[0].strip() for item in (*(options.sets or ()), *sets)}
    default, now = PrepConfig().model_dump(mode="json"), config.model_dump(mode="json")
    used = [(name, key) for name in names for key in now[name]]
    used += [key for name in names for key in stage_class(name).borrows if key[0] not in names]
    return [
        f"{name}.{key}={json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}"
        for name, key in (() if options.config else used)
        if (value := now[name][key]) != default[name][key] and f"{name}.{key}" not in given
    ]
