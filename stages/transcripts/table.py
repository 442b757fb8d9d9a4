"""Reading transcripts that lie beside the recordings: one reader per suffix.

A new format is a function and a row of `READERS`. What comes out counts in whole samples of the recording, lies within
it, and is in order; the text itself is never changed but for runs of white space.
"""

import codecs
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stages.audio.files import AudioInfo
from stages.errors import TextError, blame_machine
from stages.transcripts.plain import read_plain
from stages.transcripts.script import Reader, Script
from stages.transcripts.subtitles import parse_srt, parse_vtt
from stages.transcripts.textgrid import parse_textgrid
from stages.transcripts.whisperx import from_whisperx, read_json


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
