"""The tasks: what each turns into what, and the rows that it can use.

Those of `TRANSFORMS` turn speech into other speech:

    task   input                                         response            prompt   text
    ns     the speech with noise                         the speech          no       optional
    sr     the speech with noise                         the noise           no       optional
    tse    the speech with another speaker's over it     the speech          yes      optional
    cse    the speech, a stretch of it replaced          the speech          no       of the response
    nse    the same, all of it with noise                the noisy speech    no       of the response
    vc     the same words in another voice               the speech          yes      optional

Two tasks have no speech at all (`TEXT_TASKS`):

    phn      the text, its characters                    its phonemes
    un-phn   the phonemes                                the text

To add a task, write a function that draws its input, and add a row to `TRANSFORMS` and its name to `Transform`.
`valle-prep mix` has mixed and encoded all mixtures beforehand; nothing here reads audio. The command line reads this
table too, so NumPy is only loaded when something is drawn.

Source: SpeechX, section III, https://arxiv.org/abs/2308.06873: noise suppression, speech removal, target speaker
extraction, and speech editing, which keeps background noise. Here, for editing, a stretch of the input is replaced by
other words of the same speaker, and the text is that of the whole response.

Axes: N rows of the store, K codebooks, T frames.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, Protocol, TypeGuard, get_args

from stages.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from model.sequences.spans import Bools, Int64s, Span
    from stages.ids import Mixture

Transform = Literal["ns", "sr", "tse", "cse", "nse", "vc"]
"""Add new names at the end: the vocabulary has their markers in this order."""
TextTask = Literal["phn", "un-phn"]
"""Tasks without speech."""
Drawn = Literal["tts", Transform, TextTask]
"""The keys of `data.tasks`. A drawn `tts` becomes `tts-c` with `data.continuation_probability`."""
DRAWN: tuple[Drawn, ...] = get_args(Drawn)

_SHARE = 0.1, 0.6
"""Smallest and largest share of the frames that is edited."""
_OTHER_LENGTH = 0.5, 1.5
"""Smallest and largest length of the replacement, relative to the edited stretch. It varies so that the input doesn't
give the stretch's length away."""
_AT_EDGE = 0.125
"""Probability that the edited stretch begins at the start, and that it ends at the end."""


class TaskStore(Protocol):
    """The part of a dataset that the tasks use."""

    frames: "Int64s"

    @property
    def languages(self) -> Sequence[str]:
        """Each row's language code."""

    def phonemes(self, index: int) -> str:
        """Reads a row's phonemes."""

    def has_mixture(self, kind: "Mixture") -> "Bools":
        """Returns which rows have a mixture of this kind, `[N]`."""


@dataclass(frozen=True, slots=True)
class Given:
    """The task and the input drawn for a row."""

    task: Transform
    input: "tuple[Span, ...]"
    with_text: bool

    @property
    def prompted(self) -> bool:
        """Whether a prompt gives the voice."""
        return TRANSFORMS[self.task].prompted

    @property
    def target(self) -> "Mixture | None":
        """The mixture to respond with; None for the row itself."""
        return TRANSFORMS[self.task].target


