"""Checks before a run that nothing will stop it, and reports all problems together.

Checks the weights, the workers and their GPUs, and the disk space. Then each stage with work to do processes a sample
of two seconds on a worker, which shows a missing package now and not after a night's work.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import stage_from_json
from pipeline.dataset.folder import RECORDINGS
from pipeline.dataset.recordings import each_kind
from pipeline.runner.estimate import room_needed_by
from pipeline.runner.runner import Plans, Run, plan_all
from pipeline.runner.shard import keep
from pipeline.runner.workers import Needed
from pipeline.runner.workers import problems as worker_problems
from stages.artefacts.manifest import read_codec
from stages.audio import files as audio
from stages.base import Context
from stages.errors import MachineError, MissingInputError, ValleError
from stages.machine import nothing_fetched
from stages.records import Encoded, Recording, Segment, Transcript, Utterance

_SPARE = 1.2
"""Disk space to ask for, as a multiple of the estimate."""
_MOST_DEATHS = 3
"""Worker deaths on one sample that fail its stage: a single one may have another cause."""


class PreflightError(ValleError):
    """The run can't start; the message has one line per problem."""


def check(run: Run, names: Sequence[str]) -> Plans:
    """Checks that the stages can run, and plans them.

    Args:
        run: The state they share.
        names: The stages, in order.

    Returns:
        The plan of each stage; None if its inputs aren't made yet.

    Raises:
        PreflightError: if something would stop them; has one line per problem.
    """
    check_stages(run, names)
    plans = plan_all(run, names)
    busy = [name for name, plan in plans.items() if plan is None or plan.todo]
    if not busy:
        return plans
    problems = _room(run, plans)
    imports = {module for name in busy for module in run.stage(name).imports}
    cannot_work = run.cluster.problems(
        gpu=any(run.stage(name).on_gpu for name in busy), imports=[__name__, *sorted(imports)]
    )
    needed = Needed(run.dataset.folder.resolve(), run.dataset.voices, run.token)
    problems += cannot_work or worker_problems(run.cluster, needed) or _samples(run, busy)
    if problems:
        raise PreflightError("\n".join(problems))
    return plans


def check_stages(run: Run, names: Sequence[str], *, fetch: bool = True) -> None:
    """Checks that what the stages' configuration asks for is there.

    Args:
        run: The state they share.
        names: The stages.
        fetch: Whether weights may be downloaded. If not, weights still to be downloaded are no problem.

    Raises:
        PreflightError: if something is missing; has one line per problem.
    """
    problems = []
    with nullcontext() if fetch else nothing_fetched():
        for name in names:
            stage = run.stage(name)
            items = each_kind(run.dataset.stage(RECORDINGS)) if stage.needs == RECORDINGS else ()
            problems += [f"`{name}`: {problem}" for problem in stage.check(items)]
    if problems:
        raise PreflightError("\n".join(problems))


def _room(run: Run, plans: Plans) -> list[str]:
    folder = run.dataset.folder
    need = _SPARE * room_needed_by(run.dataset, plans)
    free = shutil.disk_usage(folder).free
    if need <= free:
        return []
    return [
        f"`{folder}` needs about {need / 2**20:,.0f} MiB for this run, but its disk has {free / 2**20:,.0f} MiB free."
        " Make room, or name another `--out`."
    ]


@dataclass(frozen=True, slots=True)
class Sample:
    """A stage to try on a sample."""

    stage: str
    config: str
    """The stage's section of the configuration, as JSON."""
    context: Context
    textless: bool = False
    """Whether some recording has no transcript: the stage is then also tried on one without."""
    first: bool = False
    """Whether it is the first to work: what it loads for the sample is kept for its first shard."""


