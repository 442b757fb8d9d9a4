"""Datasets in the formats of others: lhotse manifests, Hugging Face `datasets`, WebDataset, whisperX's transcripts.

To add a format: a function that writes it into an empty folder, and a row in `EXPORTS`. None of the formats' libraries
is needed to write them.
"""

from collections.abc import Callable
from pathlib import Path

from stages.artefacts.disk import atomic
from stages.errors import UsageError
from stages.exchange.lhotse import lhotse
from stages.exchange.parquet import parquet
from stages.exchange.source import Source
from stages.exchange.webdataset import webdataset
from stages.exchange.whisperx import count_segments, whisperx

Exporter = Callable[[Source, Path, Path], None]
"""Writes a dataset into an empty folder, which will be renamed to the path given last."""

EXPORTS: dict[str, Exporter] = {
    "lhotse": lhotse,
    "parquet": parquet,
    "webdataset": webdataset,
    "whisperx": whisperx,
}
"""The formats by name."""


def export(kind: str, source: Source, target: Path, *, dry_run: bool = False) -> int:
    """Writes a dataset in another format.

    Args:
        kind: A row of `EXPORTS`.
        source: The dataset.
        target: A folder that isn't there yet, or is empty; it appears when all is written.
        dry_run: Whether to look at what is given only.

    Returns:
        The number of utterances; of segments for `whisperx`.

    Raises:
        UsageError: if there is no such format, or if the target holds something or can't be written.
        MissingInputError: if the store or the metadata isn't there.
        AudioError: if a recording can't be read.
    """
    if kind not in EXPORTS:
        raise UsageError(f"`{kind}` must be one of the formats {', '.join(EXPORTS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"`{target}` must be a new or empty folder, but holds something. Name another.")
    utterances = count_segments(source.dataset) if kind == "whisperx" else len(source.splits)
    if dry_run:
        return utterances
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic(target.absolute()) as temporary:
            temporary.mkdir()
            EXPORTS[kind](source, temporary, target.absolute())
    except OSError as error:
        raise UsageError(f"`{target}` can't be written: {error}. Make room, or name another.") from error
    return utterances
