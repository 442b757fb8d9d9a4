"""The layout of lhotse manifests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of


def read_lhotse(table: Path) -> Rows:
    """Reads `…recordings….jsonl(.gz)` and the `…supervisions….jsonl(.gz)` beside it.

    Source: https://lhotse.readthedocs.io/en/latest/corpus.html.
    """
    supervisions = table.with_name(supervisions_name(table.name))
    if not supervisions.is_file():
        return
    sources: dict[str, str] = {}
    for _, line in lines_of(table):
        recording = _object(line)
        sources[str(recording.get("id"))] = only_file(recording)
    for number, line in lines_of(supervisions):
        supervision = _object(line)
        audio = sources.get(str(supervision.get("recording_id")), "")
        if not audio:
            yield BadRow(number, "its recording must be in the recordings manifest, as one file without transforms")
            continue
        speaker = str(supervision.get("speaker") or "")
        piece = Piece(audio, str(supervision.get("text") or ""), speaker=speaker, group="." if speaker else None)
        try:
            start = float(supervision["start"])
            end, words = start + float(supervision["duration"]), tuple(words_of(supervision))
        except (KeyError, TypeError, ValueError, OverflowError):
            problem = f"line {number} must hold `start` and `duration` in seconds, of its words too"
            yield replace(piece, problem=problem)
            continue
        language = str(supervision.get("language") or "")
        yield replace(piece, start_s=start, end_s=end, language=language, words=words)


def only_file(recording: Mapping[str, Any]) -> str:
    """Returns a recording's file; "" if it has several, or transforms."""
    match recording.get("sources"):
        case [{"type": "file", "source": str(source)}] if not recording.get("transforms"):
            return source
    return ""


def supervisions_name(name: str) -> str:
    """Returns the name of the supervisions manifest that belongs to a recordings manifest."""
    return name.replace("recordings", "supervisions")


def words_of(supervision: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yields the words of a supervision with their starts and ends in seconds; raises `TypeError`, `ValueError`."""
    alignment = supervision.get("alignment") or {}
    if not isinstance(alignment, dict):
        raise TypeError("alignment")
    for symbol, start, length, *_ in alignment.get("word") or ():
        yield str(symbol), float(start), float(start) + float(length)


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


LHOTSE = Layout(
    "lhotse",
    ("*recordings*.jsonl", "*recordings*.jsonl.gz"),
    read_lhotse,
    complete=True,
    anywhere=True,
    rows_file=supervisions_name,
    speakers="from `*supervisions*`, which must lie beside it; the folder is the group; word times from `alignment`",
    rank=10,
)
