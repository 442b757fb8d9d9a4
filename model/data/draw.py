"""A draw: one utterance with its prompt, mode, task and level."""

from dataclasses import dataclass

from model.sequences.documents import MARKERS, Mode
from model.sequences.spans import Span
from model.sequences.tasks import TextTask, is_text_task
from model.sequences.tokenizer import Task


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawn example, before any codes are read."""

    row: int
    task: Task
    prompt: tuple[Span, ...]
    """The spans that form the prompt."""
    response: tuple[Span, ...]
    """The spans that form the response; the first is of `row`."""
    mode: Mode | TextTask
    """A text task has no speech: what it turns into what is its task's."""
    level: int
    phonemes: str
    """Phonemes or, with `data.text: characters`, characters: what a text task is given."""
    noise: int
    """Seed for masking and corruption."""
    input: tuple[Span, ...] | None = None
    """The spans that form the speech to transform; None for tasks without an input."""
    group: int = 1
    """Frames per position in the mode `ar`."""
    late: int = 0
    """Positions that the mode `ar` has for the codebooks above the first (`data.levels: delay`)."""
    tone: str = ""
    """The speaker's group; "" if the model isn't told."""
    written: str = ""
    """What a text task makes of `phonemes`."""

    @property
    def frames(self) -> int:
        """Number of frames of the response."""
        return sum(map(len, self.response))

    @property
    def length(self) -> int:
        """Number of positions of the document; a symbol that decomposes into several ids counts as one."""
        if is_text_task(self.mode):
            return MARKERS - 1 + len(self.phonemes) + len(self.written)
        if self.mode == "stt":
            return MARKERS - 1 + len(self.phonemes) + self.frames
        given = sum(map(len, self.prompt))
        given += 0 if self.input is None else 1 + sum(map(len, self.input))
        match self.mode:
            case "ar":
                own = self.frames // self.group + self.late
            case "len":
                own = len(str(self.frames))
            case _:
                own = self.frames
        return MARKERS + bool(self.tone) + len(self.phonemes) + given + own
