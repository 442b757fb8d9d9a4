"""Makes one shard on a worker: reads the items, carries over finished ones, processes the rest, commits the shard.

Independent of Dask. It may be killed at any moment and called any number of times. A long shard is saved in parts, so a
kill loses seconds of work, not hours.
"""

import marshal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.config import stage_class, stage_from_json
from pipeline.dataset.folder import RECORDINGS
from pipeline.dataset.lock import work
from pipeline.dataset.recordings import read_recordings
from pipeline.runner.attempt import Attempt, TimeLimitError, Verdict, asked_to_stop, open_attempt
from pipeline.runner.commit import Done, Outcomes, commit, parts_of, read_done, recording_of, remove_parts
from pipeline.runner.plan import ShardJob
from stages.artefacts.manifest import Receipt, canonical, part_paths, read_receipt
from stages.base import Context, Reject, Stage
from stages.errors import ArtefactError, MachineError, StoppedError, WeightsError, blame_machine
from stages.remote import files as remote

_SAVE_EVERY_S = 20.0
"""Seconds between two saves: the work a kill may lose."""
_SAVE_EVERY_AFTER_DEATH_S = 1.0
"""The same after a worker has died on the shard: it will be restarted a few more times."""
_one_at_a_time = Lock()
"""A worker with several threads makes one shard at a time: espeak and the codecs aren't thread-safe."""


def run_shard(job: ShardJob) -> Receipt:
    """Makes and commits one shard.

    Returns:
        The shard's receipt.

    Raises:
        ArtefactError: if an input shard is damaged, or the stage loses or doubles an item.
        MachineError: if the disk is full, or the machine fails otherwise.
        StoppedError: if the run was asked to stop; finished items are saved.
    """
    return make_shard(job, lambda: _ready_stage(job.stage, job.config, job.context, job.revision))


def make_shard(job: ShardJob, ready: Callable[[], Stage[Any, Any, Any]]) -> Receipt:
    """Makes and commits one shard, as `run_shard`, with a given stage.

    Args:
        job: The shard to make.
        ready: Returns the stage, set up.
    """
    folder = job.context.dataset / job.stage
    remote.attach(job.context.voices, job.context.dataset)
    with (
        _one_at_a_time,
        work(job.context.dataset, job.run),
        closing(open_attempt(folder, job.shard, job.run)) as attempt,
    ):
        if attempt.sealed and (receipt := read_receipt(folder, job.shard)):
            return receipt
        stage = ready()
        items = _read_items(stage, job)
        tasks = [_Task.of(stage, item) for item in items]
        carried = read_done(stage, folder, [*job.previous, *parts_of(folder, job.shard)], job.retry)
        fresh = [task for task in tasks if task.fingerprint not in carried and task.basis not in carried]
        # The last digits of a matrix product depend on the number of threads; the bytes of a dataset must not.
        with _thread_pools(len(sys.modules)).limit(limits=1):
            made = iter(_process_all(stage, folder, job, attempt, fresh))
        done = [_carried_over(stage, task, carried) or next(made) for task in tasks]
        _check_conservation(stage, job, done)
        receipt = commit(stage, folder, job.shard, job, done)
        attempt.end()
        remove_parts(folder, job.shard)
        stage.sealed([outcome for row in done for outcome in row.outcomes])
    return receipt


_tried: dict[tuple[str, str, str], Stage[Any, Any, Any]] = {}
"""The stage that was tried last on a sample in this process, by name, configuration and device."""


def keep(name: str, config: str, stage: Stage[Any, Any, Any]) -> None:
    """Keeps a stage that was tried on a sample, until the next stage is made ready: it may take over what it loaded."""
    _tried.clear()
    _tried[name, config, stage.context.device] = stage


@lru_cache(maxsize=1)
def _ready_stage(name: str, config: str, context: Context, _revision: str) -> Stage[Any, Any, Any]:
    """Builds a stage and sets it up; cached, so a worker loads the weights once."""
    stage = stage_from_json(name, config, context)
    if tried := _tried.get((name, config, context.device)):
        stage.inherit(tried)
    _tried.clear()
    stage.setup()
    return stage


@lru_cache(maxsize=1)
def _thread_pools(_modules: int) -> Any:
    """Returns the thread-pool controller; searches for the libraries again when modules have been imported since."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _read_items(stage: Stage[Any, Any, Any], job: ShardJob) -> list[Any]:
    folder = job.context.dataset / stage.before
    items: list[Any]
    if stage.before == RECORDINGS:
        items = list(read_recordings(folder, job.shard))
    else:
        upstream = stage_class(stage.before)
        items = upstream.format.read(part_paths(folder, job.shard, upstream.format.parts))
    last = job.last_recording
    return items if last is None else [item for item in items if recording_of(item) <= last]


@dataclass(frozen=True, slots=True)
class _Task:
    """An item and the keys under which its outcomes are found again."""

    item: Any
    fingerprint: str
    basis: str

    @classmethod
    def of(cls, stage: Stage[Any, Any, Any], item: Any) -> "_Task":
        content, basis = item.content().hex(), stage.basis(item)
        fingerprint = _key(stage.version, "", stage.item_parameters(item), content)
        return cls(item, fingerprint, "" if basis is None else _key(stage.version, '"basis",', basis, content))

    def done(self, outcomes: Outcomes) -> Done:
        return Done(self.item, self.fingerprint, outcomes, self.basis)


def _key(version: int, kind: str, parameters: Any, content: str) -> str:
    """Returns what `digest_of` gives for version, kind, parameters and content, cut to 32 characters.

    Most items of a shard have the same parameters: to put these into JSON again took longer than all the rest.
    """
    try:
        text = _canonical(marshal.dumps(parameters, 2))
    except ValueError:  # marshal refuses enumerations and other types that JSON takes for plain ones
        text = canonical(parameters)
    return sha256(f'[{version},{kind}{text},"{content}"]'.encode()).hexdigest()[:32]


@lru_cache(maxsize=256)
def _canonical(parameters: bytes) -> str:
    """Returns the JSON of parameters, by what `marshal` made of them: `1`, `1.0` and `True` stay different."""
    return canonical(marshal.loads(parameters))


def _carried_over(stage: Stage[Any, Any, Any], task: _Task, carried: Mapping[str, Outcomes]) -> Done | None:
    """Returns an item's earlier outcomes, revised if only cheap parameters have changed; None if there are none."""
    if task.fingerprint in carried:
        return task.done(carried[task.fingerprint])
    return task.done(stage.revise(task.item, carried[task.basis])) if task.basis in carried else None


