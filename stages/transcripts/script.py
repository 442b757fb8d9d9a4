"""What a transcript format is, and what every one is read into."""

import codecs
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


@dataclass(frozen=True, slots=True)
class TranscriptFormat:
    """A kind of transcript beside a recording: a row of the table of formats."""

    name: str
    suffixes: tuple[str, ...]
    """By which files are known, in lower case, with their dots; of several the first is preferred."""
    read: Reader
    """Turns a file's text into a script. Raises `TextError`, which needn't name the file."""
    tells: str
    """What it holds beside the text: times, speakers, languages."""
    rank: int = 50
    """Where a recording has several transcripts, the one of the lowest rank is taken: those with times come first."""


def decode(content: bytes) -> str:
    """Decodes a text in UTF-8, or in UTF-16 with a byte order mark, as Praat and subtitle editors write it.

    Raises:
        UnicodeDecodeError: if it is neither.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")
