"""What an export is: a row of the table of formats."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.exchange.source import Source


def count_utterances(source: Source) -> int:
    """Returns the number of utterances in the store and the metadata."""
    return len(source.splits)


@dataclass(frozen=True, slots=True)
class Export:
    """A format to write a dataset in."""

    name: str
    summary: str
    """What it is for, in half a line."""
    write: Callable[[Source, Path, Path], None]
    """Writes a dataset into an empty folder, which will be renamed to the path given last."""
    count: Callable[[Source], int] = count_utterances
    """Returns how many rows will be written; raises `MissingInputError` where what they are made of isn't there."""
    reads: tuple[str, ...] = ("hdf5", "metadata")
    """The stages whose outputs are written."""
