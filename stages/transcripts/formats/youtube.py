"""Reads YouTube's own captions, as yt-dlp saves them: `.json3`, and XML as `.srv1`, `.srv2`, `.srv3`."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.transcripts.markup import local, parse_xml
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import from_json, timed


def parse_json3(data: Any) -> dict[str, Any]:
    """Turns `events` with `tStartMs`, `dDurationMs` and `segs` into segments; times in milliseconds.

    In automatic captions each piece is a word, with its start after the event's. Their events overlap: each stays
    on the screen under the next.
    """
    found = []
    for event in data["events"]:
        pieces = event.get("segs") or []
        text = "".join(piece.get("utf8", "") for piece in pieces)
        if event.get("aAppend") or not text.strip():
            continue  # an appended event only breaks a line
        start = event.get("tStartMs", 0)
        words = [
            (piece["utf8"], start + piece.get("tOffsetMs", 0)) for piece in pieces if piece.get("utf8", "").strip()
        ]
        automatic = any("tOffsetMs" in piece for piece in pieces)
        found.append((start, start + event["dDurationMs"], text, words if automatic else []))
    return {"segments": _segments(found)}


def parse_srv(text: str) -> list[dict[str, Any]]:
    """Reads the XML forms: `<text start dur>` in seconds, `<text t d>` and `<p t d><s t>` in milliseconds.

    Raises:
        TextError: if it is none of them, or a text has no times.
    """
    root = "transcript" if "<transcript" in text[:500] else "timedtext"
    found = []
    for element in parse_xml(text, root, "YouTube's captions").iter():
        if local(element.tag) not in {"text", "p"} or element.get("append") or element.get("a"):
            continue
        said = "".join(element.itertext())
        if not said.strip():
            continue
        scale = 1000 if element.get("start") is not None else 1
        start = scale * _number(element.get("start", element.get("t", "")))
        length = scale * _number(element.get("dur", element.get("d", "")))
        parts = [child for child in element if local(child.tag) == "s"]
        words = [
            (child.text or "", start + _number(child.get("t", "0"))) for child in parts if (child.text or "").strip()
        ]
        found.append((start, start + length, said, words if any("t" in child.attrib for child in parts) else []))
    return _segments(found)


def _number(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdecimal() else float("nan")


def _segments(found: Sequence[tuple[float, float, str, Sequence[tuple[str, float]]]]) -> list[dict[str, Any]]:
    """Returns the segments in seconds; a word lasts until the next one, or until the next event."""
    segments = []
    for place, (start, end, text, words) in enumerate(found):
        after = found[place + 1][0] if place + 1 < len(found) else end
        until = min(end, after) if after > start else end
        ends = [*(at for _, at in words[1:]), *(max(until, at) for _, at in words[-1:])]
        timed_words = [
            {"word": word.strip(), "start": at / 1000, "end": to / 1000}
            for (word, at), to in zip(words, ends, strict=True)
        ]
        segments.append({"start": start / 1000, "end": end / 1000, "text": text.strip(), "words": timed_words})
    return segments


def _is_json3(text: Content) -> bool:
    events = text.data.get("events") if isinstance(text.data, Mapping) else None
    return isinstance(events, list) and any(isinstance(event, Mapping) and "tStartMs" in event for event in events)


JSON3 = TranscriptFormat(
    "youtube json3",
    (".json3",),
    from_json(parse_json3, style="captions"),
    tells="times, words",
    rank=44,
    within=(".json",),
    claims=_is_json3,
)
SRV = TranscriptFormat(
    "youtube srv", (".srv3", ".srv2", ".srv1"), timed(parse_srv, style="captions"), tells="times, words", rank=46
)
