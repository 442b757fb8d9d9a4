"""Columns of numbers and texts in an HDF5 file. No other module of `stages` imports h5py."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from stages.errors import ArtefactError

if TYPE_CHECKING:
    import h5py

Int64s = npt.NDArray[np.int64]


class Texts(Sequence[str]):
    """A column of text in one block of UTF-8 bytes. A row is decoded when it is read."""

    def __init__(self, data: npt.NDArray[np.uint8], offsets: Int64s) -> None:
        self.data = data
        self.offsets = offsets

    @classmethod
    def read(cls, file: "h5py.File", column: str) -> "Texts":
        """Reads a column of an open file into memory."""
        return cls(file[f"{column}/bytes"][:], file[f"{column}/offsets"][:])

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Returns a row's text (a negative index counts from the end), or a list of texts for a slice."""
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        n = index + len(self) if index < 0 else index
        if not 0 <= n < len(self):
            raise IndexError(f"the row must be one of the column's {len(self)}, but is {index}.")
        return bytes(self.data[self.offsets[n] : self.offsets[n + 1]]).decode()


@contextmanager
def create_h5(path: Path) -> Iterator["h5py.File"]:
    """Creates an HDF5 file of a fixed format version and yields it open.

    Raises:
        OSError: if the file can't be written, also where h5py reports a full disk as a `RuntimeError`.
    """
    import h5py

    try:
        with h5py.File(path, "w", libver=("v110", "v110")) as file:
            yield file
    except RuntimeError as error:  # h5py raises it if the disk is full when a file is closed
        number = re.search(r"errno = (\d+)", str(error))
        if not number:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def open_h5(path: Path) -> "h5py.File":
    """Opens an HDF5 file for reading.

    Raises:
        ArtefactError: if it is missing or damaged.
    """
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"`{path}` can't be read as HDF5: {error}. Run `valle-prep hdf5` again.") from error


def write_column(file: "h5py.File", name: str, data: npt.NDArray[Any]) -> None:
    """Writes an array, contiguous, uncompressed and without time stamps: the same data give the same bytes."""
    file.create_dataset(name, data=data, track_times=False)


def write_texts(file: "h5py.File", column: str, values: Sequence[str]) -> None:
    """Writes a column of text as `<column>/bytes` and `<column>/offsets`."""
    blocks = [value.encode() for value in values]
    write_column(file, f"{column}/bytes", np.frombuffer(b"".join(blocks), np.uint8))
    write_column(file, f"{column}/offsets", offsets_of([len(block) for block in blocks]))


def offsets_of(lengths: Sequence[int]) -> Int64s:
    """Returns where each row begins, and at last where the last one ends, `[N + 1]`."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
