"""The stage `similar`: the utterances that sound most alike, exactly, by cosine.

A feature vector an utterance is computed from the audio (`mfcc`) or from the codes (`codec`). Every coefficient is
standardised over the corpus before the cosine: raw MFCCs are dominated by the zeroth, and all pairs score 0.99.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages import audio
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import StageConfig
from stages.errors import MissingInputError
from stages.manifest import EMBEDDINGS, METADATA, atomic, part_paths, read_lines, write_lines
from stages.records import Encoded, Record, speaker_key
from stages.store import NEIGHBOURS, Store, open_store, rows_digest
from stages.tables import append_columns

TABLE = "similar.parquet"

_DEVIATION_WEIGHT = 0.3
"""Of the deviations, beside the means at 1. Same speaker among the 3 nearest of 803 three-second pieces of LibriSpeech
by 20 MFCCs: 0.70 with 0, 0.72 with 0.3, 0.64 with 1."""
_MFCC_RATE = 16_000
_BLOCK = 1024
"""Queries compared at a time."""
_ROUNDING = 1e-5
"""Far more than a float32 product of unit vectors can be off: what lies this near the cut is compared in float64."""
_DECIMALS = 6
"""Cosines are rounded so, that equal ones are ties on every machine."""

Floats = npt.NDArray[np.float32]


class SimilarConfig(StageConfig):
    """What is compared with what."""

    top_k: int = Field(default=4, ge=1)
    """Neighbours an utterance; fewer where the scope holds fewer."""
    feature: Literal["mfcc", "codec"] = "mfcc"
    """`mfcc`: 20 MFCCs of the audio; `codec`: the summed codec embeddings of the codes."""
    scope: Literal["speaker", "dataset"] = "speaker"
    """Whose utterances may be neighbours: the same speaker's, or all."""
    same_recording: bool = False
    """Whether two cuts of one recording may be neighbours."""


@dataclass(frozen=True, slots=True)
class Feature(Record):
    """An utterance's vector."""

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
    """Computes a vector an utterance, then everybody's nearest neighbours."""

    name = "similar"
    needs = "encode"
    version = 1
    format = FeatureRows()
    joins = ("hdf5", "metadata")

    def parameters(self) -> Any:
        """Returns what decides a vector: the neighbours' number and scope don't."""
        return self.config.feature

    def setup(self) -> None:
        """Loads the codec's embeddings where the codes are compared."""
        if self.config.feature == "codec":
            self._embeddings_KVD = load_embeddings(self.context.dataset / "encode" / EMBEDDINGS)

    def process(self, items: Sequence[Encoded]) -> list[list[Feature | Filtered | Reject]]:
        """Turns utterances into features."""
        return guarded(items, self._feature, root=self.context.voices)

    def _feature(self, item: Encoded) -> list[Feature | Filtered | Reject]:
        utterance = item.utterance
        if self.config.feature == "codec":
            vector = codes_vector(item.codes_KT, self._embeddings_KVD)
        else:
            path = self.context.source(utterance.recording)
            wave, rate = audio.read(path, utterance.start_samples, utterance.end_samples)
            vector = mfcc_vector(audio.resample(audio.amplified(wave, utterance.gain_db), rate, _MFCC_RATE))
        speaker = speaker_key(utterance.group, utterance.speaker)
        return [Feature(utterance.id, utterance.recording, speaker, vector)]

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Finds the neighbours; writes them by row number for the store and joined to the metadata."""
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
        """Returns each store row's neighbours as row numbers (-1 where there are fewer) and their scores (NaN)."""
        config = self.config
        neighbours_NK = np.full((len(store), config.top_k), -1, np.int64)
        scores_NK = np.full((len(store), config.top_k), np.nan, np.float32)
        if not features:
            return neighbours_NK, scores_NK
        row_of = {uid: row for row, uid in enumerate(store.ids)}
        rows_M = np.array([row_of[f.id] for f in features])
        found_MK, found_scores_MK = nearest(
            standardise(np.stack([f.vector_D for f in features])),
            [f.id for f in features],
            top_k=config.top_k,
            scopes=[f.speaker for f in features] if config.scope == "speaker" else None,
            apart=None if config.same_recording else [f.recording for f in features],
        )
        neighbours_NK[rows_M] = np.where(found_MK >= 0, rows_M[found_MK], -1)
        scores_NK[rows_M] = found_scores_MK
        return neighbours_NK, scores_NK


def load_embeddings(path: Path) -> Floats:
    """Returns a codec's embeddings, `[K, codebook_size, D]`.

    Raises:
        MissingInputError: if they aren't there.
    """
    if not path.is_file():
        raise MissingInputError(f"`similar.feature=codec` needs `{path}`, which isn't there. Run `valle-prep encode`.")
    return np.asarray(np.load(path, allow_pickle=False), np.float32)


def codes_vector(codes_KT: npt.NDArray[Any], embeddings_KVD: Floats) -> Floats:
    """Returns the mean and the deviation over time of the codes' summed embeddings, `[2 D]`."""
    frames_TD = np.zeros((codes_KT.shape[1], embeddings_KVD.shape[2]), np.float32)
    for table_VD, codes_T in zip(embeddings_KVD, codes_KT, strict=True):
        frames_TD += table_VD[codes_T]
    return np.concatenate([np.mean(frames_TD, axis=0), np.std(frames_TD, axis=0)]).astype(np.float32)


