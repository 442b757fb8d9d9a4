"""TED-LIUM."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of

_ROW = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+([\d.]+)\s+([\d.]+)\s+(?:<([^>]*)>\s*)?(.*)")
_NOT_SCORED = "ignore_time_segment_in_scoring"
_NOISE = re.compile(r"\{[A-Z]+\}|\(\d+\)|\(\S+-\S+\)$")
_SUFFIX = re.compile(r" (?='[a-z])")


def read_tedlium(table: Path) -> Rows:
    """Reads `<set>/stm/<talk>.stm`: `talk 1 speaker start end <labels> text`, audio in `<set>/sph/<talk>.sph`.

    Segments that aren't scored are left out, as are those with a word that the corpus doesn't know (`<unk>`). Noises
    (`{NOISE}`) aren't text, and `it 's` is one word.

    Source: Hernandez et al. 2018, https://www.openslr.org/51.
    """
    for number, line in lines_of(table):
        if line.startswith(";;"):
            continue
        match = _ROW.fullmatch(line.strip())
        if match is None:
            yield BadRow(number, "must hold `talk channel speaker start end <labels> text`")
            continue
        talk, _, speaker, start, end, _, told = match.groups()
        if told.strip() == _NOT_SCORED:
            continue
        text = _SUFFIX.sub("", " ".join(_NOISE.sub(" ", told).split()))
        if "<unk>" in text.lower():
            yield BadRow(number, "must hold words only, but holds `<unk>`: the segment is left out")
        elif text:
            audio = f"../sph/{talk}.sph"
            times = float(start), float(end)
            yield Piece(audio, text, *times, speaker=speaker, group="..", language="en")


TEDLIUM = Layout(
    "tedlium",
    ("stm/*.stm",),
    read_tedlium,
    speakers="the speaker of each line; the set is the group; English; audio in `sph/`",
    rank=50,
)
