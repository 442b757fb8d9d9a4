"""Tells which column of a table is the audio, the text, the speaker, the language, by its header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROLES = "audio", "text", "speaker", "language", "start", "end"
"""What a column can be."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "audio": (
        *("audio_filepath", "audio_file", "file_name", "audio_path", "audio", "filename", "filepath", "file_path"),
        *("file", "path", "wav", "wav_path", "wav_file", "wav_filename", "wavfile", "audio_filename", "audiofile"),
        *("vocal_path", "clip", "clip_path", "mp3", "flac", "fname"),
        *("id", "utt", "utt_id", "utterance_id", "clip_id", "audio_id", "name", "key"),
    ),
    "text": (
        *("text_normalized", "normalized_text", "text_normalised", "normalised_text", "normalized", "normalised"),
        *("text", "transcription", "transcript", "sentence", "raw_text", "original_text", "text_no_preprocessing"),
        *("utterance", "content"),
    ),
    "speaker": (
        *("speaker_name", "speaker", "speaker_id", "spk", "spk_id", "spkid", "speakerid", "spk_name", "client_id"),
        *("reader", "reader_id", "narrator", "voice"),
    ),
    "language": ("language", "language_id", "lang", "lang_id", "locale", "language_code", "lang_code"),
    "start": ("start", "start_s", "start_time", "begin", "begin_time", "offset", "segment_start"),
    "end": ("end", "end_s", "end_time", "segment_end"),
    "duration": ("duration", "duration_s", "dur"),
}
"""The names of each role's column; if there are several, the first here is used."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The places of a table's columns, from 0."""

    audio: int
    texts: tuple[int, ...]
    """The first of them that isn't empty is the text."""
    speaker: int | None = None
    language: int | None = None
    start: int | None = None
    """Seconds into the recording."""
    end: int | None = None
    duration: int | None = None
    """Seconds; used with `start` where there is no `end`."""

    def at(self, cells: Sequence[str], place: int | None) -> str:
        """Returns a row's cell; "" if the row or the table has none."""
        return cells[place] if place is not None and place < len(cells) else ""

    def text(self, cells: Sequence[str]) -> str:
        """Returns a row's text."""
        return next((cells[place] for place in self.texts if place < len(cells) and cells[place]), "")


def checked_columns(given: Mapping[Any, Any]) -> dict[str, str]:
    """Returns `transcribe.columns` with names as keys, also for numbers.

    Raises:
        ValueError: if a value is no role, if two are the same, or if the audio or the text isn't among them.
    """
    columns = {str(column): str(role) for column, role in given.items()}
    for column, role in columns.items():
        if role not in ROLES:
            raise ValueError(
                f"must say of a column that it is {', '.join(ROLES)}, but says that `{column}` is `{role}`"
            )
    if columns and not {"audio", "text"} <= {*columns.values()}:
        raise ValueError("must name the column of the audio and that of the text")
    if len({*columns.values()}) < len(columns):
        raise ValueError("must name one column for each role")
    return columns


def name_of(cell: str) -> str:
    """Returns the name in a header's cell, in the form in which names are compared."""
    return re.sub(r"[^a-z0-9]+", "_", cell.casefold()).strip("_")


def roles_of(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the names that each role has among a header's, best first; roles without one are left out."""
    known = {name_of(name): name for name in reversed(names)}
    found = {role: tuple(known[name] for name in wanted if name in known) for role, wanted in _NAMES.items()}
    return {role: given for role, given in found.items() if given}


def by_header(cells: Sequence[str]) -> Columns | None:
    """Returns the columns that a header names; None if it doesn't name the audio and the text."""
    roles = roles_of(cells)
    if not {"audio", "text"} <= roles.keys():
        return None
    places = {name: place for place, name in reversed(list(enumerate(cells)))}
    single = {role: places[given[0]] for role, given in roles.items() if role not in {"audio", "text"}}
    return Columns(places[roles["audio"][0]], tuple(places[name] for name in roles["text"]), **single)
