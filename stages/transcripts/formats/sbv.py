"""Reads SubViewer (`.sbv`), as YouTube exports it: `0:00:01.000,0:00:03.000`, and the text in the next lines."""

import re
from itertools import pairwise
from typing import Any

from stages.transcripts.clock import CLOCK, looks_like_times, seconds
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_TIMES = re.compile(rf"\s*{CLOCK}\s*,\s*{CLOCK}\s*")


def parse_sbv(text: str) -> list[dict[str, Any]]:
    """Reads blocks of `start,end` and lines of text; `[br]` breaks a line.

    Returns:
        Segments with `start` and `end` in seconds, and `text` with its line breaks; `unread` where the times can't be
        read.
    """
    found: list[dict[str, Any]] = []
    lines = text.splitlines()
    for number, (before, line) in enumerate(pairwise(["", *lines]), 1):
        match = _TIMES.fullmatch(line)
        if match:
            groups = match.groups()
            start, end = (seconds(hours, *rest) for hours, *rest in (groups[:4], groups[4:]))
            found.append({"start": start, "end": end, "text": ""})
        elif line.strip() and (not found or (looks_like_times(line) and not before.strip())):
            found.append({"unread": f"line {number} must hold `start,end`, but is `{line.strip()[:40]}`.", "text": ""})
        elif line.strip():
            found[-1]["text"] += "\n" + line.replace("[br]", "\n")
    for segment in found:
        segment["text"] = segment["text"].strip()
    return found


def _is_sbv(text: Content) -> bool:
    return bool(text.rows) and _TIMES.fullmatch(text.rows[0]) is not None


SBV = TranscriptFormat(
    "sbv",
    (".sbv",),
    timed(parse_sbv, style="captions"),
    tells="times",
    rank=40,
    within=(".txt",),
    claims=_is_sbv,
)
