"""CMU Arctic, and other voices made with Festvox."""

import re
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of

_ROW = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
_FOLDER = re.compile(r"cmu_us_([a-z0-9]+)_arctic")


def read_arctic(table: Path) -> Rows:
    """Reads `cmu_us_<speaker>_arctic/etc/txt.done.data`: `( arctic_a0001 "text" )`, audio in `wav/`.

    Source: Kominek and Black 2004, http://www.festvox.org/cmu_arctic.
    """
    folder = table.parents[1].name
    match = _FOLDER.match(folder)
    for number, line in lines_of(table):
        row = _ROW.fullmatch(line.strip())
        if row is None:
            yield BadRow(number, 'must hold `( recording "text" )`')
            continue
        yield Piece(
            f"../wav/{row[1]}.wav",
            row[2].replace('\\"', '"').strip(),
            speaker=match[1] if match else folder,
            group="../..",
            language="en" if match else "",
        )


ARCTIC = Layout(
    "arctic",
    ("etc/txt.done.data",),
    read_arctic,
    speakers="from `cmu_us_<speaker>_arctic`, else that folder; the one above is the group",
    rank=50,
)
