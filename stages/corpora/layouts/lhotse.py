"""lhotse manifests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of


def read_lhotse(table: Path) -> Rows:
    """Reads `…recordings….jsonl(.gz)` with the `…supervisions….jsonl(.gz)` beside it.

    Source: https://lhotse.readthedocs.io/en/latest/corpus.html.
    """
    supervisions = table.with_name(supervisions_name(table.name))
    if not supervisions.is_file():
        return
    sources: dict[str, str] = {}
    for _, line in lines_of(table):
        recording = _object(line)
        sources[str(recording.get("id"))] = _only_file(recording)
    for number, line in lines_of(supervisions):
        one = _object(line)
        audio = sources.get(str(one.get("recording_id")), "")
        if not audio:
            yield BadRow(number, "its recording must be a single file, unchanged, that the recordings' manifest names")
            continue
        speaker = str(one.get("speaker") or "")
        piece = Piece(audio, str(one.get("text") or ""), speaker=speaker, group="." if speaker else None)
        try:
            start = float(one["start"])
            end, words = start + float(one["duration"]), tuple(_words(one))
        except (KeyError, TypeError, ValueError, OverflowError):
            problem = f"line {number} must hold `start` and `duration` in seconds, of its words too"
            yield replace(piece, problem=problem)
            continue
        yield replace(piece, start_s=start, end_s=end, language=str(one.get("language") or ""), words=words)


def _only_file(recording: Mapping[str, Any]) -> str:
    """Returns the file that a recording is; "" where it is several, or made of one."""
    match recording.get("sources"):
        case [{"type": "file", "source": str(source)}] if not recording.get("transforms"):
            return source
    return ""


def supervisions_name(name: str) -> str:
    return name.replace("recordings", "supervisions")


def _words(supervision: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    alignment = supervision.get("alignment") or {}
    if not isinstance(alignment, dict):
        raise TypeError("alignment")
    for symbol, start, length, *_ in alignment.get("word") or ():
        yield str(symbol), float(start), float(start) + float(length)


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


LHOTSE = Layout(
    "lhotse",
    ("*recordings*.jsonl", "*recordings*.jsonl.gz"),
    read_lhotse,
    complete=True,
    anywhere=True,
    rows_in=supervisions_name,
    rank=10,
)
