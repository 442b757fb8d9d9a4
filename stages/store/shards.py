"""Writes and reads the shards of the store, one HDF5 file each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.records import Encoded, Utterance
from stages.store.columns import Texts, create_h5, offsets_of, open_h5, write_column, write_texts

if TYPE_CHECKING:
    import h5py

TEXT_COLUMNS = ("id", "recording", "group", "speaker", "language", "text", "phonemes")
NUMBER_COLUMNS = ("start_samples", "end_samples", "sample_rate")
GAIN = "gain_db"
"""A column that exists only if a cut of the shard was made louder or softer."""
SPOKEN = "spoken"
"""A column that exists only if a text of the shard isn't said as it is written; "" where it is."""


class StoreShards:
    """The file format of the stage `hdf5`: one HDF5 file per shard."""

    parts = ("h5",)

    def write(self, paths: Mapping[str, Path], outputs: Sequence[Encoded]) -> None:
        """Writes a shard. The same rows give the same bytes."""
        with create_h5(paths["h5"]) as file:
            codes = [item.codes_KT.T for item in outputs]
            flat = np.concatenate(codes) if codes else np.zeros((0, 1), np.uint16)
            write_column(file, "codes", flat)
            write_column(file, "offsets", offsets_of([len(code) for code in codes]))
            for column in TEXT_COLUMNS:
                write_texts(file, column, [getattr(item.utterance, column) for item in outputs])
            for column in NUMBER_COLUMNS:
                write_column(file, column, np.array([getattr(item.utterance, column) for item in outputs], np.int64))
            gains_db = np.array([item.utterance.gain_db for item in outputs])
            if gains_db.any():
                write_column(file, GAIN, gains_db)
            spoken = [item.utterance.spoken or "" for item in outputs]
            if any(spoken):
                write_texts(file, SPOKEN, spoken)

    def read(self, paths: Mapping[str, Path]) -> list[Encoded]:
        """Reads a shard's rows with their codes."""
        with open_h5(paths["h5"]) as file:
            codes, offsets = file["codes"][:], file["offsets"][:]
            texts = {column: list(Texts.read(file, column)) for column in TEXT_COLUMNS}
            numbers = {column: file[column][:].tolist() for column in NUMBER_COLUMNS}
            gains_db = gains_db_of(file, len(offsets) - 1).tolist()
            spoken = spoken_of(file, len(offsets) - 1)
        columns = {**texts, **numbers, "frames": np.diff(offsets).tolist(), GAIN: gains_db, SPOKEN: spoken}
        rows = [Utterance(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]
        return [Encoded(row, codes[offsets[n] : offsets[n + 1]].T) for n, row in enumerate(rows)]


def gains_db_of(file: "h5py.File", rows: int) -> npt.NDArray[np.float64]:
    """Reads the gain of each row in dB, `[rows]`; 0 if the shard has no such column."""
    return np.asarray(file[GAIN][:] if GAIN in file else np.zeros(rows), np.float64)


def spoken_of(file: "h5py.File", rows: int) -> list[str | None]:
    """Reads each row's text in words; None where it is said as it is written."""
    return [text or None for text in Texts.read(file, SPOKEN)] if SPOKEN in file else [None] * rows
