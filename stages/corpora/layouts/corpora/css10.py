"""CSS10 and KSS: one speaker a language."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, is_like, lines_of
from stages.corpora.layouts.tables.contents import is_language
from stages.text.languages import UNSPACED

_CSS10 = re.compile(r"[^|]+\.wav\|[^|]*\|[^|]*\|[\d.]+\s*")
_KSS = re.compile(r"[^|]+\.wav\|[^|]*\|[^|]*\|[^|]*\|[\d.]+\|[^|]*")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def read_css10(table: Path) -> Rows:
    """Reads `<language>/transcript.txt`: `file|text|normalised text|seconds`.

    The normalised text is used, except in Chinese and Japanese, where it is a transcription in Latin letters.

    Source: Park and Mulc 2019, https://github.com/Kyubyong/css10.
    """
    if not is_like(table, _CSS10):
        return
    language = table.parent.name if is_language(table.parent.name) else ""
    for number, line in lines_of(table):
        audio, *cells = line.split("|")
        if len(cells) != 3:
            yield BadRow(number, "must hold `file|text|normalised text|seconds`")
            continue
        text = cells[0] if _UNSPACED.search(cells[0]) or not cells[1].strip() else cells[1]
        yield Piece(audio.strip(), text.strip(), home=".", language=language)


def read_kss(table: Path) -> Rows:
    """Reads `transcript.v.1.4.txt`: `file|text|expanded text|decomposed text|seconds|English translation`.

    Source: Park 2018, Korean Single Speaker Speech dataset.
    """
    if not is_like(table, _KSS):
        return
    for number, line in lines_of(table):
        audio, *cells = line.split("|")
        if len(cells) != 5:
            yield BadRow(number, "must hold `file|text|expanded text|decomposed text|seconds|translation`")
            continue
        yield Piece(audio.strip(), (cells[1] if cells[1].strip() else cells[0]).strip(), home=".", language="ko")


CSS10 = Layout(
    "css10",
    ("transcript.txt",),
    read_css10,
    speakers="the folder's; language from the folder's name",
    rank=50,
)
KSS = Layout("kss", ("transcript*.txt",), read_kss, speakers="the folder's; Korean; the expanded text", rank=50)
