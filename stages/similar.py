"""The stage `similar`: finds the nearest neighbours of each utterance.

The features are the rows of `stages.neighbours.features.FEATURES`; `stages.neighbours.nearest` searches.
"""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from stages.artefacts.disk import atomic
from stages.artefacts.formats import read_lines, write_lines
from stages.artefacts.manifest import METADATA, part_paths
from stages.artefacts.parquet import append_columns
from stages.audio import files as audio
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import StageConfig, runtime
from stages.errors import ValleError
from stages.ids import speaker_key
from stages.listeners.resemblyzer import SAMPLE_RATE
from stages.machine import on_gpu
from stages.neighbours.approximate import NO_FAISS
from stages.neighbours.features import FEATURES, FeatureInputs, Floats, Kind
from stages.neighbours.nearest import nearest
from stages.records import Encoded, Record
from stages.store.reader import NEIGHBOURS, Store, open_store, rows_digest

TABLE = "similar.parquet"


class SimilarConfig(StageConfig):
    """Which utterances are compared, and by what."""

    top_k: int = Field(default=4, ge=1)
    """Neighbours per utterance; fewer where the scope holds fewer."""
    feature: str = "mfcc"
    """What utterances are compared by, a row of `FEATURES`. `mfcc`: MFCCs of the audio; `codec`: the summed codec
    embeddings of the codes; `model`: the code embeddings of a trained model; `speaker`: the speaker vector of
    Resemblyzer."""
    model: str | None = runtime(None)
    """For `feature=model`: the file that `valle export RUN model.safetensors` wrote. Its embeddings, not its path,
    enter the fingerprint."""
    scope: Literal["speaker", "dataset"] = "speaker"
    """Where neighbours may come from: utterances of the same speaker, or the whole dataset."""
    same_recording: bool = False
    """Whether two cuts of one recording may be neighbours."""
    augment: int = Field(default=2, ge=0)
    """Nearest vectors added to each vector before the search (database-side augmentation); 0: none. Finds more of
    the same voice, at the cost of a second search."""
    approximate_above: int | None = Field(default=None, ge=100)
    """Scopes with more utterances than this are searched approximately with faiss; the recall is measured and shown.
    Not set: always exact."""

    @field_validator("feature")
    @classmethod
    def _is_known(cls, feature: str) -> str:
        if feature not in FEATURES:
            raise ValueError(f"must be one of {', '.join(FEATURES)}, but is {feature!r}")
        return feature


@dataclass(frozen=True, slots=True)
class Feature(Record):
    """An utterance's vector, `[D]` float32."""

    id: str
    recording: str
    speaker: str
    vector_D: Floats

    @classmethod
    def from_parts(cls, row: dict[str, Any], vector_D: Floats) -> Self:
        """Builds the feature from its row and its vector."""
        return cls(**row, vector_D=vector_D)


class FeatureRows:
    """Features as JSON lines beside one array, `[N, D]` float32, in the same order."""

    parts = ("rows.jsonl", "features.npy")

    def write(self, paths: Mapping[str, Path], outputs: Sequence[Feature]) -> None:
        """Writes the rows and the vectors."""
        write_lines(
            paths["rows.jsonl"], ({"id": f.id, "recording": f.recording, "speaker": f.speaker} for f in outputs)
        )
        vectors = np.stack([f.vector_D for f in outputs]) if outputs else np.zeros((0, 0), np.float32)
        with paths["features.npy"].open("wb") as file:
            np.save(file, vectors, allow_pickle=False)

    def read(self, paths: Mapping[str, Path]) -> list[Feature]:
        """Returns the features."""
        vectors = np.load(paths["features.npy"], allow_pickle=False)
        rows = list(read_lines(paths["rows.jsonl"]))
        return [Feature.from_parts(row, vector) for row, vector in zip(rows, vectors, strict=True)]


