"""VoxPopuli."""

from itertools import islice, zip_longest
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, first_lines, lines_of
from stages.corpora.layouts.tables.contents import is_language

_NEEDED = frozenset({"id", "raw_text", "normalized_text", "speaker_id"})


def read_voxpopuli(table: Path) -> Rows:
    """Reads `<language>/asr_<set>.tsv`, made by the corpus's own script; audio in `<year>/<id>.ogg`.

    The text is `raw_text`, with its case and marks; where that is empty, `normalized_text`.

    Source: Wang et al. 2021, https://github.com/facebookresearch/voxpopuli.
    """
    header = [name for line in first_lines(table)[:1] for name in line.split("\t")]
    if not {*header} >= _NEEDED:
        return
    folder = table.parent.name
    for number, line in islice(lines_of(table), 1, None):
        values = dict(zip_longest(header, line.split("\t")[: len(header)], fillvalue=""))
        if len(line.split("\t")) > len(header) or not values["id"][:4].isdigit():
            yield BadRow(
                number, f"must hold {len(header)} columns, the first of them an `id` that begins with the year"
            )
            continue
        yield Piece(
            f"{values['id'][:4]}/{values['id']}.ogg",
            values["raw_text"].strip() or values["normalized_text"].strip(),
            speaker="" if values["speaker_id"] in {"", "None"} else values["speaker_id"],
            group=".",
            language=folder if is_language(folder) else "",
        )


VOXPOPULI = Layout(
    "voxpopuli",
    ("asr_*.tsv",),
    read_voxpopuli,
    speakers="from `speaker_id`; the folder of the language is the group",
    rank=50,
)
