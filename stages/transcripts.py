"""Reading transcripts that lie beside the recordings: one reader per suffix.

A new format is a function and a row of `READERS`. What comes out counts in whole samples of the recording, lies within
it, and is in order; the text itself is never changed but for runs of white space.
"""

import codecs
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.audio import AudioInfo
from stages.errors import TextError, blame_machine
from stages.records import Segment, Word
from stages.subtitles import parse_srt, parse_vtt
from stages.textgrid import parse_textgrid


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


def read_transcript(path: Path, audio: AudioInfo) -> Script:
    """Reads the transcript of a recording by the reader of its suffix.

    Args:
        path: A transcript, in UTF-8 with or without a byte order mark, or in UTF-16 with one.
        audio: The recording it belongs to.

    Raises:
        TextError: if the file can't be read, isn't UTF-8, holds no text, or has times that make no sense.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        blame_machine(error)
        raise TextError(f"`{path}` can't be read: {error.strerror}. Check the path and its permissions.") from error
    try:
        text = decode(content)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise TextError(
            f"`{path}` must be UTF-8, but its byte {error.start} is {byte:#04x}. Save it as UTF-8."
        ) from error
    try:
        return READERS[path.suffix.lower()](text, audio)
    except TextError as error:
        raise TextError(f"`{path}`: {error}") from error


def decode(content: bytes) -> str:
    """Returns a text that is UTF-8, or UTF-16 with a byte order mark, as Praat and subtitle editors write it.

    Raises:
        UnicodeDecodeError: if it is neither.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def read_plain(text: str, audio: AudioInfo) -> Script:
    """Takes the whole text for the whole recording."""
    text = " ".join(text.split())
    if "\0" in text:
        raise TextError("must hold plain text, but holds NUL bytes: it may be UTF-16 without a mark. Save it as UTF-8.")
    if not text:
        raise TextError("must hold the text of its recording, but holds none. Write it, or remove the file.")
    if _HTK_LABELS.fullmatch(text):
        raise TextError("must hold plain text, but holds HTK labels (start, end, phone). Give the words instead.")
    return Script("", (Segment(0, audio.samples, text, ""),), timed=False)


_HTK_LABELS = re.compile(r"(?:\d+ \d+ \S+ ?)+")

Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)


class _Word(_Model):
    word: str
    start: Seconds | None = None
    end: Seconds | None = None


class _Segment(_Model):
    start: Seconds
    end: Seconds
    text: str
    language: str | None = None
    speaker: str | None = None
    words: list[_Word] | None = None


class _Json(_Model):
    language: str | None = None
    segments: list[_Segment] | None = None
    text: str | None = None


def read_json(text: str, audio: AudioInfo) -> Script:
    """Reads what whisperX writes: `{"language", "segments": [{"start", "end", "text", "words"}]}`, times in seconds.

    A file with a `text` and no `segments` is an untimed transcript.
    """
    try:
        return _script(_Json.model_validate_json(text), audio)
    except ValidationError as error:
        raise TextError(_describe(error)) from error


def from_whisperx(result: Mapping[str, Any], audio: AudioInfo) -> Script:
    """Turns what whisperX returned into a script; as `read_json`."""
    try:
        return _script(_Json.model_validate(result), audio)
    except ValidationError as error:
        raise TextError(_describe(error)) from error


def _timed(parse: Callable[[str], list[dict[str, Any]]]) -> Reader:
    """Turns a function from a file's text to its segments into a reader."""

    def read(text: str, audio: AudioInfo) -> Script:
        return from_whisperx({"segments": parse(text)}, audio)

    return read


READERS: Mapping[str, Reader] = {
    ".json": read_json,
    ".textgrid": _timed(parse_textgrid),
    ".vtt": _timed(parse_vtt),
    ".srt": _timed(parse_srt),
    ".txt": read_plain,
    ".lab": read_plain,
}
"""The readers by suffix; where a recording has several transcripts, the first of these is taken (timed before not)."""


def read_told(told: str, audio: AudioInfo) -> tuple[Script, str]:
    """Reads what a corpus's table tells of a recording, as it lies in `Recording.told`.

    Returns:
        The script, and the layout of the table.

    Raises:
        TextError: if the table's row can't be used, holds no text, or times that make no sense.
    """
    row = json.loads(told)
    if row["problem"]:
        raise TextError(f"`{row['table']}`: {row['problem']}")
    try:
        return from_whisperx(row["content"], audio), row["layout"]
    except TextError as error:
        raise TextError(f"`{row['table']}`: {error}") from error


def _describe(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "json_invalid":
        return f"must be JSON, but isn't: {problem['ctx']['error']}. Export it again."
    value = repr(problem["input"])
    if problem["type"] == "missing":
        return f"`{where}` must be given, but is missing. Export it again."
    rule = problem["msg"].removeprefix("Input should be ")
    return f"`{where or 'the file'}` must be {rule}, but is {value[:60]}. Mend it or export it again."


def _script(data: _Json, audio: AudioInfo) -> Script:
    language = data.language or ""
    if data.segments is None and data.text is not None:
        return Script(language, read_plain(data.text, audio).segments, timed=False)
    segments = [
        _segment(f"segments[{index}]", segment, audio)
        for index, segment in enumerate(data.segments or ())
        if segment.text.strip()
    ]
    if not segments:
        raise TextError("must hold `segments` with text, but holds none. Write them, or remove the file.")
    segments.sort(key=lambda segment: (segment.start_samples, segment.end_samples))
    return Script(language, tuple(segments), timed=True)


def _segment(name: str, segment: _Segment, audio: AudioInfo) -> Segment:
    start = round(segment.start * audio.sample_rate)
    end = min(round(segment.end * audio.sample_rate), audio.samples)
    if start >= audio.samples:
        raise TextError(
            f"`{name}` must start within its recording ({audio.samples / audio.sample_rate:.3f} s), but starts at"
            f" {segment.start} s. It may belong to another recording."
        )
    if end <= start:
        raise TextError(f"`{name}` must end after its start ({segment.start} s), but ends at {segment.end} s. Mend it.")
    text = " ".join(segment.text.split())
    words = [word for word in segment.words or () if word.word.strip()]
    if "".join("".join(word.word.split()) for word in words) != text.replace(" ", ""):
        words = []
    placed = _place(words, start, end, audio.sample_rate)
    return Segment(start, end, text, segment.language or "", placed, (segment.speaker or "").strip())


def _place(words: Sequence[_Word], start: int, end: int, sample_rate: int) -> tuple[Word, ...]:
    """Returns the words with borders that never go back; one without times gets its share of the gap, by letters."""
    known: list[tuple[int, int] | None] = []
    reached = start
    for word in words:
        if word.start is None or word.end is None:
            known.append(None)
            continue
        left = min(max(round(word.start * sample_rate), reached), end)
        reached = min(max(round(word.end * sample_rate), left), end)
        known.append((left, reached))
    gaps: list[tuple[int, int]] = []
    gap_end, letters = end, 0
    for word, border in zip(reversed(words), reversed(known), strict=True):
        gap_end, letters = (border[0], 0) if border else (gap_end, letters + len(word.word))
        gaps.append((gap_end, letters))
    placed: list[Word] = []
    reached = start
    for word, border, (gap_end, letters) in zip(words, known, reversed(gaps), strict=True):
        left, right = border or (reached, reached + (gap_end - reached) * len(word.word) // letters)
        placed.append(Word(word.word.strip(), left, right))
        reached = right
    return tuple(placed)
