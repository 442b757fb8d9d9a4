"""Reads whisperX's JSON, and turns segments in whisperX's form into a `Script` for the other formats."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import Segment, Word
from stages.transcripts.plain import read_plain
from stages.transcripts.script import Reader, Script, TranscriptFormat

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
    """Reads whisperX's JSON: `{"language", "segments": [{"start", "end", "text", "words"}]}`, times in seconds.

    A file with `text` but no `segments` is an untimed transcript.

    Raises:
        TextError: if it isn't such JSON, holds no text, or has impossible times.
    """
    try:
        return _script(_Json.model_validate_json(text), audio)
    except ValidationError as error:
        raise TextError(_describe(error)) from error


def from_whisperx(result: Mapping[str, Any], audio: AudioInfo) -> Script:
    """Turns a result in whisperX's form into a script; raises as `read_json`."""
    try:
        return _script(_Json.model_validate(result), audio)
    except ValidationError as error:
        raise TextError(_describe(error)) from error


def timed(parse: Callable[[str], list[dict[str, Any]]]) -> Reader:
    """Makes a format's reader from a function that returns segments.

    A segment is a dictionary with `start`, `end` (seconds) and `text`, and if known `speaker`, `language` and `words`
    (`word`, `start`, `end`). Any order; empty texts are dropped. An end past the recording is cut; a start past it
    raises `TextError`.
    """

    def read(text: str, audio: AudioInfo) -> Script:
        return from_whisperx({"segments": parse(text)}, audio)

    return read


def read_told(told: str, audio: AudioInfo) -> tuple[Script, str]:
    """Reads `Recording.told`: what a corpus's table says about a recording, as JSON.

    Returns:
        The script, and the layout of the table.

    Raises:
        TextError: if the row can't be used, holds no text, or has impossible times.
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
    return f"`{where or 'the file'}` must be {rule}, but is {value[:60]}. Correct it or export it again."


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
        raise TextError(
            f"`{name}` must end after its start ({segment.start} s), but ends at {segment.end} s. Correct it."
        )
    text = " ".join(segment.text.split())
    words = [word for word in segment.words or () if word.word.strip()]
    if "".join("".join(word.word.split()) for word in words) != text.replace(" ", ""):
        words = []
    placed = _place(words, start, end, audio.sample_rate)
    return Segment(start, end, text, segment.language or "", placed, (segment.speaker or "").strip())


def _place(words: Sequence[_Word], start: int, end: int, sample_rate: int) -> tuple[Word, ...]:
    """Returns the words with times in order. Words without times share the gap around them by number of letters."""
    given: list[tuple[int, int] | None] = []
    reached = start
    for word in words:
        if word.start is None or word.end is None:
            given.append(None)
            continue
        left = min(max(round(word.start * sample_rate), reached), end)
        reached = min(max(round(word.end * sample_rate), left), end)
        given.append((left, reached))
    gaps: list[tuple[int, int]] = []
    gap_end, letters = end, 0
    for word, border in zip(reversed(words), reversed(given), strict=True):
        gap_end, letters = (border[0], 0) if border else (gap_end, letters + len(word.word))
        gaps.append((gap_end, letters))
    placed: list[Word] = []
    reached = start
    for word, border, (gap_end, letters) in zip(words, given, reversed(gaps), strict=True):
        left, right = border or (reached, reached + (gap_end - reached) * len(word.word) // letters)
        placed.append(Word(word.word.strip(), left, right))
        reached = right
    return tuple(placed)


WHISPERX = TranscriptFormat("whisperx", (".json",), read_json, tells="times, words, speakers, language", rank=10)
