"""What a command of `valle-prep` does from its options to its exit code: one dataset, one lock, one cluster.

All problems that can be known beforehand are told at once; nothing is written before that, nor by a dry run.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cluster.cluster import STOPPED, open_cluster
from pipeline.cluster.scheduler import Scheduler, parse_scheduler
from pipeline.config import STAGES, PrepConfig, build_stage, check_together, wanted_stages
from pipeline.dataset import lock
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import (
    DIGESTS,
    RECORDINGS,
    Dataset,
    check_made_here,
    check_voices,
    make_folder,
    new_dataset,
    open_dataset,
    write_head,
)
from pipeline.dataset.recordings import ScanCounts, Walk, find_recordings, nth_recording
from pipeline.runner.estimate import Estimate, expected, full_disk_told
from pipeline.runner.interrupt import Interrupt
from pipeline.runner.preflight import PreflightError, check, check_stages
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, plan_all, read_status, run_stages, sweep
from pipeline.runner.tally import Tally, exit_code
from stages.artefacts.manifest import list_shards
from stages.base import Context
from stages.codecs import weights
from stages.corpora.scan import check_folder, walk
from stages.errors import ExitCode, StoppedError, UsageError, ValleError
from stages.machine import cores

if TYPE_CHECKING:
    from pipeline.options import Options

from pipeline.dataset.folder import configuration
from pipeline.options import device_of


class Problems:
    """Collects what is wrong, to tell it all at once."""

    def __init__(self) -> None:
        self._found: list[ValleError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Notes a problem instead of raising it."""
        try:
            yield
        except ValleError as error:
            self._found.append(error)

    def __bool__(self) -> bool:
        return bool(self._found)

    def tell(self) -> None:
        """Raises what was found: a single problem as it is, several as one error with a line each."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            error = PreflightError("\n".join(map(str, self._found)))
            error.exit_code = max(problem.exit_code for problem in self._found)
            raise error


def prepare(
    options: "Options",
    names: Sequence[str] | None,
    *,
    voices: Path | None = None,
    sets: Sequence[str] = (),
    retry: Sequence[str] = (),
    done: Sequence[Tally] = (),
) -> ExitCode:
    """Runs stages, or shows what they would do.

    Args:
        options: The command's options.
        names: The stages, in order; None for all that the configuration asks for.
        voices: The folder of recordings; None for the one that the dataset was made from.
        sets: More `section.key=value` items, from the command's own options.
        retry: Reasons of rejects to process again, `*` for all.
        done: What the command has done before; told with the rest.

    Returns:
        What the shell is told.
    """
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    config = configuration(options, sets)
    names = wanted_stages(config) if names is None else names
    check_together(config, names)
    if kept := _kept(options, sets, config, names):
        reporter.say(f"as the dataset was made, unless `--set` or `--config` says otherwise: {', '.join(kept)}")
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
            stack.enter_context(full_disk_told(dataset, names))
            stack.push(partial(_tidy_up, dataset.folder))
        cache = stack.enter_context(DigestCache(dataset.folder / DIGESTS, read_only=options.dry_run))
        cluster = stack.enter_context(open_cluster(scheduler, lambda: stop is not None and stop.asked))
        if voices is not None:
            scan = partial(walk, layout=config.transcribe.layout)
            reporter.say_found(find(options, dataset, cache, walk=scan, reporter=reporter, stop=stop))
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
    options: "Options", names: Sequence[str], config: PrepConfig, voices: Path | None, scratch: Path | None
) -> tuple[Scheduler, Dataset]:
    """Makes sense of what the command was given; looks into everything before it complains."""
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
    if problems:
        for name in names:
            with problems.collect():
                context = Context(voices or options.out, options.out, weights=config.encode.weights)
                if found := build_stage(name, config, context).check([]):
                    raise PreflightError("\n".join(f"`{name}`: {problem}" for problem in found))
    problems.tell()
    return scheduler, dataset


def _tidy_up(folder: Path, kind: type[BaseException] | None, *_: object) -> None:
    """Removes what was being written when the work stopped: the workers are gone by now."""
    for stage in (RECORDINGS, *STAGES) if kind else ():
        sweep(folder / stage)


def find(
    options: "Options", dataset: Dataset, cache: DigestCache, *, walk: Walk, reporter: Reporter, stop: Interrupt | None
) -> ScanCounts:
    """Scans the voices folder as `find_recordings` does, with its progress shown, until the user stops it.

    Args:
        options: The command's options.
        dataset: Where.
        cache: Digests known from before.
        walk: Lists the recordings.
        reporter: Shows the progress.
        stop: Whether the user has had enough; None where nothing watches.

    Raises:
        StoppedError: if the user stops it.
    """

    def progress(done: int, total: int) -> None:
        if stop and stop.asked:
            raise StoppedError(STOPPED)
        reporter.reading(done, total)

    threads = options.jobs or cores()
    return find_recordings(dataset, cache, walk=walk, limit=options.limit, threads=threads, progress=progress)


_FOLLOWS, _NO_WEIGHTS = "a stage before changes", "its weights aren't here yet"


def _plan_rows(run: Run, names: Sequence[str]) -> list[dict[str, Any]]:
    """Returns what each stage would do.

    Returns:
        A row a stage with the keys
            `stage`;
            `to_do`, `kept`: shards to make (None: all, since a stage before changes) and shards that stay;
            `items`, `hours`: what the shards to make hold, at most (finished items of them are carried over); None
                where nobody knows;
            `seconds`: how long that takes by what it took here before; None where it never ran here;
            `bytes`: the room it needs;
            `why`: how many shards for which reason;
            `shards`: each shard to make, with `shard`, `why` and `items`.
    """
    estimate = Estimate(run.dataset.folder)
    with weights.nothing_fetched():
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
                "shards": [{"shard": one.shard, "why": one.why, "items": one.inputs} for one in todo],
            }
        )
    return rows


def retry(options: "Options", reasons: Sequence[str]) -> ExitCode:
    """Processes rejected items again, and what follows from them.

    Args:
        options: The command's options.
        reasons: Only rejects for these; none for all.

    Raises:
        UsageError: if nothing was rejected for one of the reasons.
    """
    dataset = open_dataset(options.out)
    tallies = read_status(dataset)
    rejected = {reason for tally in tallies for reason in tally.rejected}
    unknown = sorted(set(reasons) - rejected)
    if unknown:
        there = ", ".join(f"`{reason}`" for reason in sorted(rejected)) or "nothing"
        raise UsageError(f"Nothing was rejected for `{unknown[0]}` in `{options.out}`; there is {there}.")
    names = [name for name in STAGES if list_shards(dataset.stage(name))]
    return prepare(options, names, retry=tuple(reasons) or ("*",))


def _kept(options: "Options", sets: Sequence[str], config: PrepConfig, names: Sequence[str]) -> list[str]:
    """Returns the keys that are as the dataset was made, and neither the default nor on the command line."""
    told = {item.partition("=")[0].strip() for item in (*(options.sets or ()), *sets)}
    default, now = PrepConfig().model_dump(mode="json"), config.model_dump(mode="json")
    return [
        f"{name}.{key}={json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}"
        for name in (() if options.config else names)
        for key, value in now[name].items()
        if value != default[name][key] and f"{name}.{key}" not in told
    ]
