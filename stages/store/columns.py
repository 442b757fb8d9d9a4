"""Columns of numbers and texts in an HDF5 file."""

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
    """A column of text over one block of UTF-8 bytes: a row is decoded when it is asked for."""

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
        """Returns one row's text, counted from the end where the index is negative, or a list of them."""
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        n = index + len(self) if index < 0 else index
        if not 0 <= n < len(self):
            raise IndexError(f"the row must be one of the column's {len(self)}, but is {index}.")
        return bytes(self.data[self.offsets[n] : self.offsets[n + 1]]).decode()


@contextmanager
def create_h5(path: Path) -> Iterator["h5py.File"]:
    import h5py

    try:
        with h5py.File(path, "w", libver=("v110", "v110")) as file:
            yield file
    except RuntimeError as error:  # what HDF5 makes of a disk that is full when it closes a file
        number = re.search(r"errno = (\d+)", str(error))
        if not number:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def open_h5(path: Path) -> "h5py.File":
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"`{path}` can't be read as HDF5: {error}. Run `valle-prep hdf5` again.") from error


def write_column(file: "h5py.File", name: str, data: npt.NDArray[Any]) -> None:
    file.create_dataset(name, data=data, track_times=False)


def write_texts(file: "h5py.File", column: str, values: Sequence[str]) -> None:
    blocks = [value.encode() for value in values]
    write_column(file, f"{column}/bytes", np.frombuffer(b"".join(blocks), np.uint8))
    write_column(file, f"{column}/offsets", offsets_of([len(block) for block in blocks]))


def offsets_of(lengths: Sequence[int]) -> Int64s:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
