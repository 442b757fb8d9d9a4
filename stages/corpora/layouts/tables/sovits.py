"""Lists of GPT-SoVITS and Bert-VITS2: `path|speaker|language|text`."""

from pathlib import Path

from stages.corpora.layouts.layout import Layout, Rows, first_lines
from stages.corpora.layouts.tables.cells import read_sheet
from stages.corpora.layouts.tables.columns import Columns
from stages.corpora.layouts.tables.contents import is_language
from stages.corpora.layouts.tables.metadata import refusal
from stages.corpora.layouts.tables.pieces import locator_of, pieces_of

_COLUMNS = Columns(audio=0, texts=(3,), speaker=1, language=2)


def read_sovits(table: Path) -> Rows:
    """Reads `*.list`: `path|speaker|language|text`, languages such as `zh`, `JP`, `EN`.

    Raises:
        UsageError: if it names recordings that are there, but has other columns.

    Source: https://github.com/RVC-Boss/GPT-SoVITS, README.
    """
    if not any("|" in line for line in first_lines(table)[:1]):
        return
    sheet = read_sheet(table)
    languages = {row.cells[2] for row in sheet.first if len(row.cells) == 4}
    if sheet.width == 4 and languages and all(map(is_language, languages)):
        yield from pieces_of(sheet, _COLUMNS)
        return
    names = [row.cells[0] for row in sheet.first[:_SAMPLE]]
    if any(map(locator_of(table, names).find, names)):
        found = f"it has {sheet.width} columns" if sheet.width != 4 else "its third holds no languages"
        raise refusal(table, f"{found}: a list must hold `path|speaker|language|text`")


_SAMPLE = 100
"""Rows whose recordings are looked for."""
GPT_SOVITS = Layout(
    "gptsovits",
    ("*.list",),
    read_sovits,
    speakers="`path|speaker|language|text`; the folder is the group",
    rank=76,
)