def _process_all(
    stage: Stage[Any, Any, Any], folder: Path, job: ShardJob, attempt: Attempt, tasks: list[_Task]
) -> list[Done]:
    """Processes items and saves the finished ones now and then."""
    done: list[Done] = []
    saved, saved_at = 0, time.monotonic()
    for batch in _batches(tasks, stage.batch_size, set(attempt.alone)):
        stop = asked_to_stop(job.context.dataset)
        every = _SAVE_EVERY_AFTER_DEATH_S if attempt.alone else _SAVE_EVERY_S
        if len(done) > saved and (stop or time.monotonic() - saved_at >= every):
            name = f".{job.shard}.part{len(parts_of(folder, job.shard))}"
            commit(stage, folder, name, job, done[saved:])
            saved, saved_at = len(done), time.monotonic()
        if stop:
            raise StoppedError(
                f"`{stage.name}`, shard {job.shard}: stopped after {len(done)} items, which are kept."
                " Run the same command to go on."
            )
        attempt.begin([task.item.id for task in batch])
        outcomes = iter(_guarded(stage, attempt, [t.item for t in batch if t.item.id not in attempt.condemned]))
        for task in batch:
            condemned = task.item.id in attempt.condemned
            done.append(task.done([_condemned(task.item.id, attempt, stage)] if condemned else next(outcomes)))
    return done


def _batches(tasks: Iterable[_Task], size: int, alone: set[str]) -> Iterator[list[_Task]]:
    """Yields batches in order; a batch with an item that may have killed a worker is split into single items."""
    rest = iter(tasks)
    while batch := list(islice(rest, size)):
        if any(task.item.id in alone for task in batch):
            yield from ([task] for task in batch)
        else:
            yield batch


def _guarded(stage: Stage[Any, Any, Any], attempt: Attempt, batch: list[Any]) -> list[Outcomes]:
    """Processes a batch; if it raises, processes its items one by one, so only the bad one is rejected."""
    if not batch:
        return []
    try:
        with attempt.limit(stage.config.item_timeout_s):
            outcomes = list(stage.process(batch))
    except (WeightsError, MachineError):
        raise  # not the item's fault: all would fail
    except Exception as error:  # the item boundary: a bad item must not stop the others
        if isinstance(error, OSError):
            blame_machine(error)
        if len(batch) == 1:
            return [[_raised(stage, batch[0].id, error)]]
        return [outcome for item in batch for outcome in _guarded(stage, attempt, [item])]
    if len(outcomes) != len(batch):
        raise ArtefactError(
            f"`{stage.name}` got {len(batch)} items but returned {len(outcomes)} outcomes: a bug in it."
        )
    return outcomes


def _raised(stage: Stage[Any, Any, Any], item_id: str, error: Exception) -> Reject:
    match error:
        case TimeLimitError():
            return _timed_out(stage, item_id)
        case MemoryError():
            hint = "free memory (fewer `--jobs`), then `valle-prep retry --reason OutOfMemory`"
            return Reject(item_id, "OutOfMemory", "not enough memory, even when processed alone", hint)
    where = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{str(error).strip() or 'no message'} (at {Path(where.filename).name}:{where.lineno})"
    return Reject(item_id, type(error).__name__, " ".join(message.split()), "this is a bug in the stage: report it")


def _timed_out(stage: Stage[Any, Any, Any], item_id: str) -> Reject:
    limit = f"{stage.config.item_timeout_s:g}"
    hint = f"check the file, or raise `{stage.name}.item_timeout_s`; then `valle-prep retry --reason TimedOut`"
    return Reject(item_id, Verdict.HUNG.value, f"took longer than {limit} s", hint)


def _condemned(item_id: str, attempt: Attempt, stage: Stage[Any, Any, Any]) -> Reject:
    if attempt.condemned[item_id] is Verdict.HUNG:
        return _timed_out(stage, item_id)
    hint = "check the file and the memory; then `valle-prep retry --reason WorkerKilled`"
    return Reject(item_id, Verdict.KILLED.value, "its worker died each time", hint)


def _check_conservation(stage: Stage[Any, Any, Any], job: ShardJob, done: Sequence[Done]) -> None:
    """Checks that each item has outcomes: exactly one if the stage is one-to-one."""
    wrong = [row.item.id for row in done if not row.outcomes or (stage.one_to_one and len(row.outcomes) > 1)]
    if wrong:
        raise ArtefactError(
            f"`{stage.name}`, shard {job.shard}: {len(wrong)} items lost or doubled, first `{wrong[0]}`: a bug in it."
        )
