"""What a transcript format is, and the `Script` that every format is read into."""

import codecs
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import BadSegment, Segment, Taken


@dataclass(frozen=True, slots=True)
class Script:
    """The content of a transcript."""

    language: str
    """As the file writes it, a code or a name; "" if it names none."""
    segments: tuple[Segment, ...]
    """Sorted by start; at least one has text. Those without are sounds that an aligner found outside the text. The
    speaker is "" if none is named, None if several speak in the segment."""
    timed: bool
    """False if one untimed text covers the whole recording."""
    taken: tuple[Taken, ...] = ()
    """What the file holds besides speech, and was taken out of the texts."""
    bad: tuple[BadSegment, ...] = ()
    """Segments of the file that can't be used."""


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
    """If a recording has several transcripts, the one whose suffix belongs to the format with the lowest rank is used.
    Timed formats rank first."""
    within: tuple[str, ...] = ()
    """Suffixes of other formats' files, which are in this one if `claims` says so."""
    claims: Callable[["Content"], bool] = lambda _: False
    """Whether a file is in this format, by its content."""

    def __post_init__(self) -> None:
        """Raises `ValueError` if a suffix could never match."""
        for suffix in (*self.suffixes, *self.within):
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise ValueError(
                    f"suffixes of `{self.name}` must begin with a dot and be in lower case, but one is `{suffix}`"
                )


class Content(str):
    """The text of a file. Its lines and its JSON are parsed once, however many formats look at them."""

    @cached_property
    def rows(self) -> Sequence[str]:
        """The lines that aren't blank, without white space at their ends."""
        return [line.rstrip() for line in self.splitlines() if line.strip()]

    @cached_property
    def data(self) -> Any:
        """The JSON value; None if the text isn't JSON. Several documents, one after the other, are a list of them."""
        try:
            return parse_json(self)
        except TextError:
            return None

    def under(self, key: str) -> Any:
        """Returns the value of a key, if the text is a JSON object that has it; else None."""
        return self.data.get(key) if isinstance(self.data, Mapping) else None


def parse_json(text: str) -> Any:
    """Returns a text's JSON value; several documents, one after the other, as a list of them.

    Raises:
        TextError: if the text isn't JSON.
    """
    found: list[Any] = []
    at, decoder = _SPACE.match(text).end(), json.JSONDecoder()  # type: ignore[union-attr]
    try:
        while at < len(text) or not found:
            value, at = decoder.raw_decode(text, at)
            found.append(value)
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError) as error:
        raise TextError(f"must be JSON, but isn't: {error}. Export it again.") from error
    return found[0] if len(found) == 1 else found


_SPACE = re.compile(r"\s*")


def decode(content: bytes) -> str:
    """Decodes UTF-8, or UTF-16 with a byte order mark, as Praat and subtitle editors write it.

    Raises:
        UnicodeDecodeError: if it is neither.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")
