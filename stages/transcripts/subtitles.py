"""Reads subtitles: SubRip (`.srt`) and WebVTT (`.vtt`), as whisperX, editors and video sites write them.

The result is segments in whisperX's form, with times in seconds. Markup and positions are dropped.
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import TranscriptFormat
from stages.transcripts.whisperx import timed

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_CUE_START = re.compile(r"\s*-?\d[\d:.,]*\s*-->")
"""The start of a further cue within a block. An arrow without a time before it is text."""
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|<[\d:.]+>|\{\\[^}]*\}")
_LABEL = re.compile(r"\[([^\]\n]+)\]:\s*")
_NOT_CUES = ("WEBVTT", "NOTE", "STYLE", "REGION")


def parse_srt(text: str) -> list[dict[str, Any]]:
    """Reads SubRip: blocks with a number, `HH:MM:SS,mmm --> HH:MM:SS,mmm` and lines of text.

    `[SPEAKER]:` at the start of a cue, as whisperX writes it, names the speaker.

    Returns:
        Segments with `start` and `end` in seconds, `text`, and `speaker` (None if none is named).

    Raises:
        TextError: if a block has no times.
    """
    return list(_cues(text))


def parse_vtt(text: str) -> list[dict[str, Any]]:
    """Reads WebVTT into the same segments as `parse_srt`.

    `<v NAME>` names the speaker. Notes, styles and regions are skipped.

    Raises:
        TextError: if it doesn't begin with `WEBVTT`, or a block has no times.

    Source: https://www.w3.org/TR/webvtt1/, section 4.
    """
    if not text.startswith("WEBVTT"):
        raise TextError("must begin with `WEBVTT`, but doesn't. Save it as WebVTT, or rename it to `.srt`.")
    return list(_cues(text))


def _cues(text: str) -> Iterator[dict[str, Any]]:
    at = 1
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        first = next((number for number, line in enumerate(lines) if "-->" in line), None)
        filled = [line for line in lines if line.strip()]
        if first is not None:
            starts = [first, *(n for n in range(first + 1, len(lines)) if _CUE_START.match(lines[n]))]
            numbered = first > 0 and lines[first - 1].strip().isdigit()
            for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
                body = lines[start + 1 : end]
                if numbered and end < len(lines) and body and body[-1].strip().isdigit():
                    body.pop()  # the number of the next cue, which follows without a blank line
                yield _cue(lines[start], "\n".join(body), at + start)
        elif filled and not filled[0].startswith(_NOT_CUES) and not (len(filled) == 1 and filled[0].strip().isdigit()):
            raise TextError(f"line {at} must begin a cue with its times, but is `{filled[0][:40]}`. Export it again.")
        at += len(lines) + 1


def _cue(times: str, body: str, line: int) -> dict[str, Any]:
    found = _TIMES.fullmatch(times)
    if not found:
        raise TextError(f"line {line} must hold `start --> end`, but is `{times.strip()[:60]}`. Export it again.")
    start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
    voice = _VOICE.search(body)
    plain = html.unescape(_MARKUP.sub("", body)).strip()
    label = _LABEL.match(plain)
    if label:
        plain = plain[label.end() :]
    named = voice or label
    return {"start": start, "end": end, "text": plain, "speaker": html.unescape(named[1]).strip() if named else None}


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


WEBVTT = TranscriptFormat("webvtt", (".vtt",), timed(parse_vtt), tells="times, speakers", rank=30)
SUBRIP = TranscriptFormat("subrip", (".srt",), timed(parse_srt), tells="times, speakers", rank=40)
