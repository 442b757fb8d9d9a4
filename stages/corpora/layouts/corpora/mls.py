"""Multilingual LibriSpeech."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, is_like, lines_of

_ROW = re.compile(r"(\d+)_(\d+)_\d+\t")
_FOLDER = re.compile(r"mls_([a-z]+)")


def read_mls(table: Path) -> Rows:
    """Reads `mls_<language>/<set>/transcripts.txt`: `speaker_book_number<TAB>text`, audio in `audio/<speaker>/<book>/`.

    Source: Pratap et al. 2020, https://www.openslr.org/94.
    """
    if not is_like(table, _ROW):
        return
    corpus = table.parent.parent.name
    language = found[1] if (found := _FOLDER.match(corpus)) else ""
    suffix = ".opus" if corpus.endswith("_opus") else ".flac"
    for number, line in lines_of(table):
        name, _, text = line.partition("\t")
        if match := _ROW.match(line):
            audio = f"audio/{match[1]}/{match[2]}/{name}{suffix}"
            yield Piece(audio, text.strip(), speaker=match[1], group="..", language=language)
        else:
            yield BadRow(number, "must hold `speaker_book_number`, a tab and the text")


MLS = Layout(
    "mls",
    ("transcripts.txt",),
    read_mls,
    speakers="the speaker from the recording's name; the corpus is the group; language from `mls_<language>`",
    rank=50,
)
