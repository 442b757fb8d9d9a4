"""Lists what `transcribe` reads: transcript formats, corpus layouts and audio files."""

from collections.abc import Iterator
from typing import Any

from stages.audio.files import SUFFIXES
from stages.corpora.layouts.table import LAYOUTS
from stages.transcripts.table import FORMATS, READERS


def formats() -> dict[str, Any]:
    """Returns the tables as plain JSON values.

    `transcripts`: for each format `name suffixes within tells`, preferred ones first; `within` are suffixes of other
    formats in which it is known by its content. `order`: the suffixes, preferred ones first. `layouts`: for each
    `name tables speakers`. `audio`: the suffixes of recordings.
    """
    return {
        "transcripts": [
            {"name": row.name, "suffixes": row.suffixes, "within": row.within, "tells": row.tells}
            for row in FORMATS.values()
        ],
        "order": list(READERS),
        "layouts": [{"name": row.name, "tables": row.tables, "speakers": row.speakers} for row in LAYOUTS.values()],
        "audio": sorted(SUFFIXES),
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yields the tables as lines of text."""
    yield "transcripts (of several beside a recording, the first suffix of this order is used)"
    yield f"  {' '.join(found['order'])}"
    for row in found["transcripts"]:
        known = [*row["suffixes"], *(f"({suffix})" for suffix in row["within"])]
        yield f"  {row['name']:<16} {' '.join(known):<28} {row['tells']}"
    yield "  A suffix in brackets is another format's: such files are known by their content."
    yield "corpora"
    for row in found["layouts"]:
        yield f"  {row['name']:<16} {' '.join(row['tables'])}"
    yield "audio"
    yield f"  {' '.join(found['audio'])}"
