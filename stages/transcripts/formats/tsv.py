"""Reads whisper's `.tsv`: a header `start⇥end⇥text`, times in milliseconds."""

import re
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_HEAD = re.compile(r"\s*start\tend\t(?:(speaker)\t)?text\s*", re.IGNORECASE)


def parse_tsv(text: str) -> list[dict[str, Any]]:
    """Reads rows of start and end in whole milliseconds, and text.

    Returns:
        Segments with `start` and `end` in seconds, and `text`; `unread` where a row has no times.

    Raises:
        TextError: if the header is another.
    """
    rows = text.splitlines()
    head = _HEAD.fullmatch(rows[0]) if rows else None
    if head is None:
        raise TextError(
            f"must begin with the header `start⇥end⇥text`, as whisper writes it, but begins with"
            f" `{''.join(rows[:1])[:40].strip()}`. Export it again, or remove it."
        )
    found: list[dict[str, Any]] = []
    for number, row in enumerate(rows[1:], 2):
        if not row.strip():
            continue
        start, end, *rest = row.split("\t")[: 4 if head[1] else 3] + [""] * 3
        if not (start.strip().isdecimal() and end.strip().isdecimal()):
            why = f"line {number} must begin with start and end in milliseconds, but is `{row[:40]}`. Export it again."
            found.append({"unread": why})
            continue
        segment: dict[str, Any] = {
            "start": int(start) / 1000,
            "end": int(end) / 1000,
            "text": rest[1 if head[1] else 0],
        }
        found.append({**segment, "speaker": rest[0]} if head[1] else segment)
    return found


def _has_head(text: Content) -> bool:
    return bool(text.rows) and _HEAD.fullmatch(text.rows[0]) is not None


TSV = TranscriptFormat(
    "whisper tsv",
    (".tsv",),
    timed(parse_tsv, style="heard"),
    tells="times",
    rank=60,
    within=(".txt",),
    claims=_has_head,
)
