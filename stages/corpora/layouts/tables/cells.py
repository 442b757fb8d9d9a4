"""Splits a table into rows of cells: bars, tabs, commas or semicolons, with or without quotes."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stages.audio import members
from stages.corpora.layouts.layout import read_text

DELIMITERS = "|", "\t", ",", ";"
_SAMPLE = 200
"""Lines from which the delimiter is told."""
_LONGEST = 100
"""Lines of a quoted cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    number: int
    """Its line, from 1."""
    cells: tuple[str, ...]
    """Without the white space around them, and without empty ones at the end."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, as its file splits it."""

    delimiter: str
    rows: tuple[Row, ...]
    broken: tuple[int, ...]
    """Lines at which a quote doesn't end."""

    @property
    def width(self) -> int:
        """The number of cells that the most rows have; of several, the largest."""
        counts = Counter(len(row.cells) for row in self.rows)
        return max(counts, key=lambda width: (counts[width], width), default=0)


def read_sheet(table: Path) -> Sheet:
    """Reads a table and splits it; the last one is kept, since several layouts look at it.

    Raises:
        UsageError: if the file can't be read or decoded.
    """
    return _sheet(table, *members.stamp(table))


@lru_cache(maxsize=1)
def _sheet(table: Path, _size: int, _mtime_ns: int) -> Sheet:
    text = read_text(table).replace("\r\n", "\n").replace("\r", "\n")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    delimiter = _delimiter([line for _, line in lines[:_SAMPLE]])
    if delimiter in {",", ";"}:
        return _quoted(text, delimiter)
    rows = tuple(Row(number, _trimmed(split_line(line, delimiter))) for number, line in lines)
    return Sheet(delimiter, rows, ())


def _delimiter(lines: Sequence[str]) -> str:
    """Returns the first delimiter that is in the first line and in nine of ten, else the one in the most lines.

    Of commas and semicolons it is the one that all lines hold equally often.
    """

    def fitness(mark: str) -> tuple[bool, bool, float, int]:
        share = sum(mark in line for line in lines) / max(len(lines), 1)
        wanted = mark in lines[0] and share >= 0.9
        even = mark in "|\t" or len({line.count(mark) for line in lines}) == 1
        return wanted, even and wanted, 1.0 if wanted else share, -DELIMITERS.index(mark)

    return max(DELIMITERS, key=fitness) if lines else DELIMITERS[0]


def split_line(line: str, delimiter: str) -> list[str]:
    """Splits a line. Quotes around a cell are CSV's where its content needs them, or where all cells have them."""
    if f'{delimiter}"' in line or line.startswith('"'):
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            return line.split(delimiter)
        every = line.startswith('"') and line.endswith('"') and line.count(f'"{delimiter}"') == len(cells) - 1
        if every or any(delimiter in cell or '"' in cell for cell in cells):
            return cells
    return line.split(delimiter)


def _quoted(text: str, delimiter: str) -> Sheet:
    """Splits CSV, whose quoted cells may hold line ends. A quote without an end costs its line alone."""
    lines = text.split("\n")
    rows, broken = list[Row](), list[int]()
    at = 0
    while at < len(lines):
        reader = csv.reader(_from(lines, at), delimiter=delimiter, strict=True, skipinitialspace=True)
        try:
            cells, count = next(reader), reader.line_num
        except (csv.Error, StopIteration):
            cells, count = [], 0
        if not count or (rows and _swallowed(lines[at + 1 : at + count], delimiter, len(rows[0].cells))):
            broken.append(at + 1)
            count = 1
        elif any(cell.strip() for cell in cells):
            rows.append(Row(at + 1, _trimmed([" ".join(cell.split()) for cell in cells])))
        at += count
    return Sheet(delimiter, tuple(rows), tuple(broken))


def _from(lines: Sequence[str], at: int) -> Iterator[str]:
    yield from (f"{line}\n" for line in lines[at : at + _LONGEST])


def _swallowed(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Returns whether one of the lines inside a quoted cell is a row of its own: then an earlier quote has no end."""
    try:
        return any(len(cells) == width > 1 for cells in csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return True


def _trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    stripped = [cell.strip() for cell in cells]
    while stripped and not stripped[-1]:
        stripped.pop()
    return tuple(stripped)
