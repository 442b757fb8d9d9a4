"""`metadata.parquet`, the audio folders' table of Hugging Face in columns."""

from pathlib import Path

from stages.artefacts.parquet import column_names, each_row
from stages.corpora.layouts.layout import Layout, Rows
from stages.corpora.layouts.tables.columns import roles_of
from stages.corpora.layouts.tables.metadata import refusal
from stages.corpora.layouts.tables.pieces import locator_of, piece_of
from stages.errors import UsageError


def read_parquet(table: Path) -> Rows:
    """Reads `metadata.parquet` with a column `file_name` and one of the text; the audio is in files of its own.

    Raises:
        UsageError: if the file can't be read, or its columns name no text.

    Source: https://huggingface.co/docs/datasets/audio_dataset.
    """
    try:
        names = column_names(table)
    except ValueError as error:
        raise UsageError(f"`{table}` can't be read: {error}. Repair it, or move it away.") from error
    roles = roles_of(names)
    if "file_name" not in roles.get("audio", ()):
        return
    if "text" not in roles:
        raise refusal(table, f"it holds {', '.join(f'`{name}`' for name in names)}")
    locator = locator_of(table, (str(row["file_name"] or "") for row in each_row(table, ["file_name"])))
    wanted = [name for names in roles.values() for name in names]
    for number, row in enumerate(each_row(table, wanted), 1):
        values = {
            role: next((str(row[name]).strip() for name in names if row[name] not in {None, ""}), "")
            for role, names in roles.items()
        }
        yield piece_of(number, values, locator)


PARQUET = Layout(
    "parquet",
    ("metadata.parquet",),
    read_parquet,
    speakers="columns `file_name` and `transcription` or the like, and perhaps `speaker_id`, `language`",
    rank=77,
)
