"""The file formats of a shard: JSON lines, and arrays of codes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from stages.errors import ArtefactError
from stages.records import Encoded, Record, Utterance, to_line

T = TypeVar("T")
R = TypeVar("R", bound=Record)


class Format(Protocol[T]):
    """Writes a stage's outputs to disk and reads them back."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Suffixes of the files, without the leading dot."""

    def write(self, paths: Mapping[str, Path], outputs: Sequence[T]) -> None:
        """Writes the outputs, in order, to one path per part. The same outputs give the same bytes."""

    def read(self, paths: Mapping[str, Path]) -> list[T]:
        """Reads the outputs back, in the same order."""


class Rows(Generic[R]):
    """One JSON line per record."""

    parts = ("rows.jsonl",)

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind

    def write(self, paths: Mapping[str, Path], outputs: Sequence[R]) -> None:
        """Writes one line per record."""
        write_lines(paths["rows.jsonl"], (record.to_json() for record in outputs))

    def read(self, paths: Mapping[str, Path]) -> list[R]:
        """Reads the records."""
        return [self.kind.from_json(row) for row in read_lines(paths["rows.jsonl"])]


class CodeRows:
    """Utterances as JSON lines and their codes as one flat array, `[sum of T, K]`, in the same order."""

    parts = ("rows.jsonl", "codes.npy")

    def write(self, paths: Mapping[str, Path], outputs: Sequence[Encoded]) -> None:
        """Writes the rows and the codes."""
        write_lines(paths["rows.jsonl"], (item.utterance.to_json() for item in outputs))
        codes = [item.codes_KT.T for item in outputs]
        flat = np.concatenate(codes) if codes else np.zeros((0, 0), np.uint16)
        with paths["codes.npy"].open("wb") as file:
            np.save(file, np.ascontiguousarray(flat), allow_pickle=False)

    def read(self, paths: Mapping[str, Path]) -> list[Encoded]:
        """Reads the utterances with their codes, which are views of the memory-mapped file."""
        rows = [Utterance.from_json(row) for row in read_lines(paths["rows.jsonl"])]
        if not rows:
            return []
        flat = np.load(paths["codes.npy"], mmap_mode="r", allow_pickle=False)
        ends = np.cumsum([row.frames for row in rows])
        return [Encoded(row, flat[end - row.frames : end].T) for row, end in zip(rows, ends, strict=True)]


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one JSON line per row."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(to_line(row) + "\n" for row in rows)


def rows_of(folder: Path, shards: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yields the rows of a stage's shards as they lie in its folder; raises as `read_lines`."""
    return (row for shard in shards for row in read_lines(folder / f"{shard}.rows.jsonl"))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a JSON-lines file.

    Raises:
        ArtefactError: if the file is missing or a line is torn.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"`{path}` can't be read: {error}. Run the command again: it rebuilds the shard."
        ) from error
