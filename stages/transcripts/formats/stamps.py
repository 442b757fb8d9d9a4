"""Reads lines that begin with clock times, as whisper prints them, and as video sites and note takers show them.

`[00:00:01.000 --> 00:00:03.000] text`, `00:01 - 00:03 text`, `00:01⇥00:03⇥text`, `[00:00:01] text`, `0:01` and the text
in the next line. Where only the start is told, the text lasts until the next one.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from stages.errors import TextError
from stages.transcripts.clock import CLOCK, looks_like_times, seconds
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.whisperx import timed

_END_S = 1e9
"""Where the last text ends if nothing tells its end: it is cut to the recording."""
_OPEN, _SHUT = r"[\[(<{]?[ ]*", r"[ ]*[\])>}]?"
_BOTH = re.compile(
    rf"\s*{_OPEN}{CLOCK}{_SHUT}[ \t]*(?:-+>|→|[-–—~]|to\b|[,;|\t])[ \t]*{_OPEN}{CLOCK}{_SHUT}(?=$|[\s:|,;\-–])"
    r"[ \t]*[:|,;\-–]?[ \t]*"
)
_BOXED = re.compile(rf"\s*[\[(]{CLOCK}[\])][ \t]*[:\-–|]?[ \t]*")
_BARE = re.compile(rf"\s*{CLOCK}(?=$|[ \t|:;\-–])[ \t]*[|:;\-–]?[ \t]*")


def parse_stamps(text: str) -> list[dict[str, Any]]:
    """Reads lines with clock times; a line without one goes on with the text of the line before.

    Returns:
        Segments with `start` and `end` in seconds, and `text`; `unread` where a line's times can't be read.

    Raises:
        TextError: if a line before the first time holds text, or the starts aren't in order.
    """
    rows = [line.rstrip() for line in text.splitlines() if line.strip()]
    form = _form(rows)
    found: list[dict[str, Any]] = []
    broken: set[int] = set()
    for number, row in enumerate(rows, 1):
        match = form.match(row) if form else None
        if match is None:
            if not found:
                raise TextError(f"line {number} must begin with a time, but is `{row.strip()[:40]}`. Export it again.")
            if looks_like_times(row):
                broken.add(len(found))
                found.append({"unread": f"line {number} must begin with a time, but is `{row.strip()[:40]}`."})
            elif "text" in found[-1]:
                found[-1]["text"] = f"{found[-1]['text']}\n{row.strip()}".strip()
            continue
        start, *end = _times(match)
        found.append({"start": start, "end": end[0] if end else None, "text": row[match.end() :].strip()})
    # where only starts are told, the text before a line whose time can't be read ends at an unknown time
    for place in broken:
        before = found[place - 1]
        if before.get("end", 0.0) is None:
            found[place - 1] = {"unread": f"its end isn't known: {found[place]['unread']}"}
    timed_ones = [segment for segment in found if "unread" not in segment]
    starts = [segment["start"] for segment in timed_ones]
    if starts != sorted(starts):
        late = next(right for left, right in pairwise(starts) if right < left)
        raise TextError(f"its times must be in order, but one of {late:g} s follows a later one. Export it again.")
    for segment, after in zip(timed_ones, [*starts[1:], _END_S], strict=True):
        segment["end"] = after if segment["end"] is None else segment["end"]
    return found


def _times(match: re.Match[str]) -> Iterator[float]:
    groups = match.groups()
    for at in range(0, len(groups), 4):
        hours, *rest = groups[at : at + 4]
        yield seconds(hours, *rest)


def _form(rows: list[str]) -> re.Pattern[str] | None:
    """Returns the form that the times of a table have; None if the lines are no table of times."""
    for form, fewest, share in ((_BOTH, 1, 0.5), (_BOXED, 1, 0.5), (_BARE, 2, 0.4)):
        matches = [match for row in rows if (match := form.match(row))]
        first = bool(rows) and form.match(rows[0]) is not None
        starts = [next(_times(match)) for match in matches]
        if (
            first
            and len(matches) >= max(fewest, share * len(rows))
            and (form is not _BARE or starts == sorted(set(starts)))
        ):
            return form
    return None


def _is_stamped(text: Content) -> bool:
    rows = text.rows
    return (
        bool(rows)
        and "-->" not in "".join(row for row in rows if not (_BOTH.match(row) or looks_like_times(row)))
        and _form(list(rows)) is not None
    )


STAMPS = TranscriptFormat(
    "clock times",
    (),
    timed(parse_stamps, style="captions"),
    tells="times, speakers",
    rank=74,
    within=(".txt", ".tsv"),
    claims=_is_stamped,
)
