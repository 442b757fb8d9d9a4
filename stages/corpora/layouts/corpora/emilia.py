"""Emilia: its JSON lines with MP3, and what its pipeline writes of other recordings."""

import re
from pathlib import Path

from stages.corpora.layouts.corpora.webdataset import read_tar
from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows
from stages.corpora.layouts.tables.jsonlines import Object, first_object, objects_of, text_of
from stages.tar import members

_ROW = frozenset({"wav", "text", "speaker", "language"})
_SEGMENT = frozenset({"text", "start", "end", "language", "dnsmos"})


def read_lines(table: Path) -> Rows:
    """Reads `<language>/<batch>.jsonl`: `{"wav", "text", "speaker", "language", "dnsmos"}`; paths from its folder.

    Source: He et al. 2024, https://huggingface.co/datasets/amphion/Emilia-Dataset.
    """
    if not first_object(table).keys() >= _ROW:
        return
    for number, found in objects_of(table):
        audio = text_of(found, "wav")
        if not audio:
            yield BadRow(number, "must be an object with `wav`, `text`, `speaker` and `language`")
            continue
        speaker, language = text_of(found, "speaker"), text_of(found, "language")
        yield Piece(audio, text_of(found, "text"), speaker=speaker, group="." if speaker else None, language=language)


def read_pipe(table: Path) -> Rows:
    """Reads `<name>/<name>.json` of Emilia-Pipe: a list of segments, each of which is `<name>_<number>.mp3` beside it.

    Source: https://github.com/open-mmlab/Amphion/tree/main/preprocessors/Emilia.
    """
    name = table.stem
    if table.parent.name == name and first_object(table).keys() >= _SEGMENT:
        cuts = _cuts(table, name)
        yield from (_cut(number, found, cuts, name) for number, found in objects_of(table))


def _cuts(table: Path, name: str) -> dict[int, str]:
    """Returns the names of the cuts beside a table by number."""
    form = re.compile(rf"{re.escape(name)}_(\d+)\.\w+")
    files = [path.name for path in table.parent.iterdir()] if table.parent.is_dir() else []
    return {int(match[1]): file for file in sorted(files) if (match := form.fullmatch(file)) and file != table.name}


def _cut(number: int, found: Object, cuts: dict[int, str], name: str) -> Piece | BadRow:
    audio = cuts.get(number - 1)
    if audio is None:
        return BadRow(number, f"its cut `{name}_{number - 1:06d}.mp3` must lie beside the table, but isn't there")
    label = text_of(found, "speaker")
    return Piece(
        audio,
        text_of(found, "text"),
        speaker=f"{name}_{label}" if label else "",
        group=".." if label else None,
        language=text_of(found, "language"),
    )


def read_emilia(table: Path) -> Rows:
    """Reads a tar file, JSON lines, or the JSON of Emilia-Pipe."""
    if table.suffix.lower() == members.SUFFIX:
        return read_tar(table, emilia=True)
    return read_lines(table) if table.suffix.lower() == ".jsonl" else read_pipe(table)


EMILIA = Layout(
    "emilia",
    ("*.tar", "*.jsonl", "*.json"),
    read_emilia,
    speakers="the speaker of each row; the folder of the language is the group; its tars, JSON lines, Emilia-Pipe",
    rank=51,
)
