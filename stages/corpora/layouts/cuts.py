"""Cuts of lhotse: alone, as Libriheavy's, or with their audio in the tar files of Shar."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of
from stages.corpora.layouts.lhotse import only_file, supervisions_name, words_of
from stages.tar import members


def read_cuts(table: Path) -> Rows:
    """Reads `…cuts….jsonl(.gz)`, whose cuts hold their recordings; not if manifests of recordings lie beside it.

    Of Libriheavy, the text is the first of a supervision's `custom.texts`, with case and marks.

    Source: https://lhotse.readthedocs.io/en/latest/cuts.html; Kang et al. 2023, https://github.com/k2-fsa/libriheavy.
    """
    recordings = table.with_name(table.name.replace("cuts", "recordings"))
    if _shar(table) or (recordings.is_file() and recordings.with_name(supervisions_name(recordings.name)).is_file()):
        return
    yield from _pieces(table, lambda cut: (only_file(cut.get("recording") or {}), _seconds(cut, "start")))


def read_shar(table: Path) -> Rows:
    """Reads `cuts.<shard>.jsonl.gz` of lhotse's Shar; the audio of each cut is a member of `recording.<shard>.tar`.

    Source: https://lhotse.readthedocs.io/en/latest/shar.html.
    """
    tar = _shar(table)
    if tar is None:
        return
    files = {name: m.name for m in members.contents(tar).members if (name := _audio_of(m.name))}

    def place(cut: Mapping[str, Any]) -> tuple[str, float]:
        name = files.get(str(cut.get("id")))
        return (f"{tar.name}/{name}" if name else ""), 0.0

    yield from _pieces(table, place)


def _shar(table: Path) -> Path | None:
    """Returns the tar file with the audio of a shard of cuts; None if there is none."""
    first, _, rest = table.name.partition("cuts")
    tar = table.with_name(f"{first}recording{rest.partition('.jsonl')[0]}.tar")
    return tar if tar.is_file() else None


def _audio_of(member: str) -> str:
    """Returns the id of the cut whose audio a member is; "" if it is another member. Names may end in `.original`."""
    stem, _, suffix = member.rpartition(".")
    return "" if suffix in {"json", "nodata", "nometa"} else stem


def _pieces(table: Path, place: Callable[[Mapping[str, Any]], tuple[str, float]]) -> Rows:
    """Yields a piece for each supervision of each cut.

    Args:
        table: The manifest.
        place: Returns a cut's recording, "" if it has none that can be read, and the cut's start in it, in seconds.
    """
    for number, line in lines_of(table):
        try:
            cut = json.loads(line)
            audio, start = place(cut)
            pieces = [_piece(supervision, audio, start) for supervision in cut.get("supervisions") or ()]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError):
            yield BadRow(number, "must be a cut of one recording, with `start`, `duration` and `supervisions`")
            continue
        if not audio:
            yield BadRow(number, "its recording must be one file without transforms, or a member of the shard's tar")
        elif not pieces:
            yield BadRow(number, "must hold a supervision with the text, but holds none")
        else:
            yield from pieces


def _piece(supervision: Mapping[str, Any], audio: str, start: float) -> Piece:
    begin = start + _seconds(supervision, "start")
    texts = (supervision.get("custom") or {}).get("texts") or ()
    speaker = str(supervision.get("speaker") or "")
    return Piece(
        audio,
        str(supervision.get("text") or (texts[0] if texts else "")),
        begin,
        begin + _seconds(supervision, "duration"),
        speaker=speaker,
        group="." if speaker else None,
        language=str(supervision.get("language") or ""),
        words=tuple(_shifted(words_of(supervision), start)),
    )


def _shifted(words: Iterator[tuple[str, float, float]], seconds: float) -> Iterator[tuple[str, float, float]]:
    yield from ((word, begin + seconds, end + seconds) for word, begin, end in words)


def _seconds(found: Mapping[str, Any], key: str) -> float:
    return float(found[key])


CUTS = Layout(
    "cuts",
    ("*cuts*.jsonl", "*cuts*.jsonl.gz"),
    read_cuts,
    complete=True,
    anywhere=True,
    speakers="from each supervision; the folder is the group: Libriheavy, and other cuts that hold their recordings",
    rank=11,
)
SHAR = Layout(
    "shar",
    ("*cuts*.jsonl", "*cuts*.jsonl.gz"),
    read_shar,
    speakers="from each supervision; the folder is the group; audio in `recording.<shard>.tar`",
    rank=12,
)
