"""Reads NIST's `.ctm`: a word a line, with its start and length in seconds, as Kaldi and NeMo write it."""

import re
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import Content, TranscriptFormat
from stages.transcripts.turns import sentences
from stages.transcripts.whisperx import timed

_ROW = re.compile(
    r"(\S+)\s+(\S+)\s+(\d+(?:\.\d*)?)\s+(\d+(?:\.\d*)?)\s+(\S+)(?:\s+(?:-?[\d.]+(?:e-?\d+)?|NA))?(?:\s+.*)?"
)
_SILENCE = frozenset({"<eps>", "<sil>", "sil", "@", "<b>"})


def parse_ctm(text: str) -> list[dict[str, Any]]:
    """Reads `recording channel start length word [confidence]`; segments end at a pause of a second.

    Several channels are several speakers. Lines that begin with `;;` are comments.

    Returns:
        Segments with `start` and `end` in seconds, `text`, `speaker` and `words`.

    Raises:
        TextError: if a line isn't of that form, or the lines are of several recordings.
    """
    channels: dict[str, list[dict[str, Any]]] = {}
    names: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(";;") or line.split()[-1] in {"<ALT_BEGIN>", "<ALT>", "<ALT_END>"}:
            continue
        match = _ROW.fullmatch(line.strip())
        if not match:
            raise TextError(
                f"line {number} must hold `recording channel start length word`, but is `{line.strip()[:50]}`. Export"
                " it again."
            )
        name, channel, start, length, word = match.groups()[:5]
        names.add(name)
        if word.lower() not in _SILENCE:
            end = round(float(start) + float(length), 6)
            channels.setdefault(channel, []).append({"word": word, "start": float(start), "end": end})
    if len(names) > 1:
        raise TextError(
            f"must hold the words of one recording, but holds those of {len(names)} ({', '.join(sorted(names)[:3])},"
            " …). Write a file for each."
        )
    several = len(channels) > 1
    return [
        segment
        for channel, words in channels.items()
        for segment in sentences(
            sorted(words, key=lambda word: (word["start"], word["end"])),
            speaker=f"channel {channel}" if several else None,
        )
    ]


def _is_ctm(text: Content) -> bool:
    rows = [row for row in text.rows if not row.startswith(";;")]
    return len(rows) > 1 and all(_ROW.fullmatch(row.strip()) and "." in row for row in rows)


CTM = TranscriptFormat(
    "ctm", (".ctm",), timed(parse_ctm), tells="times, words, channels", rank=24, within=(".txt",), claims=_is_ctm
)
