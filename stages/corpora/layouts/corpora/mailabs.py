"""M-AILABS."""

from pathlib import Path

from stages.corpora.layouts.layout import BadRow, Layout, Piece, Rows, lines_of

_UNNAMED = (
    "must name the speaker, but M-AILABS doesn't for books of several. Read it by `layout=ljspeech`, or leave it."
)


def read_mailabs(table: Path) -> Rows:
    """Reads `<language>/by_book/<gender>/<speaker>/<book>/metadata.csv`: `id|text|normalised text`, audio in `wavs/`.

    The recordings of `by_book/mix/<book>` are of several speakers whom the corpus doesn't name: they are rejected.

    Source: https://github.com/imdatceleste/m-ailabs-dataset.
    """
    mixed = table.parents[2].name == "by_book"
    corpus = table.parents[3 if mixed else 4]
    language = corpus.name.partition("_")[0]
    for number, line in lines_of(table):
        name, *texts = (cell.strip() for cell in line.split("|"))
        text = next(filter(None, reversed(texts)), "")
        if not name or not texts:
            yield BadRow(number, "must hold `id|text|normalised text`")
            continue
        yield Piece(
            f"wavs/{name}.wav",
            text,
            speaker="" if mixed else table.parents[1].name,
            group="../" * (3 if mixed else 4) + ".",
            language=language,
            problem=_UNNAMED if mixed else "",
        )


MAILABS = Layout(
    "mailabs",
    ("by_book/*/*/*/metadata.csv", "by_book/mix/*/metadata.csv"),
    read_mailabs,
    speakers="the folder above the book is the speaker, that of the language the group; `mix` is rejected",
    rank=50,
)
