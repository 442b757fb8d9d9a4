"""Reads SubViewer (`.sbv`), as YouTube exports it: `0:00:01.000,0:00:03.000`, and the text in the next lines."""

import re
from typing import Any

from stages.errors import TextError
from stages.transcripts.clock import CLOCK, seconds
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_TIMES = re.compile(rf"\s*{CLOCK}\s*,\s*{CLOCK}\s*")


def parse_sbv(text: str) -> list[dict[str, Any]]:
    """Reads blocks of `start,end` and lines of text; `[br]` breaks a line.

    Returns:
        Segments with `start` and `end` in seconds, and `text` with its line breaks.

    Raises:
        TextError: if a text has no times.
    """
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _TIMES.fullmatch(line)
        if match:
            groups = match.groups()
            start, end = (seconds(hours, *rest) for hours, *rest in (groups[:4], groups[4:]))
            found.append({"start": start, "end": end, "text": ""})
        elif line.strip():
            if not found:
                raise TextError(f"line {number} must hold `start,end`, but is `{line.strip()[:40]}`. Export it again.")
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
