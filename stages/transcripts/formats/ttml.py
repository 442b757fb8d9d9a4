"""Reads Timed Text (`.ttml`, `.dfxp`), as broadcasters, Netflix and YouTube write it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as ET

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.markup import attribute, local, parse_xml
from stages.transcripts.script import Script, TranscriptFormat
from stages.transcripts.whisperx import from_whisperx

_CLOCK = re.compile(r"(\d{2,}):(\d{2}):(\d{2})(?:(\.\d+)|:(\d{2,})(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class _Rates:
    """How a file counts time."""

    frames: float
    """Frames a second."""
    ticks: float


@dataclass(frozen=True, slots=True)
class _Span:
    """When an element is shown, and who speaks in it."""

    start: float
    end: float | None
    speaker: str = ""
    timed: bool = False


def read_ttml(text: str, audio: AudioInfo) -> Script:
    """Reads the paragraphs, and their timed spans as segments of their own.

    `begin`, `end` and `dur` may be clock times, with frames, or offsets in hours to ticks; they count from the element
    around. `<br/>` breaks a line. `ttm:agent` names the speaker, `xml:lang` the language.

    Raises:
        TextError: if it isn't Timed Text, or a time can't be read.

    Source: https://www.w3.org/TR/ttml1/, sections 6.2 and 10.3.
    """
    root = parse_xml(text, "tt", "Timed Text")
    frames = float(attribute(root, "frameRate") or 30)
    numerator, _, denominator = attribute(root, "frameRateMultiplier").replace(":", " ").partition(" ")
    if numerator and denominator:
        frames *= float(numerator) / float(denominator)
    ticks = float(attribute(root, "tickRate") or (frames if attribute(root, "frameRate") else 1))
    agents = {
        attribute(agent, "id"): " ".join("".join(agent.itertext()).split())
        for agent in root.iter()
        if local(agent.tag) == "agent"
    }
    body = next((child for child in root if local(child.tag) == "body"), None)
    if body is None:
        raise TextError("must hold a `<body>`, but holds none. Export it again.")
    language = attribute(body, "lang") or attribute(root, "lang")
    segments = list(_segments(body, _Span(0.0, None), _Rates(frames, ticks), agents))
    return from_whisperx({"language": language or None, "segments": segments}, audio, style="captions")


def _segments(element: ET.Element, around: _Span, rates: _Rates, agents: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yields the segments of an element and of those in it; `unread` for a paragraph whose times can't be read."""
    if local(element.tag) == "p":
        try:
            yield from list(_paragraph(element, around, rates, agents))
        except TextError as error:
            yield {"unread": str(error)}
        return
    span = _span(element, around, rates, agents)
    for child in element:
        yield from _segments(child, span, rates, agents)


def _paragraph(element: ET.Element, around: _Span, rates: _Rates, agents: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yields the segments of a paragraph; raises `TextError` if its times can't be read."""
    span = _span(element, around, rates, agents)
    pieces = list(_pieces(element, span, rates, agents))
    own = "".join(said for place, said in pieces if place == span)
    inner: dict[tuple[float, float | None], list[str]] = {}
    for place, said in pieces:
        if place != span:
            inner.setdefault((place.start, place.end), []).append(said)
    if any(map(str.isalnum, own)) or not inner:
        inner = {(span.start, span.end): [said for _, said in pieces]}
    for (start, end), texts in inner.items():
        said = "\n".join(" ".join(line.split()) for line in "".join(texts).split("\n"))
        if said.strip():
            yield {"start": start, "end": end, "text": said.strip(), "speaker": span.speaker or None}


def _pieces(element: ET.Element, span: _Span, rates: _Rates, agents: dict[str, str]) -> Iterator[tuple[_Span, str]]:
    """Yields the texts within a paragraph, each with when it is shown."""
    yield span, (element.text or "").replace("\n", " ")
    for child in element:
        if local(child.tag) == "br":
            yield span, "\n"
        elif local(child.tag) not in {"metadata", "set"} and attribute(child, "role") != "x-bg":
            inner = _span(child, span, rates, agents)
            yield from _pieces(child, inner if inner.timed else span, rates, agents)
        yield span, (child.tail or "").replace("\n", " ")


def _span(element: ET.Element, around: _Span, rates: _Rates, agents: dict[str, str]) -> _Span:
    begin, end, length = (attribute(element, name) for name in ("begin", "end", "dur"))
    start = around.start + (_seconds(begin, rates) if begin else 0.0)
    stop = around.end
    if length:
        stop = start + _seconds(length, rates)
    elif end:
        stop = around.start + _seconds(end, rates)
    agent = attribute(element, "agent").split(" ")[0]
    speaker = agents.get(agent) or agent or around.speaker
    timed = bool(begin or end or length)
    return replace(around, start=start, end=stop, speaker=speaker, timed=timed)


def _seconds(time: str, rates: _Rates) -> float:
    if match := _CLOCK.fullmatch(time.strip()):
        hours, minutes, seconds, fraction, frame = match.groups()
        whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return whole + float(fraction or 0) + (int(frame) / rates.frames if frame else 0.0)
    if match := _OFFSET.fullmatch(time.strip()):
        value, unit = float(match[1]), match[2]
        per_second = {"f": rates.frames, "t": rates.ticks}
        return value / per_second[unit] if unit in per_second else value * _UNITS[unit]
    raise TextError(f"times must be as `00:00:01.500` or `1.5s`, but one is `{time[:30]}`. Export it again.")


TTML = TranscriptFormat("ttml", (".ttml", ".dfxp"), read_ttml, tells="times, speakers, language", rank=36)