def _samples(run: Run, names: Sequence[str]) -> list[str]:
    """Tries the stages on workers; returns their problems."""
    samples = []
    textless = not all(recording.transcript for recording in each_kind(run.dataset.stage(RECORDINGS)))
    for name in names:
        stage = run.stage(name)
        samples.append(Sample(name, stage.config.model_dump_json(), stage.context, textless, name == names[0]))
    run.reporter.say("trying each stage on a two-second sample")
    gpu = any(run.stage(name).on_gpu for name in names)
    deaths: Counter[str] = Counter()

    def again(sample: Sample) -> Sample:
        deaths[sample.stage] += 1
        if deaths[sample.stage] == _MOST_DEATHS:
            raise PreflightError(
                f"`{sample.stage}` killed {_MOST_DEATHS} workers on a two-second sample. Check its installation."
            )
        return sample

    return [problem for problems in run.cluster.run(try_sample, samples, again, gpu=gpu) for problem in problems]


def try_sample(sample: Sample) -> list[str]:
    """Runs a stage on a two-second sample.

    Returns:
        Why it can't run; empty if it can. Its outcomes aren't looked at: the configuration may filter the sample.

    Raises:
        MachineError: if the machine fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        voices = Path(folder)
        audio.write_wav(voices / _ID, _wave(), _RATE)
        (voices / _TEXT).write_text(_WORDS, encoding="utf-8")
        context = replace(sample.context, voices=voices, cleaner="")
        stage = stage_from_json(sample.stage, sample.config, context)
        try:
            with _Trying(sample.stage):
                stage.setup()
                item = _ITEMS[stage.needs](context.dataset)
                stage.process([item])
                if sample.textless and isinstance(item, Recording):
                    stage.process([replace(item, transcript="", transcript_digest="")])
            if sample.first:
                keep(sample.stage, sample.config, stage)
        except MachineError:
            raise
        except MissingInputError:
            return []  # it reads the output of another stage, which isn't there yet
        except ValleError as error:
            return [f"`{sample.stage}`: {error}"]
        except ImportError as error:
            return [f"`{sample.stage}` needs a package that can't be imported: {error}. Run `make setup`."]
    return []


class _Trying:
    """Tells, of an error that is a fault of the program, that it came from the sample and not from a recording."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(
                f"This happened while `{self._stage}` was tried on a two-second sample of ours, before the run: no"
                " recording is at fault. `valle-prep doctor` checks the installation."
            )


_ID, _TEXT, _RATE, _WORDS = "sample/speaker/clip.wav", "sample/speaker/clip.txt", 16_000, "one two three"


def _wave() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Returns two seconds of a voice-like buzz with pauses, at `_RATE`."""
    time_s = np.arange(2 * _RATE) / _RATE
    period_s = time_s[: _RATE // 40]  # three periods of 120 Hz, whole ones of its multiples
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * period_s) / harmonic for harmonic in range(1, 20))
    return np.asarray(0.1 * np.tile(buzz, 80) * (np.sin(2 * np.pi * 3 * time_s) > 0), np.float32)


def _recording(_: Path) -> Recording:
    return Recording(_ID, "sample", "speaker", "0" * 64, _TEXT, "0" * 64)


def _transcript(_: Path) -> Transcript:
    segment = Segment(0, 2 * _RATE, _WORDS, "en")
    return Transcript(_ID, "sample", "speaker", _RATE, 2 * _RATE, "en", "txt", timed=False, segments=(segment,))


def _utterance(_: Path) -> Utterance:
    return Utterance(_ID, _ID, "sample", "speaker", "en", 0, 2 * _RATE, _RATE, _WORDS, phonemes="wʌn tuː θɹiː")


def _encoded(dataset: Path) -> Encoded:
    try:
        codebooks = read_codec(dataset).num_codebooks
    except MissingInputError:
        codebooks = 8  # any number will do: a stage that depends on it needs `encode` too
    codes: Any = np.zeros((codebooks, 150), np.uint16)
    return Encoded(replace(_utterance(dataset), frames=150), codes)


_ITEMS = {
    "recordings": _recording,
    "transcribe": _transcript,
    "slice": _utterance,
    "g2p": _utterance,
    "encode": _encoded,
}
"""Makes a sample item, by the stage that makes such items."""
