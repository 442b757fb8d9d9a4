"""AISHELL-3."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, is_like, lines_of

_ROW = re.compile(r"([A-Z]+\d{4})\d+(?:\.wav)?\t")
_PINYIN = re.compile(r"[a-zü:]+[0-9]", re.IGNORECASE)


def read_aishell3(table: Path) -> Rows:
    """Reads `<set>/content.txt`: `SSB00050001.wav<TAB>广 guang3 州 zhou1`, audio in `wav/<speaker>/`.

    Characters and their pinyin alternate; the characters are the text.

    Source: Shi et al. 2020, https://www.openslr.org/93.
    """
    if not is_like(table, _ROW):
        return
    for number, line in lines_of(table):
        match = _ROW.match(line)
        words = line.partition("\t")[2].split()
        if not match or not words or len(words) % 2 or not all(map(_PINYIN.fullmatch, words[1::2])):
            yield BadRow(number, "must hold `file`, a tab, and characters that alternate with their pinyin")
            continue
        name = line.partition("\t")[0].removesuffix(".wav")
        yield Piece(f"wav/{match[1]}/{name}.wav", "".join(words[::2]), speaker=match[1], group="..", language="zh")


AISHELL3 = Layout(
    "aishell3",
    ("content.txt",),
    read_aishell3,
    speakers="the speaker from the recording's name; the corpus is the group; Chinese; the text without its pinyin",
    rank=50,
)
