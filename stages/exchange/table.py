"""The table of export formats.

To add a format, write one file in this folder: a function that writes it into an empty folder, and an `Export` that
describes it. Formats are written without their own libraries.
"""

from pathlib import Path

from stages.artefacts.disk import atomic
from stages.errors import UsageError
from stages.exchange.card import dataset_card
from stages.exchange.export import Export
from stages.exchange.source import Source
from stages.publish.push import CARD
from stages.tables import rows_in

EXPORTS = rows_in("stages.exchange", Export)
"""The formats by name."""


def export(kind: str, source: Source, target: Path, *, dry_run: bool = False) -> int:
    """Writes a dataset in another format.

    Args:
        kind: A row of `EXPORTS`.
        source: The dataset.
        target: A new or empty folder. It is written atomically.
        dry_run: Whether to only check the arguments and count the rows.

    Returns:
        The number of rows: utterances, or what the format counts instead.

    Raises:
        UsageError: if there is no such format, or if the target isn't empty or can't be written.
        MissingInputError: if a stage that the format reads hasn't run.
        AudioError: if a recording can't be read.
    """
    if kind not in EXPORTS:
        raise UsageError(f"`{kind}` must be one of the formats {', '.join(EXPORTS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"`{target}` must be a new or empty folder, but isn't. Name another.")
    rows = EXPORTS[kind].count(source)
    if dry_run:
        return rows
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic(target.absolute()) as temporary:
            temporary.mkdir()
            EXPORTS[kind].write(source, temporary, target.absolute())
            if EXPORTS[kind].portable:
                (temporary / CARD).write_text(dataset_card(source, kind), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{target}` can't be written: {error}. Make room, or name another folder.") from error
    return rows


def is_export(kind: str, source: Source, target: Path) -> bool:
    """Returns whether a folder is an export of this very dataset in this format, by its card."""
    try:
        return (target / CARD).read_text(encoding="utf-8") == dataset_card(source, kind)
    except (OSError, UnicodeDecodeError):
        return False
