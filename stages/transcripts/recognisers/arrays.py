"""Reads bare arrays of segments or words: Emilia-Pipe, faster-whisper, youtube-transcript-api."""

import math
from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json

_STARTS = ("start", "start_time", "begin", "from", "onset", "begin_time")
_ENDS = ("end", "end_time", "stop", "to", "offset", "finish")
_LENGTHS = ("duration", "dur")
_TEXTS = ("text", "word", "transcript", "transcription", "sentence", "content")


def parse_array(data: Any) -> dict[str, Any]:
    """Turns an array of objects with a start, an end or a length, and a text into segments; times in seconds.

    Objects with a `word` are words: they make segments.
    """
    found = [_segment(value) if isinstance(value, Mapping) else value for value in data]
    if all(isinstance(value, Mapping) and "word" in value and "text" not in value for value in data):
        return {"segments": sentences(_with_times([{**segment, "word": segment["text"]} for segment in found]))}
    return {"segments": found}


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _segment(value: Mapping[str, Any]) -> dict[str, Any]:
    segment = {"start": _first(value, _STARTS), "end": _first(value, _ENDS), "text": _first(value, _TEXTS)}
    length = _first(value, _LENGTHS)
    if segment["end"] is None and isinstance(segment["start"], int | float) and isinstance(length, int | float):
        segment["end"] = segment["start"] + length
    return segment | {key: value[key] for key in ("speaker", "language", "words") if value.get(key) is not None}


def _with_times(words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the words, in order; where a time isn't told, a word begins and ends with the one before it."""
    reached = 0.0
    for word in words:
        for key in ("start", "end"):
            told = word[key]
            reached = told if isinstance(told, int | float) and math.isfinite(told) else reached
            word[key] = reached
    return sorted(words, key=lambda word: (word["start"], word["end"]))


def _is_array(text: Content) -> bool:
    data = text.data
    return (
        isinstance(data, list)
        and bool(data)
        and isinstance(data[0], Mapping)
        and bool(data[0].keys() & set(_STARTS))
        and bool(data[0].keys() & set(_TEXTS))
    )


ARRAY = TranscriptFormat(
    "segments",
    (),
    from_json(parse_array, style="captions"),
    tells="times, words, speakers, language",
    rank=18,
    within=(".json",),
    claims=_is_array,
)
