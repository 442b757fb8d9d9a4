"""Reads the result of Hugging Face's pipeline for speech recognition: `chunks` with `timestamp`."""

from typing import Any

from stages.transcripts.recognisers.arrays import parse_array
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import from_json


def parse_chunks(data: Any) -> dict[str, Any]:
    """Turns `chunks` into segments, or into words if each is a single word; times in seconds."""
    chunks = [
        {
            "start": chunk["timestamp"][0],
            "end": chunk["timestamp"][1],
            "text": chunk["text"],
            "speaker": chunk.get("speaker"),
        }
        for chunk in data["chunks"]
    ]
    if len(chunks) > 1 and all(len(chunk["text"].split()) == 1 for chunk in chunks):
        words = [{**chunk, "word": chunk["text"]} for chunk in chunks]
        return parse_array([{key: word[key] for key in ("word", "start", "end", "speaker")} for word in words])
    return {"segments": chunks}


def _is_chunks(text: Content) -> bool:
    return isinstance(text.under("chunks"), list)


TRANSFORMERS = TranscriptFormat(
    "transformers",
    (),
    from_json(parse_chunks),
    tells="times, words",
    rank=12,
    within=(".json",),
    claims=_is_chunks,
)
