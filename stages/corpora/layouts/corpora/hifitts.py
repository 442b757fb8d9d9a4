"""Hi-Fi TTS."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows
from stages.corpora.layouts.tables.jsonlines import objects_of, text_of

_TABLE = re.compile(r"(\d+)_manifest_(?:clean|other)_(?:train|dev|test)\.json")


def read_hifitts(table: Path) -> Rows:
    """Reads `<reader>_manifest_<clean|other>_<set>.json`: NeMo's manifest; `text_normalized` is the text.

    Source: Bakhturina et al. 2021, https://www.openslr.org/109.
    """
    match = _TABLE.fullmatch(table.name)
    if match is None:
        return
    for number, found in objects_of(table):
        audio = text_of(found, "audio_filepath")
        text = text_of(found, "text_normalized") or text_of(found, "text")
        if audio:
            yield Piece(audio, text, speaker=match[1], group=".", language="en")
        else:
            yield BadRow(number, "must be an object with `audio_filepath` and `text_normalized`")


HIFITTS = Layout(
    "hifitts",
    ("*_manifest_*_*.json",),
    read_hifitts,
    speakers="the reader from the manifest's name; the corpus is the group; English",
    rank=50,
)
