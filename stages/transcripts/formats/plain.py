"""Reads plain text. Refuses what isn't prose: HTK labels, tables of times, JSON, XML, RTF."""

import re
from collections.abc import Sequence

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.script import Content, Script, TranscriptFormat
from stages.transcripts.whisperx import untimed

_TIME = r"(?:\d{1,3}:\d{2}(?::\d{2})?(?:[.,:;]\d+)?|\d+[.,]\d+)"
_BETWEEN = r"\s*(?:-->|->|→|[-–—]|[,;|\t])?\s*"
_OPEN, _SHUT = r"[\[(<{]?\s*", r"\s*[\])>}]?"
_TIMES = re.compile(rf"\s*{_OPEN}{_TIME}{_SHUT}{_BETWEEN}{_OPEN}{_TIME}(?!\w)")
_TIME_COLUMNS = re.compile(rf"\s*(?:[^\s,;|]+[\s,;|]+){{1,4}}{_TIME}[\s,;|]+{_TIME}(?!\w)")
_CLOCK = re.compile(r"\s*[\[(<]?\s*\d{1,3}:\d{2}(?::\d{2})?(?:[.,:;]\d+)?\s*[\])>]?\s*(?:$|[-–—:|\t]|\s)")
_SPOKEN_AT = re.compile(r"\s*[^\W\d][\w .'’-]{0,40}?\s*[\[(]?\d{1,3}:\d{2}(?::\d{2})?[\])]?\s*(?::|$)")
"""A speaker and a time, as note takers write them above or before what is said."""
_NUMBERS = re.compile(r"\s*(\d+)(?:\s*[\t,;|]\s*|\s+)(\d+)(?:[\t,;|\s]|$)")
_HTK = re.compile(r"\d+ \d+ \S+(?: -?[\d.]+)?(?: \S+)*")
_HTK_UNITS = 10_000
"""HTK counts 100 ns: even a millisecond is so many."""
_MARKED_UP = ("<?xml", "<!doctype", "<html", "<tt ", "<tt>", "<transcript", "<timedtext", "{\\rtf", "%pdf")
_SHARE = 0.5
"""A text in which at least this share of the lines begin with times is a table."""


def read_plain(text: str, audio: AudioInfo) -> Script:
    """Reads the file as one untimed text of the whole recording.

    Raises:
        TextError: if it is empty, binary, HTK labels, or looks like a table of times or another format.
    """
    if found := _other_than_prose(Content(text)):
        raise TextError(found)
    return untimed(text, audio)


def _other_than_prose(text: Content) -> str:
    """Returns why a text isn't prose; "" if it may be."""
    rows = text.rows
    if rows and all(_HTK.fullmatch(row) for row in rows) and _are_htk(rows):
        return "must hold plain text, but holds HTK labels (start, end, phone). Give the words instead."
    if rows and rows[0].lower().startswith(_MARKED_UP):
        return (
            f"must hold plain text, but begins with `{rows[0][:20]}`. Save the words alone, or give it its own suffix."
        )
    if text.lstrip()[:1] in {"{", "["} and isinstance(text.data, dict | list):
        return "must hold plain text, but holds JSON. Give it the suffix `.json`."
    if row := _timed_row(rows):
        return (
            f"must hold plain text, but holds a table of times, such as `{row[:40].strip()}`. Export it as SubRip"
            " (`.srt`), or as start, end and text with tabs between them, in seconds."
        )
    return ""


def _are_htk(rows: Sequence[str]) -> bool:
    times = [(int(start), int(end)) for start, end, *_ in map(str.split, rows)]
    in_order = all(start <= end for start, end in times) and times == sorted(times)
    return in_order and times[-1][1] >= _HTK_UNITS


def _timed_row(rows: Sequence[str]) -> str:
    """Returns a row that holds times, if the rows are a table of them; else ""."""
    timed = [row for row in rows if _TIMES.match(row) or "-->" in row]
    if timed and len(timed) >= _SHARE * len(rows):
        return timed[0]
    columns = [row for row in rows if _TIME_COLUMNS.match(row)]
    stamped = [row for row in rows if _CLOCK.match(row)]
    named = [row for row in rows if _SPOKEN_AT.match(row)]
    for found in (columns, stamped, named):
        if len(found) > 1 and len(found) >= _SHARE * len(rows):
            return found[0]
    if len(stamped) > 2 and len(stamped) * 4 >= len(rows):
        return stamped[0]
    numbers = [match for row in rows if (match := _NUMBERS.match(row))]
    if len(numbers) > 1 and len(numbers) == len(rows):
        times = [(int(match[1]), int(match[2])) for match in numbers]
        if all(start < end for start, end in times) and times == sorted(times):
            return rows[0]
    return ""


PLAIN = TranscriptFormat("text", (".txt", ".lab"), read_plain, tells="nothing", rank=90)
