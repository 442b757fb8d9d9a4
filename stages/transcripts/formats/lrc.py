"""Reads `.lrc`: lines with their start, `[01:02.50] text`, and in the enhanced format words with theirs."""

import re
from typing import Any

from stages.errors import TextError
from stages.transcripts.clock import seconds_of
from stages.transcripts.script import TranscriptFormat
from stages.transcripts.whisperx import timed

_LINE = re.compile(r"\s*((?:\[\d{1,3}:\d{2}(?::\d{2})?(?:[.,:]\d{1,3})?\]\s*)+)(.*)")
_STAMP = re.compile(r"\[([\d:.,]+)\]")
_WORD = re.compile(r"[<\[]([\d]{1,3}:\d{2}(?:[.,:]\d{1,3})?)[>\]]")
_TAG = re.compile(r"\s*\[\s*(#|[a-zA-Z]+)\s*:?([^\]]*)\]\s*")
_END_S = 1e9


def parse_lrc(text: str) -> list[dict[str, Any]]:
    """Reads timed lines. A line lasts until the next one; an empty one only ends the line before it.

    Several times before a text repeat it. `[offset:500]` lets all of it begin half a second earlier. Other tags are
    skipped.

    Returns:
        Segments with `start` and `end` in seconds, `text`, and `words` where they have times.

    Raises:
        TextError: if a line has no time.
    """
    lines: list[tuple[float, str]] = []
    offset = 0.0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if match := _LINE.fullmatch(line):
            lines += [(seconds_of(stamp), match[2]) for stamp in _STAMP.findall(match[1])]
        elif tag := _TAG.fullmatch(line):
            if tag[1].lower() == "offset":
                offset = _milliseconds(tag[2], number) / 1000
        else:
            raise TextError(f"line {number} must begin with a time, as `[00:12.50]`, but is `{line.strip()[:40]}`.")
    lines.sort(key=lambda line: line[0])
    starts = [max(0.0, start - offset) for start, _ in lines]
    return [
        _segment(start, end, said, offset)
        for start, end, (_, said) in zip(starts, [*starts[1:], _END_S], lines, strict=True)
    ]


def _milliseconds(value: str, number: int) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise TextError(
            f"line {number} must hold whole milliseconds, as `[offset:500]`, but holds `{value}`."
        ) from error


def _segment(start: float, end: float, said: str, offset: float) -> dict[str, Any]:
    parts = _WORD.split(said)
    segment: dict[str, Any] = {"start": start, "end": end, "text": "".join(parts[::2]).strip()}
    if len(parts) > 1:
        times = [max(0.0, seconds_of(stamp) - offset) for stamp in parts[1::2]]
        pieces = list(zip([start, *times], [*times, end], parts[::2], strict=True))
        segment["words"] = [
            {"word": word, "start": at, "end": until} if len(words) == 1 else {"word": word}
            for at, until, piece in pieces
            for words in [piece.split()]
            for word in words
        ]
        if not parts[-1].strip():
            segment["end"] = min(end, max(times[-1], start))
    return segment


LRC = TranscriptFormat("lrc", (".lrc",), timed(parse_lrc, style="captions"), tells="times, words", rank=42)
