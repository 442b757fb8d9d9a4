"""Reads the results of Vosk: `result` with words, `text`; one, a list, or several one after the other."""

from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import from_json


def parse_vosk(data: Any) -> dict[str, Any]:
    """Turns each result into a segment; times in seconds. Of alternatives the first is used."""
    segments = []
    for result in data if isinstance(data, list) else [data]:
        best = result["alternatives"][0] if result.get("alternatives") else result
        words = best.get("result") or []
        if words:
            text = best.get("text") or " ".join(word["word"] for word in words)
            segments.append({"start": words[0]["start"], "end": words[-1]["end"], "text": text, "words": words})
    return {"segments": segments}


def _is_result(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    best = (value.get("alternatives") or [value])[0] if isinstance(value.get("alternatives", []), list) else value
    words = best.get("result") if isinstance(best, Mapping) else None
    return isinstance(words, list) and bool(words) and isinstance(words[0], Mapping) and "word" in words[0]


def _is_vosk(text: Content) -> bool:
    return any(map(_is_result, text.data)) if isinstance(text.data, list) else _is_result(text.data)


VOSK = TranscriptFormat(
    "vosk", (), from_json(parse_vosk), tells="times, words", rank=13, within=(".json",), claims=_is_vosk
)
