"""Reads subtitles: SubRip (`.srt`) and WebVTT (`.vtt`), as whisperX, editors and video sites write them.

The result is segments in whisperX's form, with times in seconds. Positions are dropped.
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.clock import CLOCK, seconds, seconds_of
from stages.transcripts.script import Content, Script, TranscriptFormat
from stages.transcripts.whisperx import from_whisperx, timed

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_CUE_START = re.compile(r"\s*-?\d[\d:.,]*\s*-->")
"""The start of a further cue within a block. An arrow without a time before it is text."""
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_SPANS = re.compile(r"</?(?:c|v|lang)(?:[.\s][^>]*)?>")
_STAMP = re.compile(rf"<({CLOCK})>")
_LANGUAGE = re.compile(r"^Language:\s*([A-Za-z][\w-]*)\s*$", re.MULTILINE)
_NOT_CUES = ("WEBVTT", "NOTE", "STYLE", "REGION")
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})


def parse_srt(text: str) -> list[dict[str, Any]]:
    """Reads SubRip: blocks with a number, `HH:MM:SS,mmm --> HH:MM:SS,mmm` and lines of text.

    Returns:
        Segments with `start` and `end` in seconds, `text` with its line breaks, `speaker` (None if none is named) and
        `words`; `unread` alone where the times can't be read, or where a block without times follows.
    """
    return _each_known(_cues(text))


def parse_vtt(text: str) -> list[dict[str, Any]]:
    """Reads WebVTT into the same segments as `parse_srt`.

    `<v NAME>` names the speaker, `<00:01.000>` the time of the word after it. A cue ends at an empty line; one of
    spaces belongs to it. Notes, styles and regions are skipped.

    Raises:
        TextError: if it doesn't begin with `WEBVTT`.

    Source: https://www.w3.org/TR/webvtt1/, section 4.
    """
    if not text.startswith("WEBVTT"):
        raise TextError("must begin with `WEBVTT`, but doesn't. Save it as WebVTT, or rename it to `.srt`.")
    return _each_known(_cues(text))


def read_vtt(text: str, audio: AudioInfo) -> Script:
    """Reads WebVTT with the language that its header may name; raises as `parse_vtt`."""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    named = _LANGUAGE.search(head)
    language = named[1] if named and named[1].lower() not in _NO_LANGUAGE else None
    return from_whisperx({"language": language, "segments": parse_vtt(text)}, audio, style="captions")


def _cues(text: str) -> Iterator[dict[str, Any]]:
    at = 1
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = block.split("\n")
        first = next((number for number, line in enumerate(lines) if "-->" in line), None)
        filled = [line for line in lines if line.strip()]
        if first is not None:
            starts = [first, *(n for n in range(first + 1, len(lines)) if _CUE_START.match(lines[n]))]
            numbered = any(line.strip().isdigit() for line in lines[:first][-1:])
            for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
                body = lines[start + 1 : end]
                if numbered and end < len(lines) and body and body[-1].strip().isdigit():
                    body.pop()  # the number of the next cue, which follows without a blank line
                yield _cue(lines[start], body, at + start)
        elif filled and not filled[0].startswith(_NOT_CUES) and not (len(filled) == 1 and filled[0].strip().isdigit()):
            numbered = filled[0].strip().isdigit()
            shown, line = filled[numbered], at + lines.index(filled[numbered])
            why = f"line {line} must begin a cue with its times, but is `{shown.strip()[:40]}`. Export it again."
            yield {"unread": why, "goes_on": not (numbered or _NUMBERS.search(shown))}
        at += len(lines) + 1


_NUMBERS = re.compile(r"\d[:.,]\d")
"""In the times of a cue, however they are written."""


def _each_known(cues: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the cues; one whose text may go on after an empty line, without times, can't be used either."""
    found: list[dict[str, Any]] = []
    for cue in cues:
        if cue.get("goes_on") and found:
            found[-1] = {"unread": found[-1].get("unread") or f"its text may go on: {cue['unread']}"}
        else:
            found.append(cue)
    return found


def _cue(times: str, body: list[str], line: int) -> dict[str, Any]:
    found = _TIMES.fullmatch(times)
    if not found:
        return {"unread": f"line {line} must hold `start --> end`, but is `{times.strip()[:60]}`. Export it again."}
    start, end = (seconds(hours, *rest) for hours, *rest in (found.groups()[:4], found.groups()[4:]))
    names = list(dict.fromkeys(html.unescape(name).strip() for name in _VOICE.findall("\n".join(body))))
    lines = _SPANS.sub("", _turns("\n".join(body))).split("\n")
    words = _words(lines, start, end) if any(map(_STAMP.search, lines)) else []
    return {
        "start": start,
        "end": end,
        "text": "\n".join(_STAMP.sub("", row) for row in lines).strip(),
        "speaker": names[0] if names else None,
        "words": words,
    }


def _turns(body: str) -> str:
    """Marks where another voice begins within a cue, as captions without names do it; takes out the voices."""
    names = [html.unescape(name).strip() for name in _VOICE.findall(body)]
    changes = iter([before != name for before, name in zip([*names[:1], *names], names, strict=False)])
    parts = _VOICE.split(body)
    return parts[0] + "".join((" >> " if next(changes) else "") + said for said in parts[2::2])


def _words(lines: list[str], start: float, end: float) -> list[dict[str, Any]]:
    """Returns the words of a cue; those behind a stamp have times, and those before the first stamp of its line."""
    pieces: list[tuple[float | None, str]] = []
    for line in lines:
        parts = _STAMP.split(line)
        stamped = len(parts) > 1
        pieces.append((start if stamped else None, parts[0]))
        pieces += [(seconds_of(parts[n]), parts[n + 5]) for n in range(1, len(parts), 6)]
    found: list[dict[str, Any]] = []
    times = [time for time, _ in pieces]
    for place, (time, piece) in enumerate(pieces):
        tokens = html.unescape(piece).split()
        until = next((later for later in times[place + 1 :] if later is not None), end)
        for token in tokens:
            known = time is not None and len(tokens) == 1
            found.append({"word": token, "start": time if known else None, "end": until if known else None})
    return found


def _is_vtt(text: Content) -> bool:
    return text.startswith("WEBVTT")


def _is_srt(text: Content) -> bool:
    rows = text.rows
    if rows and rows[0].strip().isdigit():
        rows = rows[1:]
    return bool(rows) and _TIMES.fullmatch(rows[0]) is not None


WEBVTT = TranscriptFormat(
    "webvtt",
    (".vtt",),
    read_vtt,
    tells="times, words, speakers, language",
    rank=30,
    within=(".srt", ".txt"),
    claims=_is_vtt,
)
SUBRIP = TranscriptFormat(
    "subrip",
    (".srt",),
    timed(parse_srt, style="captions"),
    tells="times, speakers",
    rank=32,
    within=(".txt",),
    claims=_is_srt,
)
