"""The row of an export format in the table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.exchange.source import Source


def count_utterances(source: Source) -> int:
    """Returns the number of utterances. Raises if the store or the metadata is missing."""
    return len(source.splits)


@dataclass(frozen=True, slots=True)
class Export:
    """A format that a dataset can be exported to."""

    name: str
    summary: str
    """A description in half a line, for help and docs."""
    write: Callable[[Source, Path, Path], None]
    """Writes a dataset into an empty temporary folder, given second. It is then renamed to the path given last."""
    count: Callable[[Source], int] = count_utterances
    """Returns how many rows will be written. Raises `MissingInputError` if a stage that it reads hasn't run."""
    reads: tuple[str, ...] = ("hdf5", "metadata")
    """The stages whose outputs it reads."""
    portable: bool = False
    """Whether the folder can be opened elsewhere, as it names no file by an absolute path: it gets a card, and may be
    pushed to a hub."""
