"""The dataset as HDF5, and the reader that memory-maps it: the only importer of h5py.

A shard of the store is one sealed file, written once by one writer, contiguous and uncompressed:

    codes            [sum of T, K], smallest unsigned type that holds the codebook
    offsets          [N + 1] int64: row n's codes are codes[offsets[n]:offsets[n + 1]]
    <column>/bytes   UTF-8 of all the rows, for id, recording, group, speaker, language, text and phonemes
    <column>/offsets [N + 1] int64
    start_samples, end_samples, sample_rate   [N] int64

`index.h5` repeats the small columns over all shards and says where in each file the codes lie, so that opening a
dataset of any size reads one file. It holds nothing that the shards don't: `valle-prep hdf5` rebuilds it.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from stages.disk import atomic
from stages.errors import ArtefactError, MissingInputError
from stages.manifest import digest_of, read_receipt
from stages.records import MIXTURES, CodecIdentity, Codes, Encoded, Mixture, Utterance, mixture_id, speaker_key

if TYPE_CHECKING:
    import h5py

TEXT_COLUMNS = ("id", "recording", "group", "speaker", "language", "text", "phonemes")
NUMBER_COLUMNS = ("start_samples", "end_samples", "sample_rate")
_GAIN = "gain_db"
"""A column that is there only where some cut is made louder or softer."""
_LOUDNESS = "loudness_lufs"
_INDEXED = ("id", "group", "speaker", "language")
INDEX = "index.h5"
NEIGHBOURS = "neighbours.npz"
LAYOUT = 1

Int64s = npt.NDArray[np.int64]


class StoreShards:
    """How the stage `hdf5` lays its outputs out: one HDF5 file a shard."""

    parts = ("h5",)

    def write(self, paths: Mapping[str, Path], outputs: Sequence[Encoded]) -> None:
        """Writes one shard; the same rows give the same bytes."""
        with _create(paths["h5"]) as file:
            codes = [item.codes_KT.T for item in outputs]
            flat = np.concatenate(codes) if codes else np.zeros((0, 1), np.uint16)
            _put(file, "codes", flat)
            _put(file, "offsets", _offsets([len(code) for code in codes]))
            for column in TEXT_COLUMNS:
                _put_texts(file, column, [getattr(item.utterance, column) for item in outputs])
            for column in NUMBER_COLUMNS:
                _put(file, column, np.array([getattr(item.utterance, column) for item in outputs], np.int64))
            gains_db = np.array([item.utterance.gain_db for item in outputs])
            if gains_db.any():
                _put(file, _GAIN, gains_db)

    def read(self, paths: Mapping[str, Path]) -> list[Encoded]:
        """Returns the rows of a shard with their codes."""
        with _open(paths["h5"]) as file:
            codes, offsets = file["codes"][:], file["offsets"][:]
            texts = {column: list(Texts.read(file, column)) for column in TEXT_COLUMNS}
            numbers = {column: file[column][:].tolist() for column in NUMBER_COLUMNS}
            gains_db = _gains_db(file, len(offsets) - 1).tolist()
        columns = {**texts, **numbers, "frames": np.diff(offsets).tolist(), _GAIN: gains_db}
        rows = [Utterance(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]
        return [Encoded(row, codes[offsets[n] : offsets[n + 1]].T) for n, row in enumerate(rows)]


def _gains_db(file: "h5py.File", rows: int) -> npt.NDArray[np.float64]:
    return np.asarray(file[_GAIN][:] if _GAIN in file else np.zeros(rows), np.float64)


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


_Columns = dict[str, Texts | Int64s | npt.NDArray[np.float64]]


class Store:
    """A dataset, opened: rows by number, codes as views of the memory-mapped files.

    Use `open_store`. Rows count from 0; one that isn't there raises `IndexError`, and negative numbers name none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _open(folder / INDEX) as file:
            self._check_layout(file)
            self.codec = CodecIdentity.from_json(json.loads(file.attrs["codec"]))
            """What made the codes."""
            self.fingerprint = str(file.attrs["fingerprint"])
            """Digest of the dataset's content."""
            self.symbols: list[str] = json.loads(file.attrs["symbols"])
            """Every symbol of the phonemes, sorted."""
            self.loudness_lufs: float | None = json.loads(file.attrs.get(_LOUDNESS, "null"))
            """What the utterances were brought to; None where they are as they were recorded."""
            self.ids: Sequence[str] = Texts.read(file, "id")
            self._groups, self._speakers, self._languages = (Texts.read(file, name) for name in _INDEXED[1:])
            self.frames: Int64s = file["frames"][:]
            """T of each row."""
            self._shards: list[str] = json.loads(file.attrs["shards"])
            self._shard_of: Int64s = file["shard"][:]
            self._first_row: Int64s = file["first_row"][:]
            self._codes_at: Int64s = file["codes_at"][:]
            self._shape: Int64s = file["codes_shape"][:]
            self._dtype = np.dtype(str(file.attrs["dtype"]))
        starts = np.cumsum(self.frames) - self.frames
        self._start: Int64s = starts - starts[self._first_row[self._shard_of]] if len(starts) else starts
        self._maps: dict[int, npt.NDArray[np.unsignedinteger[Any]]] = {}
        self._rows: dict[int, _Columns] = {}

    def _check_layout(self, file: "h5py.File") -> None:
        if (found := file.attrs.get("layout")) != LAYOUT:
            raise ArtefactError(
                f"`{self._folder / INDEX}` must have layout {LAYOUT}, but has {found}. Run `valle-prep hdf5` again."
            )

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.frames)

    @cached_property
    def speakers(self) -> list[str]:
        """Each row's `group/speaker`; the bare speaker where there is no group."""
        return list(map(speaker_key, self._groups, self._speakers))

    @cached_property
    def languages(self) -> list[str]:
        """Each row's language code."""
        return list(self._languages)

    def _find(self, index: int) -> tuple[int, int]:
        """Returns the shard that a row lies in, and its number there; NumPy would count negative ones from the end."""
        if not 0 <= index < len(self.frames):
            raise IndexError(f"the row must be from 0 and under {len(self)} in `{self._folder}`, but is {index}.")
        shard = int(self._shard_of[index])
        return shard, index - int(self._first_row[shard])

    def codes(self, index: int) -> Codes:
        """Returns a row's codes, `[K, T]` unsigned: a read-only view of the memory-mapped file."""
        shard, _ = self._find(index)
        if (flat := self._maps.get(shard)) is None:
            flat = self._map(shard)
        start = int(self._start[index])
        return flat[start : start + int(self.frames[index])].T

    def _map(self, shard: int) -> npt.NDArray[np.unsignedinteger[Any]]:
        path = self._folder / self._shards[shard]
        try:
            flat = np.memmap(path, self._dtype, "r", int(self._codes_at[shard]), tuple(self._shape[shard].tolist()))
        except (OSError, ValueError) as error:
            raise ArtefactError(f"`{path}` can't be read: {error}. Run `valle-prep hdf5` again.") from error
        # A plain view: slicing a memmap object costs ten times as much.
        self._maps[shard] = view = flat.view(np.ndarray)
        return view

    def _columns(self, shard: int) -> "_Columns":
        if shard not in self._rows:
            with _open(self._folder / self._shards[shard]) as file:
                columns: _Columns = {name: Texts.read(file, name) for name in TEXT_COLUMNS}
                columns |= {name: file[name][:] for name in NUMBER_COLUMNS}
                columns[_GAIN] = _gains_db(file, len(columns["id"]))
            self._rows[shard] = columns
        return self._rows[shard]

    def row(self, index: int) -> Utterance:
        """Returns all of a row but its codes."""
        shard, within = self._find(index)
        columns = self._columns(shard)
        values: dict[str, Any] = {name: columns[name][within] for name in TEXT_COLUMNS}
        values |= {name: int(columns[name][within]) for name in NUMBER_COLUMNS}
        return Utterance(**values, frames=int(self.frames[index]), gain_db=float(columns[_GAIN][within]))

    def phonemes(self, index: int) -> str:
        """Returns a row's phonemes."""
        shard, within = self._find(index)
        return str(self._columns(shard)["phonemes"][within])

    @cached_property
    def _neighbours(self) -> npt.NDArray[np.int64] | None:
        path = self._folder.parent / "similar" / NEIGHBOURS
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            if str(file["rows"]) != rows_digest(self.ids):
                raise ArtefactError(f"`{path}` was made from other rows. Run `valle-prep similar` again.")
            return np.asarray(file["neighbours"], np.int64)

    def similar(self, index: int) -> tuple[int, ...]:
        """Returns the row numbers of a row's neighbours, nearest first; () where `similar` hasn't run.

        Raises:
            ArtefactError: if the neighbours were computed for other rows.
        """
        self._find(index)
        if self._neighbours is None:
            return ()
        return tuple(int(n) for n in self._neighbours[index] if n >= 0)

    @cached_property
    def _mixtures(self) -> "Store | None":
        folder = self._folder.parent / "mix"
        if not (folder / INDEX).is_file():
            return None
        mixtures = Store(folder)
        self.codec.require(mixtures.codec, str(folder))
        return mixtures

    @property
    def mixtures_fingerprint(self) -> str:
        """Digest of what `valle-prep mix` made; "" where it hasn't run."""
        return self._mixtures.fingerprint if self._mixtures else ""

    @cached_property
    def _mixture_rows(self) -> dict[Mixture, npt.NDArray[np.int64]]:
        """For each kind, which row of the mixtures was made of which row here; -1 where none was."""
        mixtures = self._mixtures
        if mixtures is None:
            return {kind: np.full(len(self), -1) for kind in MIXTURES}
        numbers = {uid: number for number, uid in enumerate(mixtures.ids)}
        found = {}
        for kind in MIXTURES:
            rows = np.array([numbers.get(mixture_id(uid, kind), -1) for uid in self.ids], np.int64)
            if (mixtures.frames[rows[rows >= 0]] != self.frames[rows >= 0]).any():
                raise ArtefactError(
                    f"`{mixtures._folder}` must be made from the utterances of `{self._folder}`, but some of these have"
                    " another length now. Run `valle-prep mix` again."
                )
            found[kind] = rows
        return found

    def has_mixture(self, kind: Mixture) -> npt.NDArray[np.bool_]:
        """Returns for which rows `valle-prep mix` has made one, `[N]`; for none where it hasn't run.

        Raises:
            ArtefactError: if the mixtures were made from other utterances.
            CodecError: if their codes are of another codec.
        """
        has: npt.NDArray[np.bool_] = self._mixture_rows[kind] >= 0
        return has

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Returns the codes of what was made of a row, `[K, T]`; as long as the row.

        Raises:
            KeyError: if there is none.
        """
        self._find(index)
        row = int(self._mixture_rows[kind][index])
        if self._mixtures is None or row < 0:
            raise KeyError(mixture_id(self.ids[index], kind))
        return self._mixtures.codes(row)


def open_store(path: Path | str) -> Store:
    """Opens a dataset for reading.

    Args:
        path: The dataset's folder (what `--out` named), or its `hdf5` folder.

    Raises:
        MissingInputError: if there is no store; says which command makes it.
        ArtefactError: if the index is damaged or of another layout.
    """
    path = Path(path)
    for folder in (path / "hdf5", path):
        if (folder / INDEX).is_file():
            return Store(folder)
    raise MissingInputError(
        f"`{path}` must hold a store, but has no `hdf5/{INDEX}`. Run `valle-prep hdf5 --out {path}`."
    )


def rows_digest(ids: Sequence[str]) -> str:
    """Returns a hash of the rows' ids in order: what an array by row number belongs to."""
    return digest_of(list(ids))