class Material:
    """The rows that tasks draw their inputs from.

    Args:
        store: The dataset.
        usable_N: Which rows may be used.
        speaker_N: The speaker's number of each row.
        other: Draws another usable row of a row's speaker, or the row itself if there is none.
    """

    def __init__(
        self,
        store: TaskStore,
        usable_N: "Bools",
        speaker_N: "Int64s",
        other: "Callable[[int, np.random.Generator], int]",
    ) -> None:
        self.store = store
        self.frames = store.frames
        self.usable_N = usable_N
        self.speaker_N = speaker_N
        self.other = other
        self._has: dict[Mixture, Bools] = {}

    def has(self, kind: "Mixture") -> "Bools":
        """Returns which rows have a mixture of this kind, `[N]`."""
        if kind not in self._has:
            self._has[kind] = self.store.has_mixture(kind)
        return self._has[kind]

    @cached_property
    def has_other(self) -> "Bools":
        """Which rows have another usable row of their speaker, `[N]`."""
        import numpy as np

        counts = np.bincount(self.speaker_N[self.usable_N], minlength=int(self.speaker_N.max(initial=-1)) + 1)
        has: Bools = counts[self.speaker_N] > self.usable_N
        return has

    @cached_property
    def has_parallel(self) -> "Bools":
        """Which rows have a usable row with the same phonemes by another speaker, `[N]`."""
        import numpy as np

        both_N = self._words * (int(self.speaker_N.max(initial=0)) + 1) + self.speaker_N
        _, both_N = np.unique(both_N, return_inverse=True)
        counts = [np.bincount(keys[self.usable_N], minlength=len(keys)) for keys in (self._words, both_N)]
        has: Bools = counts[0][self._words] > counts[1][both_N]
        return has

    def parallel(self, row: int, rng: "np.random.Generator") -> int:
        """Draws a usable row with the same phonemes by another speaker; `has_parallel` must be true for the row."""
        rows, first = self._by_words
        words = self._words[row]
        same = rows[first[words] : first[words + 1]]
        others = same[self.speaker_N[same] != self.speaker_N[row]]
        return int(others[rng.integers(len(others))])

    @cached_property
    def _words(self) -> "Int64s":
        """A number for the language and phonemes of each row, `[N]`."""
        import numpy as np

        numbers: dict[tuple[str, str], int] = {}
        texts = ((language, self.store.phonemes(row)) for row, language in enumerate(self.store.languages))
        return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)

    @cached_property
    def _by_words(self) -> "tuple[Int64s, Int64s]":
        """The usable rows sorted by `_words`, and where each number begins in them."""
        import numpy as np

        usable = np.flatnonzero(self.usable_N)
        words = self._words[usable]
        counts = np.bincount(words, minlength=int(self._words.max(initial=-1)) + 1)
        return usable[np.argsort(words, kind="stable")], np.concatenate([[0], np.cumsum(counts)])


def _mixed(kind: "Mixture", material: Material, row: int, rng: "np.random.Generator") -> "list[Span]":  # noqa: ARG001
    """Returns the row's mixture."""
    from model.sequences.spans import Span

    return [Span(row, 0, int(material.frames[row]), kind)]


def _edited(kind: "Mixture | None", material: Material, row: int, rng: "np.random.Generator") -> "list[Span]":
    """Returns the row with a stretch replaced by one of another row of its speaker."""
    from model.sequences.spans import Span

    frames = int(material.frames[row])
    length = max(1, round(rng.uniform(*_SHARE) * frames))
    first, last = rng.random(2) < _AT_EDGE
    start = 0 if first else int(rng.integers(frames - length + 1))
    end = frames if last else start + length
    other = material.other(row, rng)
    available = int(material.frames[other])
    length = min(max(1, round(rng.uniform(*_OTHER_LENGTH) * (end - start))), available)
    at = int(rng.integers(available - length + 1))
    noisy = kind if kind and material.has(kind)[other] else None
    words = Span(other, at, at + length, noisy, replaced=True)
    return [span for span in (Span(row, 0, start, kind), words, Span(row, end, frames, kind)) if len(span)]


def _same_words(material: Material, row: int, rng: "np.random.Generator") -> "list[Span]":
    """Returns the same words by another speaker, or else the row at another pitch."""
    from model.sequences.spans import Span

    if not material.has_parallel[row]:
        return _mixed("shifted", material, row, rng)
    other = material.parallel(row, rng)
    return [Span(other, 0, int(material.frames[other]))]


@dataclass(frozen=True, slots=True)
class Spec:
    """A row of the table of tasks."""

    help: str
    """Description for the command line."""
    give: "Callable[[Material, int, np.random.Generator], list[Span]]"
    """Draws the input for a row."""
    possible: "Callable[[Material], Bools]"
    """Returns which rows the task can use, `[N]`."""
    needs: str
    """What a dataset must have, and the command that adds it; for error messages."""
    target: "Mixture | None" = None
    """The mixture to respond with; None for the row itself."""
    prompted: bool = False
    """Whether a prompt gives the voice."""
    edits: bool = False
    """Whether a part of the input is replaced. Then the text is required; otherwise it is optional."""
    same_length: bool = False
    """Whether the response is as long as the input."""


