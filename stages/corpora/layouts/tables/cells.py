"""Splits a table into rows of cells: bars, tabs, commas or semicolons, with or without quotes."""

import csv
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from stages.corpora.layouts.layout import lines_of
from stages.tar import members

DELIMITERS = "|", "\t", ",", ";"
_SAMPLE = 200
"""Lines from which the delimiter is told."""
_ROWS = 5_000
"""Rows by which it is told what the columns are."""
_RARE = 0.02
"""A number of cells that fewer of the rows have is a mistake."""
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

    table: Path
    delimiter: str
    first: tuple[Row, ...]
    """Its first rows, by which it is told what the columns are."""
    width: int
    """The most cells of a row; more are so rare that they must be one cell that holds the delimiter."""

    def rows(self) -> Iterator[Row | int]:
        """Yields all rows, as it reads them; the number of a line at which a quote doesn't end.

        Raises:
            UsageError: if the file can't be read or decoded.
        """
        return _rows(self.table, self.delimiter)


def read_sheet(table: Path) -> Sheet:
    """Splits the first rows of a table; the last one is kept, since several layouts look at it.

    Raises:
        UsageError: if the file can't be read or decoded.
    """
    return _sheet(table, *members.stamp(table))


@lru_cache(maxsize=1)
def _sheet(table: Path, _size: int, _mtime_ns: int) -> Sheet:
    delimiter = _delimiter([line for _, line in islice(lines_of(table), _SAMPLE)])
    first = tuple(row for row in islice(_rows(table, delimiter), _ROWS) if isinstance(row, Row))
    counts = Counter(len(row.cells) for row in first)
    often = [width for width, count in counts.items() if count >= _RARE * len(first)]
    return Sheet(table, delimiter, first, max(often, default=0))


def _rows(table: Path, delimiter: str) -> Iterator[Row | int]:
    lines = ((number, part) for number, line in lines_of(table) for part in line.split("\r"))
    if delimiter in {",", ";"}:
        return _quoted(lines, delimiter)
    return (Row(number, _trimmed(split_line(line, delimiter))) for number, line in lines)


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


def _quoted(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Row | int]:
    """Splits CSV, whose quoted cells may hold line ends. A quote without an end costs its line alone."""
    ahead: deque[tuple[int, str]] = deque()
    width = 0
    while True:
        ahead.extend(islice(lines, 1 if not ahead else 0))
        if not ahead:
            return
        number, line = ahead[0]
        cells = _split_quoted(line, delimiter)
        count = 1
        if not cells:  # a quote goes on, or has no end
            ahead.extend(islice(lines, _LONGEST - len(ahead)))
            cells, count = _joined([line for _, line in ahead], delimiter, width)
        for _ in range(count):
            ahead.popleft()
        if not cells:
            yield number
        elif any(cell.strip() for cell in cells):
            width = width or len(cells)
            yield Row(number, _trimmed([" ".join(cell.split()) for cell in cells]))


def _split_quoted(line: str, delimiter: str) -> list[str]:
    """Splits a line of CSV; returns nothing if a quote in it doesn't end, or isn't one of CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return []


def _joined(lines: Sequence[str], delimiter: str, width: int) -> tuple[list[str], int]:
    """Splits a row of several lines; returns its cells and the number of its lines, nothing and 1 if it has no end."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        cells = next(reader)
    except (csv.Error, StopIteration):
        return [], 1
    inside = lines[1 : reader.line_num]
    return ([], 1) if _swallowed(inside, delimiter, width) else (cells, reader.line_num)


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
