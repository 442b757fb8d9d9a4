"""Tables whose columns `transcribe.columns` names."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from stages.corpora.layouts.layout import Layout, Rows, first_lines
from stages.corpora.layouts.tables.cells import DELIMITERS, read_sheet, split_line
from stages.corpora.layouts.tables.columns import Columns
from stages.corpora.layouts.tables.jsonlines import first_object, objects_of, text_of
from stages.corpora.layouts.tables.pieces import locator_of, piece_of, pieces_of

_SAMPLE = 100
"""Rows whose recordings are looked for."""


def read_named(table: Path, columns: Mapping[str, str]) -> Rows:
    """Reads a table of which the columns are given; nothing if it hasn't got them.

    Args:
        table: Rows of cells, with or without a header, or JSON lines.
        columns: Role by name in the header (or key of the objects), or by number from 1.
    """
    if table.suffix.lower() in {".json", ".jsonl"}:
        yield from _objects(table, columns)
        return
    if not any(_fits(split_line(line, mark), columns) for line in first_lines(table)[:1] for mark in DELIMITERS):
        return
    sheet = read_sheet(table)
    head, *rows = (row.cells for row in sheet.first)
    titles = [cell.casefold() for cell in head]
    places = {role: _place(titles, column) for column, role in columns.items()}
    audio, text = places.pop("audio"), places.pop("text")
    by_number = all(column.isdigit() for column in columns)
    names = [row[audio] for row in islice([head, *rows] if by_number else rows, _SAMPLE) if audio < len(row)]
    found = [*map(locator_of(table, names).find, names)]
    if any(found):  # else the table is of other files
        is_header = not by_number or (found[0] is None and None not in found[1:])
        yield from pieces_of(sheet, Columns(audio, (text,), **places), skip=int(is_header))


def _fits(head: list[str], columns: Mapping[str, str]) -> bool:
    """Returns whether a table whose first row this is may have the columns."""
    titles = [cell.strip().casefold() for cell in head]
    return all(0 <= _place(titles, column) < len(head) for column in columns)


def _place(head: list[str], column: str) -> int:
    """Returns a column's place from 0; -1 if there is none of that name. Digits are a number, never a name."""
    if column.isdigit():
        return int(column) - 1
    return head.index(column.casefold()) if column.casefold() in head else -1


def _objects(table: Path, columns: Mapping[str, str]) -> Rows:
    if not columns.keys() <= first_object(table).keys():
        return
    names = {role: column for column, role in columns.items()}
    locator = locator_of(table, (text_of(found, names["audio"]) for _, found in objects_of(table)))
    for number, found in objects_of(table):
        yield piece_of(number, {role: text_of(found, name) for role, name in names.items()}, locator)


def _nothing(_table: Path) -> Rows:
    return iter(())


COLUMNS = Layout(
    "columns",
    ("*.csv", "*.tsv", "*.list", "*.lst", "*.json", "*.jsonl", "*.txt"),
    _nothing,
    named=read_named,
    speakers="any table, if `transcribe.columns` says what its columns are",
    rank=5,
)
