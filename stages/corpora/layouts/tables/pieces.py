"""Turns the rows of a table into pieces, once it is known what each of their values is."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Piece, Rows
from stages.corpora.layouts.tables.cells import Row, Sheet
from stages.corpora.layouts.tables.columns import Columns
from stages.corpora.layouts.tables.contents import language_of
from stages.corpora.layouts.tables.locate import FOLDERS, Locator, slashed

_FIRST = 50
"""Names that are looked for below a table's folder."""


def locator_of(table: Path, names: Iterable[str]) -> Locator:
    """Returns what finds the recordings of a table, given what it calls them.

    They may be found by their file names alone if no two of them have the same, and above the table's folder if none of
    the first ones is below it.
    """
    paths, files = set[int](), set[int]()  # hashes: a table may have millions of rows
    first: list[str] = []
    for name in names:
        first += [name] if len(first) < _FIRST else []
        path = slashed(name)
        paths.add(hash(path))
        files.add(hash(path.rpartition("/")[2]))
    by_name = len(files) == len(paths)
    below = Locator(table, by_name=by_name)
    return below if any(map(below.find, first)) else Locator(table, by_name=by_name, above=True)


def pieces_of(sheet: Sheet, columns: Columns, *, skip: int = 0, language: str = "") -> Rows:
    """Yields the pieces of a table's rows.

    Args:
        sheet: The table.
        columns: Which column is which.
        skip: Rows of the header.
        language: The language of rows that name none.
    """
    width = len(sheet.first[0].cells) if skip else sheet.width
    cells = (row.cells for row in islice(sheet.rows(), skip, None) if isinstance(row, Row))
    locator = locator_of(sheet.table, (columns.at(row, columns.audio) for row in cells))
    for row in islice(sheet.rows(), skip, None):
        if isinstance(row, int):
            yield BadRow(row, "a quote in it must end, but doesn't")
        elif len(row.cells) > width:
            yield BadRow(row.number, f"must hold {width} columns, but holds {len(row.cells)}")
        else:
            values = {
                "audio": columns.at(row.cells, columns.audio),
                "text": columns.text(row.cells),
                "speaker": columns.at(row.cells, columns.speaker),
                "language": columns.at(row.cells, columns.language) or language,
                "start": columns.at(row.cells, columns.start),
                "end": columns.at(row.cells, columns.end),
                "duration": columns.at(row.cells, columns.duration),
            }
            yield piece_of(row.number, values, locator)


def piece_of(number: int, values: Mapping[str, str], locator: Locator) -> Piece | BadRow:
    """Returns the piece of one row.

    Args:
        number: Its line, for messages.
        values: What it says, by role (`ROLES`, and `duration`); roles may be missing.
        locator: Finds the recording.
    """
    if not values.get("audio"):
        return BadRow(number, "must name a recording, but names none")
    audio, speaker = locator.place(values["audio"]), values.get("speaker", "")
    piece = Piece(audio, values.get("text", ""), speaker=speaker, language=language_of(values.get("language", "")))
    if speaker:
        piece = replace(piece, group=".")
    elif audio.split("/")[:-1] in [[], *([name] for name in FOLDERS)]:
        piece = replace(piece, home=".")
    if not values.get("start"):
        return piece
    try:
        start = float(values["start"])
        end = float(values["end"]) if values.get("end") else start + float(values["duration"])
    except (KeyError, ValueError):
        held = ", ".join(f"{role} `{values[role][:20]}`" for role in ("start", "end", "duration") if values.get(role))
        return replace(piece, problem=f"row {number} must hold start and end in seconds, but holds {held}")
    return replace(piece, start_s=start, end_s=end)
