"""What a transcript format is, and the `Script` that every format is read into."""

import codecs
from collections.abc import Callable
from dataclasses import dataclass

from stages.audio.files import AudioInfo
from stages.records import Segment


@dataclass(frozen=True, slots=True)
class Script:
    """The content of a transcript."""

    language: str
    """As the file writes it, a code or a name; "" if it names none."""
    segments: tuple[Segment, ...]
    """Sorted by start; at least one has text. Those without are sounds that an aligner found outside the text."""
    timed: bool
    """False if one untimed text covers the whole recording."""


Reader = Callable[[str, AudioInfo], Script]
"""Takes a file's text and its recording. Raises `TextError`, which needn't name the file."""


@dataclass(frozen=True, slots=True)
class TranscriptFormat:
    """A transcript format: a row of the table of formats."""

    name: str
    suffixes: tuple[str, ...]
    """File suffixes, in lower case, with their dots; earlier ones are preferred."""
    read: Reader
    tells: str
    """What it can hold besides the text, such as `times, speakers`: shown in the documentation."""
    rank: int = 50
    """If a recording has several transcripts, the format with the lowest rank is used. Timed formats rank first."""

    def __post_init__(self) -> None:
        """Raises `ValueError` if a suffix could never match."""
        for suffix in self.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise ValueError(
                    f"suffixes of `{self.name}` must begin with a dot and be in lower case, but one is `{suffix}`"
                )


def decode(content: bytes) -> str:
    """Decodes UTF-8, or UTF-16 with a byte order mark, as Praat and subtitle editors write it.

    Raises:
        UnicodeDecodeError: if it is neither.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")
