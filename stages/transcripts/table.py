"""The table of transcript formats; reads a transcript by its suffix, and by its content where formats share one.

To add a format, add one file to `formats` or, for the JSON of a recogniser, to `recognisers`: with a `TranscriptFormat`
and a function that reads a file's text: to segments (see `whisperx.timed` and `whisperx.from_json`), or to a `Script`.
Segments are in whole samples of the recording, within it and in order.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stages.audio.files import AudioInfo
from stages.errors import TextError, blame_machine
from stages.tables import by_key, merged, rows_in
from stages.tar.members import read_bytes
from stages.transcripts.script import Content, Script, TranscriptFormat, decode

FORMATS: Mapping[str, TranscriptFormat] = merged(
    rows_in(f"stages.transcripts.{folder}", TranscriptFormat) for folder in ("formats", "recognisers")
)
"""The formats by name; preferred ones first."""


READERS: Mapping[str, TranscriptFormat] = by_key(
    (suffix, row.name, row) for row in FORMATS.values() for suffix in row.suffixes
)
"""The formats by suffix. If a recording has several transcripts, the first suffix here is used."""


def format_of(suffix: str, text: Content) -> TranscriptFormat:
    """Returns the format of a file: the one that claims its content, else that of its suffix."""
    claiming = (row for row in FORMATS.values() if suffix in row.within and row.claims(text))
    return next(claiming, READERS[suffix])


def read_transcript(path: Path, audio: AudioInfo, *, language: str = "") -> Script:
    """Reads the transcript of a recording in the format of its suffix and content.

    Args:
        path: A transcript, in UTF-8 with or without a byte order mark, or in UTF-16 with one.
        audio: The recording it belongs to.
        language: What its name says, as in `talk.en.vtt`; used if the file itself names none.

    Raises:
        TextError: if the file can't be read or decoded, holds no text, or has impossible times.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        blame_machine(error)
        raise TextError(f"`{path}` can't be read: {error.strerror}. Check the path and its permissions.") from error
    try:
        text = Content(decode(content))
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise TextError(
            f"`{path}` must be UTF-8, but its byte {error.start} is {byte:#04x}. Save it as UTF-8."
        ) from error
    try:
        script = format_of(path.suffix.lower(), text).read(text, audio)
    except TextError as error:
        raise TextError(f"`{path}`: {error}") from error
    return script if script.language or not language else replace(script, language=language)
