"""Corpora whose texts are the rows of a table: LibriSpeech, Common Voice."""

import re
from collections.abc import Iterator, Set
from itertools import islice, zip_longest
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, first_lines, lines_of, with_suffix


def read_librispeech(table: Path) -> Rows:
    """Reads `<set>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`: each line is `speaker-chapter-number TEXT`.

    Source: LibriSpeech, Panayotov et al. 2015, https://www.openslr.org/12.
    """
    for number, line in lines_of(table):
        name, _, text = line.partition(" ")
        parts = name.split("-")
        if len(parts) == 3:
            yield Piece(f"{name}.flac", text, speaker=parts[0], group="../..")
        else:
            yield BadRow(number, "must begin with `speaker-chapter-number`")


def read_commonvoice(table: Path) -> Rows:
    """Reads `validated.tsv` if present, else `train.tsv`, `dev.tsv` and `test.tsv`; the audio is in `clips/`.

    Of Spontaneous Speech it reads `ss-corpus-<locale>.tsv`; the audio is in `audios/`, the text is `transcription`.

    Source: Common Voice, Ardila et al. 2020, https://commonvoice.mozilla.org/datasets; its columns of 2025:
    https://github.com/common-voice/cv-dataset.
    """
    if table.name != "validated.tsv" and (table.parent / "validated.tsv").is_file():
        return
    if table.name.startswith("ss-corpus-"):
        yield from _read_spontaneous(table)
        return
    for number, values in _values(table, {"client_id", "path", "sentence"}):
        if not values["path"]:
            yield BadRow(number, "must name a clip in its column `path`")
            continue
        yield Piece(
            f"clips/{with_suffix(values['path'], '.mp3')}",
            values["sentence"],
            speaker=values["client_id"],
            group=".",
            language=values.get("locale", ""),
        )


def _read_spontaneous(table: Path) -> Rows:
    """Reads `ss-corpus-<locale>.tsv`: answers to questions. A recording that nobody has transcribed has no row."""
    locale = table.stem.removeprefix("ss-corpus-")
    for number, values in _values(table, {"client_id", "audio_file", "prompt", "transcription"}):
        if not values["audio_file"]:
            yield BadRow(number, "must name a recording in its column `audio_file`")
            continue
        text = " ".join(_TAG.sub(" ", values["transcription"]).split())
        if text:
            audio = f"audios/{with_suffix(values['audio_file'], '.mp3')}"
            yield Piece(audio, text, speaker=values["client_id"], group=".", language=locale)


_TAG = re.compile(r"\[[^\]]*\]")
"""Marks such as `[disfluency]` and `[noise]`."""


def _values(table: Path, needed: Set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a table by the names in its header; nothing if it lacks a needed one."""
    header = [name for line in first_lines(table)[:1] for name in line.split("\t")]
    if needed <= {*header}:
        for number, line in islice(lines_of(table), 1, None):
            yield number, dict(zip_longest(header, line.split("\t")[: len(header)], fillvalue=""))


COMMONVOICE = Layout(
    "commonvoice",
    ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv", "ss-corpus-*.tsv"),
    read_commonvoice,
    complete=True,
    speakers="from `client_id`, language from `locale`; `validated.tsv`, else the others; Spontaneous Speech too",
    rank=30,
)
LIBRISPEECH = Layout(
    "librispeech",
    ("*.trans.txt",),
    read_librispeech,
    speakers="the speaker from the file's name; the set is the group",
    rank=60,
)
