"""What every transcript format is read into."""

from collections.abc import Callable
from dataclasses import dataclass

from stages.audio.files import AudioInfo
from stages.records import Segment


@dataclass(frozen=True, slots=True)
class Script:
    """What a transcript says; a language is "" where it doesn't name one."""

    language: str
    """As the file writes it: any code or name."""
    segments: tuple[Segment, ...]
    """Sorted by start; at least one with text. Those without are sounds that an aligner found to be in no text."""
    timed: bool
    """False where one untimed text covers the whole recording."""


Reader = Callable[[str, AudioInfo], Script]