_NOISE = "noise of `valle-prep mix --set mix.noise=FOLDER`"
_OTHERS = "speakers of two utterances or more"

TRANSFORMS: Mapping[Transform, Spec] = {
    "ns": Spec("take the noise away", partial(_mixed, "noisy"), lambda m: m.has("noisy"), _NOISE, same_length=True),
    "sr": Spec(
        "take the speech away",
        partial(_mixed, "noisy"),
        lambda m: m.has("noisy") & m.has("noise"),
        _NOISE,
        target="noise",
        same_length=True,
    ),
    "tse": Spec(
        "take all but one speaker away",
        partial(_mixed, "overlaid"),
        lambda m: m.has("overlaid") & m.has_other,
        f"the other speakers of `valle-prep mix --set mix.speech=FOLDER`, and {_OTHERS}",
        prompted=True,
        same_length=True,
    ),
    "cse": Spec("replace a part of clean speech", partial(_edited, None), lambda m: m.has_other, _OTHERS, edits=True),
    "nse": Spec(
        "replace a part of noisy speech",
        partial(_edited, "noisy"),
        lambda m: m.has("noisy") & m.has_other,
        f"{_NOISE}, and {_OTHERS}",
        target="noisy",
        edits=True,
    ),
    "vc": Spec(
        "change the voice",
        _same_words,
        lambda m: (m.has_parallel | m.has("shifted")) & m.has_other,
        f"the same words by several speakers or `valle-prep mix --set mix.shift=true`, and {_OTHERS}",
        prompted=True,
    ),
}


@dataclass(frozen=True, slots=True)
class TextSpec:
    """A row of the table of text tasks."""

    help: str
    """Description for the command line."""
    writes_phonemes: bool
    """Whether phonemes are made of characters; otherwise characters of phonemes."""


TEXT_TASKS: Mapping[TextTask, TextSpec] = {
    "phn": TextSpec("turn text into phonemes", writes_phonemes=True),
    "un-phn": TextSpec("turn phonemes into text", writes_phonemes=False),
}


def is_text_task(name: str) -> TypeGuard[TextTask]:
    """Returns whether a task or a mode is a text task."""
    return name in TEXT_TASKS


class TaskDraw:
    """Draws a task for each row, by weight, among the tasks that can use the row; `tts` if none can.

    Args:
        weights: Relative frequency of each task (`data.tasks`); those of text tasks don't count.
        material: The rows to draw inputs from.
        text_dropout: Probability of leaving out an optional text.
        required: Rows of which every task must be able to use at least one; None checks nothing.

    Raises:
        UsageError: if a task can use none of the required rows.
    """

    def __init__(
        self, weights: Mapping[Drawn, float], material: Material, *, text_dropout: float, required: "Int64s | None"
    ) -> None:
        import numpy as np

        self._text_dropout = text_dropout
        self._material = material
        spoken: tuple[Literal["tts"] | Transform, ...] = ("tts", *TRANSFORMS)
        self._tasks = [task for task in spoken if weights.get(task)]
        columns = []
        for task in self._tasks:
            spec = None if task == "tts" else TRANSFORMS[task]
            possible = spec.possible(material) if spec else np.ones(len(material.frames), bool)
            if spec and required is not None and not possible[required].any():
                raise UsageError(
                    f"`data.tasks.{task}` must be possible for at least one utterance, but no utterance can be used:"
                    f" the task needs {spec.needs}. Add that to the dataset, or set the weight to 0."
                )
            columns.append(possible * weights[task])
        self._bounds = np.stack(columns, axis=1).cumsum(axis=1)

    def draw(self, row: int, rng: "np.random.Generator") -> Given | None:
        """Draws the task and the input for a row; None for `tts`."""
        import numpy as np

        bounds = self._bounds[row]
        if not bounds[-1]:
            return None
        task = self._tasks[int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))]
        if task == "tts":
            return None
        spec = TRANSFORMS[task]
        with_text = bool(rng.random() >= self._text_dropout) or spec.edits
        return Given(task, tuple(spec.give(self._material, row, rng)), with_text)
