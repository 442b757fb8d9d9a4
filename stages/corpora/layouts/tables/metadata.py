"""`metadata.csv` and its like: LJ Speech, Piper, Coqui and XTTS, F5-TTS, the audio folders of Hugging Face.

All of them are read in the same way; their names tell them apart in the results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from stages.corpora.layouts.layout import Layout, Rows, first_lines, read_text
from stages.corpora.layouts.tables.cells import DELIMITERS, Sheet, read_sheet, split_line
from stages.corpora.layouts.tables.columns import Columns, by_header, name_of, roles_of
from stages.corpora.layouts.tables.contents import Unclear, by_content, is_language
from stages.corpora.layouts.tables.pieces import locator_of, pieces_of
from stages.errors import UsageError
from stages.tar import members

_METADATA = "metadata*.csv"
NAMED = _METADATA, "metadata*.tsv", "metadata*.txt", "*filelist*.txt", "*filelist*.csv"
"""Tables that are read without a header too; others only if their header names the audio and the text."""


@dataclass(frozen=True, slots=True)
class Told:
    """A table whose columns are known."""

    layout: str
    sheet: Sheet
    columns: Columns
    has_header: bool
    language: str = ""


def refusal(table: Path, found: str) -> UsageError:
    """Returns the error for a table of recordings whose columns can't be told."""
    return UsageError(
        f"`{table}` must tell which of its columns is the text, but {found}. Name them, from 1 or as the header does:"
        " `--set 'transcribe.columns={1: audio, 2: text, 3: speaker}'`. Or read no tables:"
        " `--set transcribe.layout=voices`."
    )


def _read(table: Path, *, layout: str) -> Rows:
    """Reads a table if it is of a layout.

    Raises:
        UsageError: if it names recordings that are there, but its columns can't be told.
    """
    if not _is_named(table) and not _has_header(table):
        return
    told = _told(table, *members.stamp(table))
    if told is not None and told.layout == layout:
        yield from pieces_of(told.sheet, told.columns, skip=int(told.has_header), language=told.language)


@lru_cache(maxsize=1)
def _told(table: Path, _size: int, _mtime_ns: int) -> Told | None:
    """Returns what a table's columns are; None if it is no table of recordings."""
    sheet = read_sheet(table)
    if not sheet.first:
        return None
    if columns := by_header(sheet.first[0].cells):
        return _with_header(table, sheet, columns)
    return _without_header(table, sheet) if _is_named(table) else None


def _is_named(table: Path) -> bool:
    return any(table.match(pattern) for pattern in NAMED)


def _has_header(table: Path) -> bool:
    """Returns whether the first line names the audio and the text, without reading the table."""
    return any(by_header(split_line(line, mark)) for line in first_lines(table)[:1] for mark in DELIMITERS)


def _with_header(table: Path, sheet: Sheet, columns: Columns) -> Told | None:
    head, *rows = (row.cells for row in sheet.first)
    names = {name_of(cell) for cell in head}
    audio = [columns.at(row, columns.audio) for row in rows[:_SAMPLE]]
    found = [*map(_finder(table, audio), audio)]
    ours = _is_named(table) or 2 * sum(path is not None for path in found) > len(found)
    if "client_id" in names or not ours:
        return None  # Common Voice's, or of other files
    layout = "audiofolder" if "file_name" in names else "coqui" if "audio_file" in names else "table"
    return Told(layout, sheet, columns, has_header=True, language=_language_beside(table))


def _without_header(table: Path, sheet: Sheet) -> Told | None:
    cells = [row.cells for row in sheet.first]
    _refuse_unknown_header(table, cells)
    try:
        columns = by_content(cells, partial(_finder, table), first=sheet.delimiter == "|")
    except Unclear as unclear:
        if unclear.here:
            raise refusal(table, str(unclear)) from unclear
        return None
    return Told(_name(table, sheet, columns), sheet, columns, has_header=False)


def _finder(table: Path, names: Sequence[str]) -> Callable[[str], str | None]:
    return locator_of(table, names).find


def _refuse_unknown_header(table: Path, cells: Sequence[Sequence[str]]) -> None:
    """Raises `UsageError` if the first row is a header that doesn't name both the audio and the text."""
    head, *rows = cells
    for place, name in enumerate(head):
        names = [row[place] for row in rows[:_SAMPLE] if place < len(row) and row[place]]
        find = _finder(table, [name, *names])
        if (
            names
            and find(name) is None
            and _is_title(name)
            and sum(find(one) is not None for one in names) > 0.9 * len(names)
        ):
            titles = ", ".join(f"`{cell[:30]}`" for cell in head)
            known = ", ".join(f"`{cell[:30]}` is the {role}" for role, (cell, *_) in roles_of(head).items())
            raise refusal(table, f"its header is {titles}{f', of which {known}' if known else ''}")


_SAMPLE = 100
"""Rows whose recordings are looked for to tell a header."""


def _is_title(cell: str) -> bool:
    """Returns whether a cell may be a column's title rather than the name of a recording."""
    return Path(cell).suffix == "" and not any(map(str.isdigit, cell)) and "/" not in cell


def _name(table: Path, sheet: Sheet, columns: Columns) -> str:
    """Returns the layout of a table without a header."""
    if table.match(_METADATA) and sheet.delimiter == "|" and columns.audio == 0 and columns.language is None:
        if columns.speaker is None and sheet.width <= 1 + len(columns.texts):
            return "ljspeech"
        if columns.speaker == 1 and columns.texts == (2,) and sheet.width == 3:
            return "piper"
    return "table"


def _language_beside(table: Path) -> str:
    """Returns the language in `lang.txt`, which the fine-tuning of XTTS writes beside its tables; "" without one."""
    path = table.with_name("lang.txt")
    language = read_text(path).strip() if members.is_file(path) else ""
    return language if language and is_language(language) else ""


LJSPEECH = Layout(
    "ljspeech",
    (_METADATA,),
    partial(_read, layout="ljspeech"),
    speakers="the folder's; `id|text` or `id|text|normalised text` without header; audio beside it or in `wavs/`",
    rank=70,
)
PIPER = Layout(
    "piper",
    (_METADATA,),
    partial(_read, layout="piper"),
    speakers="`file|speaker|text` without header; without speakers it is read as `ljspeech`",
    rank=71,
)
COQUI = Layout(
    "coqui",
    ("*.csv", "*.tsv"),
    partial(_read, layout="coqui"),
    speakers="a header with `audio_file`, `text`, maybe `speaker_name`: Coqui, XTTS, F5-TTS; language from `lang.txt`",
    rank=72,
)
AUDIOFOLDER = Layout(
    "audiofolder",
    ("*.csv", "*.tsv"),
    partial(_read, layout="audiofolder"),
    speakers="a header with `file_name` and `transcription` or the like, and perhaps `speaker_id`, `language`",
    rank=73,
)
TABLE = Layout(
    "table",
    ("*.csv", "*.tsv", "metadata*.txt", "*filelist*.txt"),
    partial(_read, layout="table"),
    speakers="any other table: by its header, or by what its columns hold; the folder is the group of named speakers",
    rank=80,
)
