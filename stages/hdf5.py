"""The stage `hdf5`: utterances and codes into the store that the trainer reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.base import Filtered, Reject, Stage, single
from stages.config import StageConfig
from stages.disk import atomic
from stages.manifest import COMPLETE, read_codec, read_sealed
from stages.records import Encoded
from stages.store import StoreShards, index_shards, open_store


class Hdf5Config(StageConfig):
    """How the store is written."""

    npy: bool = False
    """Whether to write every utterance's codes as `hdf5/npy/<id>.npy` too, `[K, T]`."""


class Hdf5(Stage[Hdf5Config, Encoded, Encoded]):
    """Seals one HDF5 file a shard, then writes the index over them."""

    name = "hdf5"
    needs = "encode"
    version = 1
    format = StoreShards()
    joins = ("encode",)

    def parameters(self) -> Any:
        """Returns what decides a shard: nothing; the `.npy` files are made at the end."""
        return []

    def process(self, items: Sequence[Encoded]) -> list[list[Encoded | Filtered | Reject]]:
        """Passes the utterances on; one whose codes don't match its row is rejected."""
        return single([self._checked(item) for item in items])

    def _checked(self, item: Encoded) -> Encoded | Reject:
        frames = item.codes_KT.shape[1]
        if frames == item.utterance.frames and frames:
            return item
        detail = f"the row says {item.utterance.frames} frames, the codes have {frames}"
        return Reject(item.id, "BadCodes", detail, "run `valle-prep encode` again")

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the index, and the `.npy` files where they are wanted."""
        dataset = self.context.dataset
        cut = read_sealed(dataset / "slice" / COMPLETE).get("parameters", {})  # imported codes were never cut
        index = index_shards(folder, shards, read_codec(dataset), cut.get("loudness_lufs"))
        return [index, *(_write_npy(folder) if self.config.npy else [])]


def _write_npy(folder: Path) -> list[str]:
    """Writes one `.npy` an utterance and removes those of utterances that are gone."""
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
