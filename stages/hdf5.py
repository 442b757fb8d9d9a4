"""The stage `hdf5`: writes the store that the trainer reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.artefacts.disk import atomic
from stages.artefacts.manifest import COMPLETE, LEXICON, list_shards, read_codec, read_sealed
from stages.base import Filtered, Reject, Stage, single
from stages.config import StageConfig
from stages.errors import MissingInputError
from stages.records import Encoded
from stages.store.index import index_shards
from stages.store.reader import open_store
from stages.store.shards import StoreShards


class Hdf5Config(StageConfig):
    """How the store is written."""

    npy: bool = False
    """Whether to also write each utterance's codes to `hdf5/npy/<id>.npy`, `[K, T]`."""


class Hdf5(Stage[Hdf5Config, Encoded, Encoded]):
    """Writes one HDF5 file per shard, then the index over all of them."""

    name = "hdf5"
    needs = "encode"
    version = 1
    format = StoreShards()
    joins = ("encode",)

    def parameters(self) -> Any:
        """Returns []: no parameter affects a shard. The `.npy` files are written by `finish`."""
        return []

    def process(self, items: Sequence[Encoded]) -> list[list[Encoded | Filtered | Reject]]:
        """Passes the utterances on; rejects those with other codes than their row says (`BadCodes`)."""
        return single([self._checked(item) for item in items])

    def _checked(self, item: Encoded) -> Encoded | Reject:
        frames = item.codes_KT.shape[1]
        if frames == item.utterance.frames and frames:
            return item
        detail = f"the codes must have the frames that the row says ({item.utterance.frames}, not 0), but have {frames}"
        return Reject(item.id, "BadCodes", detail, "run `valle-prep encode` again")

    def finish_parameters(self) -> Any:
        """Returns what the index tells of earlier stages: the loudness of the cuts, and `g2p`'s lexicon if it has one.

        Raises:
            MissingInputError: if `slice` isn't finished.
        """
        lexicon = self._lexicon()
        return [self._loudness_lufs(), lexicon] if lexicon else self._loudness_lufs()

    def _loudness_lufs(self) -> float | None:
        """Returns the loudness in LUFS that `slice` brought the cuts to; None if it left them as recorded.

        Reads it from the record of `slice`, not from the configuration, which may have changed since.
        """
        dataset = self.context.dataset
        if not list_shards(dataset / "slice"):  # imported codes have no cuts
            return None
        complete = read_sealed(dataset / "slice" / COMPLETE)
        if not complete:
            raise MissingInputError(
                f"`{dataset / 'slice'}` must be finished, because the store records how loud the cuts are, but isn't."
                f" Run `valle-prep slice --out {dataset}` first, or `valle-prep run`."
            )
        loudness: float | None = complete["parameters"].get("loudness_lufs")
        return loudness

    def _lexicon(self) -> list[str]:
        """Returns the lines of `g2p`'s lexicon."""
        path = self.context.dataset / "g2p" / LEXICON
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the index, and the `.npy` files if `npy` is set."""
        codec, loudness_lufs = read_codec(self.context.dataset), self._loudness_lufs()
        index = index_shards(folder, shards, codec, loudness_lufs, lexicon=self._lexicon())
        return [index, *(_write_npy(folder) if self.config.npy else [])]


def _write_npy(folder: Path) -> list[str]:
    """Writes one `.npy` file per utterance; removes the files of utterances that are gone."""
    store = open_store(folder)
    names = [f"npy/{uid}.npy" for uid in store.ids]
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.ascontiguousarray(store.codes(index)), allow_pickle=False)
    for path in set((folder / "npy").rglob("*.npy")) - {folder / name for name in names}:
        path.unlink()
    return names


STAGE = Hdf5
