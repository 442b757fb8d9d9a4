"""Corpora whose texts are the rows of a table: LJ Speech, LibriSpeech, Common Voice."""

from itertools import zip_longest
from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of, with_suffix


def read_ljspeech(table: Path) -> Rows:
    """Reads `metadata.csv`: `id|text|normalised text`, with the audio in `wavs/`.

    The last column that isn't empty is used as the text.

    Source: https://keithito.com/LJ-Speech-Dataset.
    """
    folder = next((name for name in ("wavs/", "wav/") if (table.parent / name).is_dir()), "")
    for number, line in lines_of(table):
        name, *texts = line.split("|")
        if number == 1 and not texts:
            return  # another kind of table
        if name.strip() and texts:
            audio = Path(name.strip()).name
            text = next((text for text in reversed(texts) if text.strip()), "")
            yield Piece(f"{folder}{with_suffix(audio, '.wav')}", text, home=".")
        else:
            yield BadRow(number, "must hold `id|text` or `id|text|normalised text`")


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

    Source: Common Voice, Ardila et al. 2020, https://commonvoice.mozilla.org/datasets.
    """
    if table.name != "validated.tsv" and (table.parent / "validated.tsv").is_file():
        return
    lines = lines_of(table)
    header = next(lines, (0, ""))[1].split("\t")
    if not {"client_id", "path", "sentence"} <= set(header):
        return
    for number, line in lines:
        values = dict(zip_longest(header, line.split("\t")[: len(header)], fillvalue=""))
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


COMMONVOICE = Layout(
    "commonvoice",
    ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv"),
    read_commonvoice,
    complete=True,
    speakers="speaker from `client_id`, language from `locale`; `validated.tsv`, else the others; audio in `clips/`",
    rank=30,
)
LIBRISPEECH = Layout(
    "librispeech",
    ("*.trans.txt",),
    read_librispeech,
    speakers="the speaker from the file's name; the set is the group",
    rank=60,
)
LJSPEECH = Layout(
    "ljspeech",
    ("metadata.csv",),
    read_ljspeech,
    speakers="the folder's; `metadata.csv` has bars and no commas between its columns, and `wavs/` beside it",
    rank=70,
)
