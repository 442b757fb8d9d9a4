"""The table of transcript formats; reads a transcript by its suffix.

To add a format, add one file to this folder, with a `TranscriptFormat` and a function that reads a file's text: to
segments (see `whisperx.timed`), or to a `Script`.
Segments are in whole samples of the recording, within it and in order. The text is never changed, except that runs of
white space become one space.
"""

from collections.abc import Mapping
from pathlib import Path

from stages.audio.files import AudioInfo
from stages.errors import TextError, blame_machine
from stages.tables import by_key, rows_in
from stages.tar.members import read_bytes
from stages.transcripts.script import Reader, Script, TranscriptFormat, decode


def read_transcript(path: Path, audio: AudioInfo) -> Script:
    """Reads the transcript of a recording in the format of its suffix.

    Args:
        path: A transcript, in UTF-8 with or without a byte order mark, or in UTF-16 with one.
        audio: The recording it belongs to.

    Raises:
        TextError: if the file can't be read or decoded, holds no text, or has impossible times.
    """
    try:
        content = read_bytes(path)
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


FORMATS = rows_in("stages.transcripts", TranscriptFormat)
"""The formats by name; preferred ones first."""

READERS: Mapping[str, Reader] = by_key(
    (suffix, row.name, row.read) for row in FORMATS.values() for suffix in row.suffixes
)
"""The readers by suffix. If a recording has several transcripts, the first suffix here is used."""
