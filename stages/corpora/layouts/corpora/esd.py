"""Emotional Speech Database."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, is_like, lines_of
from stages.tar import members

_ROW = re.compile(r"(\d{4})_\d+\t([^\t]+)\t([^\t]+)")
_EMOTIONS = {"中立": "Neutral", "生气": "Angry", "快乐": "Happy", "伤心": "Sad", "惊喜": "Surprise"}
_SETS = "", "train/", "test/", "evaluation/"
_LAST_CHINESE = 10


def read_esd(table: Path) -> Rows:
    """Reads `<speaker>/<speaker>.txt`: `0001_000001<TAB>text<TAB>emotion`, audio in `<emotion>/`, or in its sets.

    Speakers 0001 to 0010 speak Chinese, the others English.

    Source: Zhou et al. 2021, https://github.com/HLTSingapore/Emotional-Speech-Data.
    """
    speaker = table.stem
    if table.parent.name != speaker or not is_like(table, _ROW):
        return
    for number, line in lines_of(table):
        match = _ROW.fullmatch(line.strip())
        if match is None:
            yield BadRow(number, "must hold `speaker_number`, the text and the emotion, with tabs between them")
            continue
        name, emotion = line.partition("\t")[0].strip(), match[3].strip()
        emotion = _EMOTIONS.get(emotion, emotion.capitalize())
        paths = [f"{emotion}/{part}{name}.wav" for part in _SETS]
        audio = next((path for path in paths if members.is_file(table.parent / path)), paths[0])
        language = "zh" if int(speaker) <= _LAST_CHINESE else "en"
        yield Piece(audio, match[2].strip(), speaker=speaker, group="..", language=language)


ESD = Layout(
    "esd",
    ("[0-9][0-9][0-9][0-9]/[0-9][0-9][0-9][0-9].txt",),
    read_esd,
    speakers="the folder's; the one above is the group; Chinese up to 0010, then English",
    rank=50,
)
