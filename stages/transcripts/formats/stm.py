"""Reads NIST's `.stm`: a segment a line, with its speaker, start and end in seconds, as in TED-LIUM."""

import re
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_ROW = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(\d+(?:\.\d*)?)\s+(\d+(?:\.\d*)?)(?:\s+(<[^<>\s]*,[^<>\s]*>))?(?:\s+(.*))?")
_NOT_SCORED = frozenset({"ignore_time_segment_in_scoring", "inter_segment_gap"})
_VARIANT = re.compile(r"(?<=\w)\(\d+\)")
"""The number of a pronunciation behind a word, as in `the(2)`."""
_NAME_AT_END = re.compile(r"\s*\([\w.-]+-\d[\w.-]*\)\s*$")
_APART = re.compile(r" (?='(?:s|re|ve|ll|d|m|t)\b)")
"""TED-LIUM writes `it 's` for `it's`."""


def parse_stm(text: str) -> list[dict[str, Any]]:
    """Reads `recording channel speaker start end [<labels>] text`. Lines that begin with `;;` are comments.

    Stretches that aren't scored, such as `ignore_time_segment_in_scoring`, and inter-segment gaps are left out.

    Returns:
        Segments with `start` and `end` in seconds, `text` and `speaker`; `unread` where a line isn't of that form.

    Raises:
        TextError: if the lines are of several recordings.
    """
    found: list[dict[str, Any]] = []
    names: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(";;"):
            continue
        match = _ROW.fullmatch(line.strip())
        if not match:
            why = "must hold `recording channel speaker start end text`, but is"
            found.append({"unread": f"line {number} {why} `{line.strip()[:50]}`. Export it again."})
            continue
        name, _, speaker, start, end, _, said = match.groups()
        names.add(name)
        said = _APART.sub("", _VARIANT.sub("", _NAME_AT_END.sub("", said or ""))).strip()
        if said.lower() not in _NOT_SCORED and speaker != "inter_segment_gap":
            found.append({"start": float(start), "end": float(end), "text": said, "speaker": speaker})
    if len(names) > 1:
        raise TextError(
            f"must hold the segments of one recording, but holds those of {len(names)} ({', '.join(sorted(names)[:3])},"
            " …). Write a file for each."
        )
    return found


def _is_stm(text: Content) -> bool:
    rows = [row for row in text.rows if not row.startswith(";;")]
    return len(rows) > 1 and all(_ROW.fullmatch(row.strip()) and "." in row for row in rows)


STM = TranscriptFormat(
    "stm", (".stm",), timed(parse_stm), tells="times, speakers", rank=26, within=(".txt",), claims=_is_stm
)
