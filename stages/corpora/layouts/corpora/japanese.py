"""JSUT and JVS."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, is_like, lines_of

_ROW = re.compile(r"([A-Za-z0-9_-]+):(.+)")


def _read(table: Path, folder: str, *, home: str | None, speaker: str, group: str | None) -> Rows:
    if not is_like(table, _ROW):
        return
    for number, line in lines_of(table):
        if match := _ROW.fullmatch(line.strip()):
            audio = f"{folder}/{match[1]}.wav"
            yield Piece(audio, match[2].strip(), speaker=speaker, group=group, home=home, language="ja")
        else:
            yield BadRow(number, "must hold `recording:text`")


def read_jsut(table: Path) -> Rows:
    """Reads `<subset>/transcript_utf8.txt`: `BASIC5000_0001:text`, audio in `wav/`. One speaker.

    Source: Sonobe et al. 2017, https://sites.google.com/site/shinnosuketakamichi/publication/jsut.
    """
    return _read(table, "wav", home="..", speaker="", group=None)


def read_jvs(table: Path) -> Rows:
    """Reads `<speaker>/<subset>/transcripts_utf8.txt`: `VOICEACTRESS100_001:text`, audio in `wav24kHz16bit/`.

    Source: Takamichi et al. 2019, https://sites.google.com/site/shinnosuketakamichi/research-topics/jvs_corpus.
    """
    return _read(table, "wav24kHz16bit", home=None, speaker=table.parents[1].name, group="../..")


JSUT = Layout(
    "jsut",
    ("transcript_utf8.txt",),
    read_jsut,
    speakers="one speaker, named as the folder above the subsets; Japanese",
    rank=50,
)
JVS = Layout(
    "jvs",
    ("transcripts_utf8.txt",),
    read_jvs,
    speakers="the folder above the subset is the speaker, the one above it the group; Japanese",
    rank=50,
)