def mfcc_vector(wave: npt.NDArray[np.float32]) -> Floats:
    """Returns the mean and the deviation over time of 20 MFCCs, `[40]`.

    Args:
        wave: `[samples]`, at 16 kHz.
    """
    import librosa

    mfcc_CT = librosa.feature.mfcc(y=wave, sr=_MFCC_RATE, n_mfcc=20, n_fft=400, hop_length=160)
    return np.concatenate([mfcc_CT.mean(axis=1), mfcc_CT.std(axis=1)]).astype(np.float32)


def standardise(vectors_ND: Floats) -> Floats:
    """Returns the vectors with mean 0 in every coefficient, and deviation 1 in the first half, the means over time.

    The second half, the deviations over time, gets `_DEVIATION_WEIGHT`; a constant coefficient becomes 0.
    """
    centred_ND = vectors_ND - vectors_ND.mean(axis=0, dtype=np.float64)
    deviation_D = centred_ND.std(axis=0)
    weight_D = np.repeat([1.0, _DEVIATION_WEIGHT], vectors_ND.shape[1] // 2)
    standard_ND: Floats = (centred_ND * weight_D / np.where(deviation_D > 0, deviation_D, 1.0)).astype(np.float32)
    return standard_ND


def nearest(
    vectors_ND: Floats,
    ids: Sequence[str],
    *,
    top_k: int,
    scopes: Sequence[str] | None = None,
    apart: Sequence[str] | None = None,
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Finds each row's nearest rows by cosine: exact, ties in the order of the ids.

    A blocked float32 product finds whatever may belong to the top; those few are compared again in float64, pair by
    pair, so that the result doesn't depend on the block, the threads or the BLAS.

    Args:
        vectors_ND: One vector a row.
        ids: One id a row, all different.
        top_k: Neighbours a row.
        scopes: A key a row: only rows of the same key are neighbours. None for all.
        apart: A key a row: rows of the same key are never neighbours. None for no such rule.

    Returns:
        Row numbers `[N, top_k]`, -1 where there are fewer, and the cosines `[N, top_k]`, NaN there.
    """
    norms_N1 = np.linalg.norm(vectors_ND.astype(np.float64), axis=1, keepdims=True)
    exact_ND = vectors_ND / np.where(norms_N1 > 0, norms_N1, 1.0)
    unit_ND = exact_ND.astype(np.float32)
    rank_N = np.empty(len(ids), np.int64)
    rank_N[np.argsort(np.array(ids, dtype=object), kind="stable")] = np.arange(len(ids))
    apart_N = np.arange(len(ids)) if apart is None else np.unique(np.array(apart), return_inverse=True)[1]
    neighbours_NK = np.full((len(ids), top_k), -1, np.int64)
    scores_NK = np.full((len(ids), top_k), np.nan, np.float32)
    for members_M in _members(scopes, len(ids)):
        for start in range(0, len(members_M), _BLOCK):
            queries_Q = members_M[start : start + _BLOCK]
            pairs = _candidates(unit_ND, queries_Q, members_M, apart_N, top_k)
            _rank(exact_ND, pairs, rank_N, neighbours_NK, scores_NK)
    return neighbours_NK, scores_NK


def _members(scopes: Sequence[str] | None, count: int) -> list[npt.NDArray[np.int64]]:
    """Returns the row numbers of each scope."""
    if scopes is None:
        return [np.arange(count)]
    _, scope_N = np.unique(np.array(scopes), return_inverse=True)
    order_N = np.argsort(scope_N, kind="stable")
    return np.split(order_N, np.cumsum(np.bincount(scope_N))[:-1])


def _candidates(
    unit_ND: Floats,
    queries_Q: npt.NDArray[np.int64],
    members_M: npt.NDArray[np.int64],
    apart_N: npt.NDArray[np.int64],
    top_k: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns the pairs (query, member) that may belong to the queries' top."""
    scores_QM = unit_ND[queries_Q] @ unit_ND[members_M].T
    scores_QM[apart_N[queries_Q][:, None] == apart_N[members_M][None, :]] = -np.inf
    if len(members_M) > top_k:
        cut_Q1 = np.partition(scores_QM, -top_k, axis=1)[:, -top_k, None] - _ROUNDING
    else:
        cut_Q1 = np.full((len(queries_Q), 1), -2.0, np.float32)
    query, member = np.nonzero((scores_QM >= cut_Q1) & np.isfinite(scores_QM))
    return queries_Q[query], members_M[member]


def _rank(
    exact_ND: npt.NDArray[np.float64],
    pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    rank_N: npt.NDArray[np.int64],
    neighbours_NK: npt.NDArray[np.int64],
    scores_NK: Floats,
) -> None:
    """Writes the best of the pairs, compared in float64, into the rows of their queries."""
    query_P, member_P = pairs
    score_P = np.round(np.einsum("pd,pd->p", exact_ND[query_P], exact_ND[member_P]), _DECIMALS)
    order_P = np.lexsort((rank_N[member_P], -score_P, query_P))
    query_P, member_P, score_P = query_P[order_P], member_P[order_P], score_P[order_P]
    first_P = np.r_[True, query_P[1:] != query_P[:-1]]
    place_P = np.arange(len(query_P)) - np.maximum.accumulate(np.where(first_P, np.arange(len(query_P)), 0))
    best_P = place_P < neighbours_NK.shape[1]
    neighbours_NK[query_P[best_P], place_P[best_P]] = member_P[best_P]
    scores_NK[query_P[best_P], place_P[best_P]] = score_P[best_P]


STAGE = Similar