class Similar(Stage[SimilarConfig, Encoded, Feature]):
    """Computes a vector per utterance, then the nearest neighbours of each."""

    name = "similar"
    needs = "encode"
    version = 3
    format = FeatureRows()
    joins = ("hdf5", "metadata")

    @property
    def _kind(self) -> Kind:
        return FEATURES[self.config.feature]

    @property
    def imports(self) -> tuple[str, ...]:
        """What makes the vectors."""
        return self._kind.imports

    @property
    def _source(self) -> FeatureInputs:
        model = self.config.model
        return FeatureInputs(self.context.dataset, Path(model).expanduser() if model else None, self.context.device)

    @property
    def on_gpu(self) -> bool:
        """Whether a network computes the vectors, on a GPU."""
        return self._kind.on_device and on_gpu(self.context.device)

    def parameters(self) -> Any:
        """Returns the parameters of the vectors; those of the search don't affect them."""
        return [self.config.feature, self.revision()]

    @cached_property
    def _revision(self) -> str:
        return self._kind.revision(self._source)

    def revision(self) -> str:
        """Returns the identity of the weights that compute the vectors."""
        return self._revision

    def check(self, items: Iterable[Encoded]) -> list[str]:  # noqa: ARG002
        """Returns the problems with the weights and packages that the configuration needs."""
        problems = []
        if missing := [name for name in self._kind.packages if importlib.util.find_spec(name) is None]:
            feature, packages = self.config.feature, " and ".join(missing)
            problems.append(f"`similar.feature={feature}` needs {packages}, which can't be found. Run `make setup`.")
        else:
            try:
                self.revision()
            except ValleError as error:
                problems.append(str(error))
        if self.config.approximate_above is not None and importlib.util.find_spec("faiss") is None:
            problems.append(NO_FAISS)
        return problems

    def setup(self) -> None:
        """Loads the feature's network or tables."""
        self._vector = self._kind.load(self._source)

    def process(self, items: Sequence[Encoded]) -> list[list[Feature | Filtered | Reject]]:
        """Computes the vectors of utterances."""
        return guarded(items, self._feature, root=self.context.voices)

    def _feature(self, item: Encoded) -> list[Feature | Filtered | Reject]:
        utterance = item.utterance
        if self._kind.reads == "codes":
            vector = self._vector(item.codes_KT)
        else:
            place, cut = self.context.place(utterance.recording), (utterance.start_samples, utterance.end_samples)
            vector = self._vector(audio.read_cut(place, *cut, SAMPLE_RATE, gain_db=utterance.gain_db))
        speaker = speaker_key(utterance.group, utterance.speaker)
        return [Feature(utterance.id, utterance.recording, speaker, vector)]

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Finds the neighbours; writes them by row number for the store, and as columns joined to the metadata."""
        features = [f for shard in shards for f in self.format.read(part_paths(folder, shard, self.format.parts))]
        store = open_store(self.context.dataset)
        neighbours_NK, scores_NK = self._neighbours_by_row(features, store)
        with atomic(folder / NEIGHBOURS) as path, path.open("wb") as file:
            rows = np.array(rows_digest(store.ids))
            np.savez(file, neighbours=neighbours_NK, scores=scores_NK, rows=rows)
        ids = list(store.ids)
        columns = {
            "similar": {ids[row]: [ids[n] for n in found if n >= 0] for row, found in enumerate(neighbours_NK)},
            "similar_score": {
                ids[row]: [float(score) for score in found if not np.isnan(score)]
                for row, found in enumerate(scores_NK)
            },
        }
        with atomic(folder / TABLE) as path:
            append_columns(self.context.dataset / "metadata" / METADATA, path, columns)
        return [NEIGHBOURS, TABLE]

    def _neighbours_by_row(self, features: Sequence[Feature], store: Store) -> tuple[npt.NDArray[np.int64], Floats]:
        """Finds the neighbours of every row of the store.

        Returns:
            Their row numbers and their scores, both `[N, top_k]`; -1 and NaN where a row has fewer neighbours.
        """
        config = self.config
        neighbours_NK = np.full((len(store), config.top_k), -1, np.int64)
        scores_NK = np.full((len(store), config.top_k), np.nan, np.float32)
        if not features:
            return neighbours_NK, scores_NK
        row_of = {uid: row for row, uid in enumerate(store.ids)}
        rows_M = np.array([row_of[f.id] for f in features])
        found_MK, found_scores_MK = nearest(
            self._kind.prepare(np.stack([f.vector_D for f in features])),
            [f.id for f in features],
            top_k=config.top_k,
            scopes=[f.speaker for f in features] if config.scope == "speaker" else None,
            apart=None if config.same_recording else [f.recording for f in features],
            approximate_above=config.approximate_above,
            device=self._device_here(),
            augment=config.augment,
        )
        neighbours_NK[rows_M] = np.where(found_MK >= 0, rows_M[found_MK], -1)
        scores_NK[rows_M] = found_scores_MK
        return neighbours_NK, scores_NK

    def _device_here(self) -> str:
        """Returns the device to search on: `cpu` if this machine has no GPU, as the workers' GPUs may be elsewhere."""
        if not on_gpu(self.context.device):
            return "cpu"
        import torch

        return self.context.device if torch.cuda.is_available() else "cpu"


STAGE = Similar
