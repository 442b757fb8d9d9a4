"""Whether a model can be asked for speech of text, or of speech: what it has learnt, and what a task needs."""

import re
from pathlib import Path

import numpy as np

from model.config import DataConfig
from model.sequences.spans import Bools
from model.sequences.tasks import TRANSFORMS, Spec
from stages.errors import UsageError


def check_task(task: str, trained: DataConfig, model: Path, *, text: str | None, prompted: bool, edits: bool) -> None:
    """Checks that a model has learnt a task, and that the task is given what it needs and no more.

    Args:
        task: The task.
        trained: What the model was trained on.
        model: Where it lies, for messages.
        text: What is said in what comes out.
        prompted: Whether a prompt is given.
        edits: Whether it is said what is to be replaced.

    Raises:
        UsageError: if not.
    """
    spec = dict[str, Spec](TRANSFORMS.items()).get(task)
    if spec is None:
        raise UsageError(f"`task` must be one of {', '.join(TRANSFORMS)}, but is `{task}`.")
    _check_weight(task, trained, model)
    if spec.prompted != prompted:
        needs = "needs a `prompt`: a recording of the voice" if spec.prompted else "takes no `prompt`: leave it out"
        raise UsageError(f"The task `{task}` {needs}.")
    if spec.edits != edits:
        needs = "needs `replace`: from when to when" if spec.edits else "takes no `replace`: leave it out"
        raise UsageError(f"The task `{task}` {needs}.")
    if (spec.edits or trained.text_dropout == 0) and not (text or "").strip():
        raise UsageError(f"The task `{task}` needs a `text`: all that is said in what comes out.")


def check_speech(trained: DataConfig, model: Path, *, continues: bool) -> None:
    """Checks that a model has learnt to speak a text.

    Args:
        trained: What the model was trained on.
        model: Where it lies, for messages.
        continues: Whether the prompt's text is given, too, so that the response goes on from there (task `tts-c`).

    Raises:
        UsageError: if not.
    """
    _check_weight("tts", trained, model)
    # A speaker's only utterance continues itself whatever is asked for, but these two were asked to be left out.
    if continues and trained.continuation_probability == 0:
        raise UsageError(
            f"`{model}` was never trained to go on from a prompt (`data.continuation_probability` = 0), so what the"
            " prompt says must be left out (`prompt_text`, `--ref-text`)."
        )
    if not continues and trained.continuation_probability == 1:
        raise UsageError(
            f"`{model}` was only trained to go on from a prompt (`data.continuation_probability` = 1), so what the"
            " prompt says must be given (`prompt_text`, `--ref-text`)."
        )


def _check_weight(task: str, trained: DataConfig, model: Path) -> None:
    weights: dict[str, float] = dict(trained.tasks.items())
    if not weights.get(task):
        learnt = ", ".join(f"`{name}`" for name, weight in weights.items() if weight)
        raise UsageError(
            f"`{model}` was never trained on the task `{task}`, only on {learnt}. Train it with a weight above 0 in"
            " `data.tasks`."
        )


def parse_stretch(text: str) -> tuple[float, float]:
    """Reads `START-END`, both in seconds.

    Raises:
        UsageError: if it doesn't read so.
    """
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*", text)
    if not found:
        raise UsageError(f"`replace` must read `START-END` in seconds, such as `1.2-1.8`, but is `{text}`.")
    return float(found[1]), float(found[2])


def replaced_frames(frames: int, frame_rate: float, start_s: float, end_s: float) -> Bools:
    """Returns which of an input's frames are to be replaced.

    Args:
        frames: Of the input.
        frame_rate: Frames per second.
        start_s: Where the replaced stretch begins, in seconds.
        end_s: Where it ends.

    Raises:
        UsageError: if that isn't a stretch of the input.
    """
    start, end = round(start_s * frame_rate), round(end_s * frame_rate)
    if not 0 <= start < end <= frames + 1 or start >= frames:
        raise UsageError(
            f"`replace` must lie within the input's {frames / frame_rate:.2f} s and end after it begins, but is"
            f" {start_s:g} to {end_s:g} s."
        )
    replaced_S = np.zeros(frames, bool)
    replaced_S[start:end] = True
    return replaced_S
