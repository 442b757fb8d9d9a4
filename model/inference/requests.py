"""Requests, and their checks: what a model was trained for, and what a task needs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.config import DataConfig
from model.decoding.options import Decoding
from model.inference.guards.guard import Guard
from model.sequences.documents import Mode
from model.sequences.spans import Bools
from model.sequences.tasks import TRANSFORMS, Spec, TextTask
from stages.errors import UsageError

if TYPE_CHECKING:
    from model.inference.prompts import Prompt
    from model.inference.voices import Voice


@dataclass(frozen=True, slots=True)
class Request:
    """A text to speak, with all that `Synthesizer.speak` takes."""

    text: str
    prompt: "Prompt | Voice | None" = None
    """A recording's path, a wave or codes, or a kept voice; None if `voice` is given."""
    prompt_text: str | None = None
    voice: "Voice | None" = None
    """A kept voice, in place of `prompt` and `prompt_text`."""
    language: str | None = None
    tone: str | None = None
    seed: int = 0
    max_s: float | None = None
    speed: float = 1.0
    """How much faster than the model would speak; in the mode `ar` only 1."""
    decoding: Decoding = Decoding()  # noqa: RUF009 (frozen)
    guard: Guard = Guard()  # noqa: RUF009 (frozen)


def check_task(task: str, trained: DataConfig, model: Path, *, text: str | None, prompted: bool, edits: bool) -> None:
    """Checks that a model was trained on a task, and that the task has what it needs and nothing else.

    Args:
        task: The task.
        trained: The section `data` of the model's training.
        model: The model's path, for messages.
        text: What is said in the output.
        prompted: Whether a prompt is given.
        edits: Whether a stretch to replace is given.

    Raises:
        UsageError: if the model wasn't trained on the task, or an argument is missing or superfluous.
    """
    spec = dict[str, Spec](TRANSFORMS.items()).get(task)
    if spec is None:
        raise UsageError(f"`task` must be one of {', '.join(TRANSFORMS)}, but is `{task}`.")
    _check_weight(task, trained, model)
    if spec.prompted != prompted:
        needs = "needs a `prompt`: a recording of the voice" if spec.prompted else "takes no `prompt`: leave it out"
        raise UsageError(f"The task `{task}` {needs}.")
    if spec.edits != edits:
        needs = "needs `replace`: start and end in seconds" if spec.edits else "takes no `replace`: leave it out"
        raise UsageError(f"The task `{task}` {needs}.")
    if (spec.edits or trained.text_dropout == 0) and not (text or "").strip():
        raise UsageError(f"The task `{task}` needs a `text`: all that is said in the output.")


def check_speech(trained: DataConfig, model: Path, *, continues: bool) -> None:
    """Checks that a model was trained to speak a text.

    Args:
        trained: The section `data` of the model's training.
        model: The model's path, for messages.
        continues: Whether the prompt's text is given, so that the response continues it (task `tts-c`).

    Raises:
        UsageError: if the model wasn't trained so.
    """
    _check_weight("tts", trained, model)
    # With probability 0, speakers with a single utterance still continue it, but that isn't what the user trained for.
    if continues and trained.continuation_probability == 0:
        raise UsageError(
            f"`{model}` was never trained to continue a prompt (`data.continuation_probability` = 0). Leave out the"
            " prompt's text (`prompt_text`, `--ref-text`)."
        )
    if not continues and trained.continuation_probability == 1:
        raise UsageError(
            f"`{model}` was only trained to continue a prompt (`data.continuation_probability` = 1). Give the prompt's"
            " text (`prompt_text`, `--ref-text`)."
        )


def check_modes(trained: DataConfig, model: Path, modes: Sequence[Mode]) -> None:
    """Raises `UsageError` if a model wasn't trained in one of the modes."""
    if missing := [mode for mode in modes if not trained.modes.get(mode)]:
        learnt = ", ".join(f"`{mode}`" for mode, weight in trained.modes.items() if weight)
        raise UsageError(
            f"`{model}` was never trained in the mode `{missing[0]}`, only in {learnt}. Train it with a weight above 0"
            " in `data.modes`."
        )


def check_guard(guard: Guard, decoding: Decoding, trained: DataConfig, model: Path) -> None:
    """Raises `UsageError` if the best of several responses can't be chosen so (`Guard.check`, and the mode `stt`)."""
    guard.check(decoding)
    if guard.best_of > 1 and guard.best_by == "stt":
        check_modes(trained, model, ["stt"])


def whole_frames(max_s: float, frame_rate: float) -> int:
    """Returns the whole frames in a longest length; raises `UsageError` if there is none, or it isn't finite."""
    if not 1 <= max_s * frame_rate < float("inf"):
        raise UsageError(f"`max_s` must be at least one frame ({1 / frame_rate:.3f} s) and finite, but is {max_s}.")
    return int(max_s * frame_rate)


def check_text_task(task: TextTask, trained: DataConfig, model: Path) -> None:
    """Raises `UsageError` if a model wasn't trained on a text task."""
    _check_weight(task, trained, model)


def _check_weight(task: str, trained: DataConfig, model: Path) -> None:
    weights: dict[str, float] = dict(trained.tasks.items())
    if not weights.get(task):
        learnt = ", ".join(f"`{name}`" for name, weight in weights.items() if weight)
        raise UsageError(
            f"`{model}` was never trained on the task `{task}`, only on {learnt}. Train it with a weight above 0 in"
            " `data.tasks`."
        )


def parse_stretch(text: str) -> tuple[float, float]:
    """Parses `START-END`, both in seconds.

    Raises:
        UsageError: if the text has another form.
    """
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*", text)
    if not found:
        raise UsageError(f"`replace` must be `START-END` in seconds, such as `1.2-1.8`, but is `{text}`.")
    return float(found[1]), float(found[2])


def replaced_frames(frames: int, frame_rate: float, start_s: float, end_s: float) -> Bools:
    """Returns a mask of the input frames to replace, `[S]`.

    Args:
        frames: S, the input's length.
        frame_rate: Frames per second.
        start_s: Start of the stretch, in seconds.
        end_s: Its end, in seconds.

    Raises:
        UsageError: if the stretch is empty or not within the input.
    """
    start, end = round(start_s * frame_rate), round(end_s * frame_rate)
    if not 0 <= start < end <= frames + 1 or start >= frames:
        raise UsageError(
            f"`replace` must lie within the input's {frames / frame_rate:.2f} s and end after its start, but is"
            f" {start_s:g} to {end_s:g} s."
        )
    replaced_S = np.zeros(frames, bool)
    replaced_S[start:end] = True
    return replaced_S
