"""Reads a dataset's HDF5 store, memory-mapped.

A shard of the store is one sealed file, written once by one writer, contiguous and uncompressed:

    codes            [sum of T, K], smallest unsigned type that holds the codebook
    offsets          [N + 1] int64: the codes of row n are codes[offsets[n]:offsets[n + 1]]
    <column>/bytes   UTF-8 of all rows, for id, recording, group, speaker, language, text and phonemes
    <column>/offsets [N + 1] int64
    start_samples, end_samples, sample_rate   [N] int64
    gain_db          [N] float64, only if a cut was made louder or softer
    spoken/bytes, spoken/offsets   the texts in words, only if one isn't said as it is written; empty where it is

`index.h5` repeats the small columns of all shards, and the position of the codes in each file: opening a dataset of any
size reads one file. It holds nothing that the shards don't: `valle-prep hdf5` rebuilds it.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.artefacts.manifest import digest_of
from stages.errors import ArtefactError, MissingInputError
from stages.ids import MIXTURES, Mixture, mixture_id, speaker_key
from stages.records import CodecIdentity, Codes, Utterance
from stages.store.columns import Int64s, Texts, open_h5
from stages.store.index import INDEX, INDEXED, LAYOUT, LOUDNESS, WORDS
from stages.store.shards import GAIN, NUMBER_COLUMNS, SPOKEN, TEXT_COLUMNS, gains_db_of
from stages.text.characters import characters

if TYPE_CHECKING:
    import h5py

NEIGHBOURS = "neighbours.npz"
"""The neighbours' row numbers, beside the shards of `similar`."""

_Columns = dict[str, Texts | Int64s | npt.NDArray[np.float64]]


class Store:
    """An open dataset: rows by number, codes as views of the memory-mapped files.

    Open it with `open_store`. Rows count from 0; any other number, also a negative one, raises `IndexError`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with open_h5(folder / INDEX) as file:
            self._check_layout(file)
            self.codec = CodecIdentity.from_json(json.loads(file.attrs["codec"]))
            """The codec that made the codes."""
            self.fingerprint = str(file.attrs["fingerprint"])
            """Digest of the dataset's content."""
            self.symbols: list[str] = json.loads(file.attrs["symbols"])
            """All symbols in the phonemes, sorted."""
            self.loudness_lufs: float | None = json.loads(file.attrs.get(LOUDNESS, "null"))
            """The utterances' loudness in LUFS; None if they are as loud as recorded."""
            self.lexicon: Sequence[str] = list(Texts.read(file, WORDS)) if WORDS in file else []
            """The lines of `g2p`'s lexicon: language, word and phonemes, with tabs between them."""
            self.ids: Sequence[str] = Texts.read(file, "id")
            self._groups, self._speakers, self._languages = (Texts.read(file, name) for name in INDEXED[1:])
            self.frames: Int64s = file["frames"][:]
            """T of each row, `[N]`."""
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
        """Each row's `group/speaker`, or only the speaker if it has no group."""
        return list(map(speaker_key, self._groups, self._speakers))

    @cached_property
    def languages(self) -> list[str]:
        """Each row's language code."""
        return list(self._languages)

    def texts(self) -> Iterator[str]:
        """Yields each row's text, in order; reads every shard."""
        for shard in range(len(self._shards)):
            texts = self._columns(shard)["text"]
            assert isinstance(texts, Texts)
            yield from texts

    @cached_property
    def characters(self) -> list[str]:
        """Every character of the texts as they are read (`stages.text.characters`), sorted; reads every shard."""
        return sorted(set().union(*map(characters, self.texts())))

    def _find(self, index: int) -> tuple[int, int]:
        """Returns a row's shard and its number there. Refuses negative numbers, which NumPy counts from the end."""
        if not 0 <= index < len(self.frames):
            raise IndexError(
                f"the row must be at least 0 and less than {len(self)} in `{self._folder}`, but is {index}."
            )
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

    def _columns(self, shard: int) -> _Columns:
        if shard not in self._rows:
            with open_h5(self._folder / self._shards[shard]) as file:
                columns: _Columns = {name: Texts.read(file, name) for name in TEXT_COLUMNS}
                columns |= {name: file[name][:] for name in NUMBER_COLUMNS}
                columns[GAIN] = gains_db_of(file, len(columns["id"]))
                if SPOKEN in file:
                    columns[SPOKEN] = Texts.read(file, SPOKEN)
            self._rows[shard] = columns
        return self._rows[shard]

    def row(self, index: int) -> Utterance:
        """Returns a row without its codes."""
        shard, within = self._find(index)
        columns = self._columns(shard)
        values: dict[str, Any] = {name: columns[name][within] for name in TEXT_COLUMNS}
        values |= {name: int(columns[name][within]) for name in NUMBER_COLUMNS}
        if SPOKEN in columns:
            values[SPOKEN] = columns[SPOKEN][within] or None
        return Utterance(**values, frames=int(self.frames[index]), gain_db=float(columns[GAIN][within]))

    def text(self, index: int) -> str:
        """Returns a row's text, as it was given."""
        shard, within = self._find(index)
        return str(self._columns(shard)["text"][within])

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
        """Returns the row numbers of a row's neighbours, nearest first; () if `similar` hasn't run.

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
        """Digest of the mixtures of `valle-prep mix`; "" if it hasn't run."""
        return self._mixtures.fingerprint if self._mixtures else ""

    @cached_property
    def _mixture_rows(self) -> dict[Mixture, npt.NDArray[np.int64]]:
        """For each kind, the mixture made from each row, `[N]`: its row in the mixtures' store, or -1."""
        mixtures = self._mixtures
        if mixtures is None:
            return {kind: np.full(len(self), -1) for kind in MIXTURES}
        numbers = {uid: number for number, uid in enumerate(mixtures.ids)}
        rows_of = {}
        for kind in MIXTURES:
            rows = np.array([numbers.get(mixture_id(uid, kind), -1) for uid in self.ids], np.int64)
            if (mixtures.frames[rows[rows >= 0]] != self.frames[rows >= 0]).any():
                raise ArtefactError(
                    f"`{mixtures._folder}` must be made from the utterances of `{self._folder}`, but some of these have"
                    " another length now. Run `valle-prep mix` again."
                )
            rows_of[kind] = rows
        return rows_of

    def has_mixture(self, kind: Mixture) -> npt.NDArray[np.bool_]:
        """Returns which rows have a mixture of this kind, `[N]`; all False if `valle-prep mix` hasn't run.

        Raises:
            ArtefactError: if the mixtures were made from other utterances.
            CodecError: if their codes are another codec's.
        """
        has: npt.NDArray[np.bool_] = self._mixture_rows[kind] >= 0
        return has

    def mixture(self, kind: Mixture, index: int) -> Codes:
        """Returns the codes of the mixture made from a row, `[K, T]`, as long as the row's.

        Raises:
            KeyError: if there is no such mixture.
        """
        self._find(index)
        row = int(self._mixture_rows[kind][index])
        if self._mixtures is None or row < 0:
            raise KeyError(mixture_id(self.ids[index], kind))
        return self._mixtures.codes(row)


def open_store(path: Path | str) -> Store:
    """Opens a dataset for reading.

    Args:
        path: The dataset's folder (`--out`), or its `hdf5` folder.

    Raises:
        MissingInputError: if there is no store.
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
    """Hashes the rows' ids in order. Stored beside arrays by row number, it shows which rows they belong to."""
    return digest_of(list(ids))
