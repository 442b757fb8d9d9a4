"""Reads Rev's transcripts, and those of Vosk's transcriber: `monologues`."""

from collections.abc import Mapping
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import from_json


def parse_rev(data: Any) -> dict[str, Any]:
    """Turns monologues into segments; times in seconds. Elements are words, punctuation with its spaces, or unheard."""
    monologues = data["monologues"]
    several = len({str(one.get("speaker")) for one in monologues}) > 1
    segments = []
    for monologue in monologues:
        words: list[dict[str, Any]] = []
        for element in monologue.get("elements") or monologue.get("terms") or ():
            said, kind = element.get("value", element.get("text", "")), element.get("type", "").lower()
            if kind == "punct" or (kind != "unknown" and "ts" not in element and "start" not in element):
                if words:
                    words[-1]["word"] += said.strip()
                continue
            start, end = element.get("ts", element.get("start")), element.get("end_ts", element.get("end"))
            if start is None:
                start = end = words[-1]["end"] if words else 0.0
            words.append({"word": "<unk>" if kind == "unknown" else said, "start": start, "end": end})
        segments += sentences(words, speaker=_speaker(monologue) if several else None)
    return {"language": data.get("language"), "segments": segments}


def _speaker(monologue: Mapping[str, Any]) -> str | None:
    speaker = monologue.get("speaker")
    if isinstance(speaker, Mapping):
        speaker = speaker.get("name") or speaker.get("id")
    return None if speaker is None else f"speaker {speaker}"


def _is_rev(text: Content) -> bool:
    return isinstance(text.under("monologues"), list)


REV = TranscriptFormat(
    "rev", (), from_json(parse_rev), tells="times, words, speakers", rank=16, within=(".json",), claims=_is_rev
)
