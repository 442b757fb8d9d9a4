"""What is drawn for one utterance: its prompt, mode, task and level."""

from dataclasses import dataclass

from model.sequences.documents import MARKERS, Mode
from model.sequences.spans import Span
from model.sequences.tokenizer import Task


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn for one utterance, before any codes are read."""

    row: int
    task: Task
    prompt: tuple[Span, ...]
    """Joined they are the prompt."""
    response: tuple[Span, ...]
    """Joined they are the response; the first one is of `row`."""
    mode: Mode
    level: int
    phonemes: str
    noise: int
    """Seed of what is masked or corrupted."""
    input: tuple[Span, ...] | None = None
    """Joined they are the speech of which the response is made; None for tasks without."""
    group: int = 1
    """Frames that the mode `ar` has at a position."""
    tone: str = ""
    """The speaker's group, where it is told."""

    @property
    def frames(self) -> int:
        """Frames of the response."""
        return sum(map(len, self.response))

    @property
    def length(self) -> int:
        """Positions of the document, short of symbols that decompose into several."""
        if self.mode == "stt":
            return MARKERS - 1 + len(self.phonemes) + self.frames
        given = sum(map(len, self.prompt))
        given += 0 if self.input is None else 1 + sum(map(len, self.input))
        match self.mode:
            case "ar":
                own = self.frames // self.group
            case "len":
                own = len(str(self.frames))
            case _:
                own = self.frames
        return MARKERS + bool(self.tone) + len(self.phonemes) + given + own
