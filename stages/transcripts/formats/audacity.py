"""Reads label tracks of Audacity, which it exports as `.txt`: start, end and label, with tabs between them."""

import re
from typing import Any

from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_TIME = r"-?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
_ROW = re.compile(rf"\s*({_TIME})\t({_TIME})(?:\t(.*))?")
_SPECTRAL = "\\\t"
"""The start of a line with the frequencies of a spectral selection, which belongs to the label above it."""


def parse_labels(text: str) -> list[dict[str, Any]]:
    """Reads labels. If all of them are points, each lasts until the next one.

    Returns:
        Segments with `start` and `end` in seconds, and `text`; with `unread` where a line is no label.

    Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html.
    """
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        match = _ROW.fullmatch(line)
        if not match:
            why = "must hold start, end and label with tabs between them, as Audacity exports them, but is"
            before = found[-1] if found else {"start": 0.0, "end": 0.0}
            problem = f"line {number} {why} `{line.strip()[:40]}`. Export it again."
            found.append({**before, "unread": problem})  # its place in the order
            continue
        start, end = (float(time.replace(",", ".")) for time in match.groups()[:2])
        found.append({"start": start, "end": end, "text": (match[3] or "").strip()})
    found.sort(key=lambda label: (label["start"], label["end"]))
    if len(found) > 1 and all(label["start"] == label["end"] for label in found):
        for label, after in zip(found, [*(label["start"] for label in found[1:]), 1e9], strict=True):
            label["end"] = after
    return found


def _are_labels(text: Content) -> bool:
    rows = [row for row in text.rows if not row.startswith(_SPECTRAL)]
    return bool(rows) and sum(_ROW.fullmatch(row) is not None for row in rows) * 2 >= len(rows)


AUDACITY = TranscriptFormat(
    "audacity labels",
    (),
    timed(parse_labels),
    tells="times",
    rank=72,
    within=(".txt",),
    claims=_are_labels,
)