def index_shards(folder: Path, shards: Sequence[str], codec: CodecIdentity, loudness_lufs: float | None = None) -> str:
    """Writes `index.h5` over a stage's sealed shards, given by name; returns its name."""
    receipts = [read_receipt(folder, shard) for shard in shards]
    fingerprint = digest_of([codec.to_json(), [receipt.digest for receipt in receipts if receipt]])
    write_index(folder, [f"{shard}.h5" for shard in shards], codec, fingerprint, loudness_lufs)
    return INDEX


def write_index(
    folder: Path, shards: Sequence[str], codec: CodecIdentity, fingerprint: str, loudness_lufs: float | None = None
) -> None:
    """Writes `index.h5` over sealed shards.

    Args:
        folder: Where the shards lie.
        shards: Their file names, in order.
        codec: What made the codes.
        fingerprint: Digest of the dataset's content.
        loudness_lufs: What the utterances were brought to; None where they are as they were recorded.
    """
    columns: dict[str, list[str]] = {name: [] for name in _INDEXED}
    numbers: dict[str, list[int]] = {name: [] for name in ("frames", "shard", "first_row", "codes_at")}
    shapes: list[tuple[int, int]] = []
    symbols: set[str] = set()
    dtype = np.dtype(np.uint16)
    for number, name in enumerate(shards):
        with _open(folder / name) as file:
            codes, rows = file["codes"], len(file["offsets"]) - 1
            numbers["first_row"].append(len(numbers["shard"]))
            numbers["shard"] += [number] * rows
            numbers["frames"] += np.diff(file["offsets"][:]).tolist()
            numbers["codes_at"].append(codes.id.get_offset() if codes.size else 0)
            shapes.append(codes.shape)
            dtype = codes.dtype if codes.size else dtype
            for column, texts in columns.items():
                texts.extend(Texts.read(file, column))
            symbols.update("".join(Texts.read(file, "phonemes")))
    with atomic(folder / INDEX) as path, _create(path) as file:
        attributes = {"layout": LAYOUT, "fingerprint": fingerprint, "dtype": dtype.str}
        told = {"codec": codec.to_json(), "symbols": sorted(symbols), "shards": list(shards), _LOUDNESS: loudness_lufs}
        file.attrs.update(attributes | {key: json.dumps(value, ensure_ascii=False) for key, value in told.items()})
        for column, values in columns.items():
            _put_texts(file, column, values)
        for column, integers in numbers.items():
            _put(file, column, np.array(integers, np.int64))
        _put(file, "codes_shape", np.array(shapes, np.int64).reshape(-1, 2))


@contextmanager
def _create(path: Path) -> Iterator["h5py.File"]:
    import h5py

    try:
        with h5py.File(path, "w", libver=("v110", "v110")) as file:
            yield file
    except RuntimeError as error:  # what HDF5 makes of a disk that is full when it closes a file
        number = re.search(r"errno = (\d+)", str(error))
        if not number:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _open(path: Path) -> "h5py.File":
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"`{path}` can't be read as HDF5: {error}. Run `valle-prep hdf5` again.") from error


def _put(file: "h5py.File", name: str, data: npt.NDArray[Any]) -> None:
    file.create_dataset(name, data=data, track_times=False)


def _put_texts(file: "h5py.File", column: str, values: Sequence[str]) -> None:
    blocks = [value.encode() for value in values]
    _put(file, f"{column}/bytes", np.frombuffer(b"".join(blocks), np.uint8))
    _put(file, f"{column}/offsets", _offsets([len(block) for block in blocks]))


def _offsets(lengths: Sequence[int]) -> Int64s:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
