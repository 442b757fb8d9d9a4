"""Proofs for the keys of `similar`: the neighbours found for given vectors."""

import json
import logging
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from stages.artefacts.manifest import CODEC, EMBEDDINGS, METADATA, part_paths
from stages.codecs.table import codec_identity
from stages.neighbours.features import FEATURES, codes_vector
from stages.records import to_line
from stages.similar import Feature
from stages.store.reader import open_store
from tests.keys.world import Proof, World, encoded
from tests.stages.store.test_reader import item
from tests.stages.store.test_reader import write as write_store

_ROWS = 12
_SHARD = "00000-of-00064"


def _features(rows: int = _ROWS) -> list[Feature]:
    """Returns random vectors of two utterances per recording and two recordings per speaker."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows, 24)).astype(np.float32)
    return [Feature(f"u{n:03d}", f"r{n // 2}", f"s{n // 4}", vectors[n]) for n in range(rows)]


def _found(world: World, rows: int = _ROWS, **values: Any) -> tuple[list[list[int]], list[list[float]]]:
    """Returns each row's neighbours and their cosines, as training reads them from the store."""
    features = _features(rows)
    write_store(world.folder / "hdf5", [[item(one.id, 5) for one in features]])
    for name in ("metadata", "similar"):
        (world.folder / name).mkdir(exist_ok=True)
    pd.DataFrame({"id": [one.id for one in features]}).to_parquet(world.folder / "metadata" / METADATA)
    stage = world.stage("similar", **values)
    stage.format.write(part_paths(world.folder / "similar", _SHARD, stage.format.parts), features)
    stage.finish(world.folder / "similar", [_SHARD])
    store = open_store(world.folder)
    with np.load(world.folder / "similar" / "neighbours.npz") as saved:
        scores = [[float(score) for score in row if not np.isnan(score)] for row in saved["scores"]]
    return [list(store.similar(row)) for row in range(rows)], scores


def _cosines() -> Any:
    vectors = FEATURES["mfcc"].prepare(np.stack([one.vector_D for one in _features()]))
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def _top_k(world: World) -> None:
    for top_k in (1, 5):
        near, _ = _found(world, top_k=top_k, scope="dataset")
        assert {len(found) for found in near} == {top_k}


def _scope(world: World) -> None:
    near, _ = _found(world, scope="speaker", top_k=9)
    assert all({other // 4 for other in found} == {row // 4} for row, found in enumerate(near))
    near, _ = _found(world, scope="dataset", top_k=9)
    assert all(len(found) == 9 for found in near)


def _same_recording(world: World) -> None:
    near, _ = _found(world, same_recording=True)
    assert all(set(found) == set(range(row // 4 * 4, row // 4 * 4 + 4)) - {row} for row, found in enumerate(near))
    near, _ = _found(world, same_recording=False)
    assert all({other // 2 for other in found} == {row // 2 ^ 1} for row, found in enumerate(near))


def _augment(world: World) -> None:
    """Without augmentation, the cosines are those of the vectors."""
    near, scores = _found(world, augment=0)
    cosines = _cosines()
    for row, (found, told) in enumerate(zip(near, scores, strict=True)):
        np.testing.assert_allclose(told, cosines[row, found], atol=1e-5)
    _, moved = _found(world, augment=1)
    assert any(one != other for one, other in zip(scores, moved, strict=True))


def _approximate_above(world: World) -> None:
    """faiss really searches; its recall is measured and logged."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("stages.neighbours")
    logger.addHandler(handler)
    try:
        for above, searches in ((200, 0), (100, 1)):
            told.clear()
            _found(world, 120, approximate_above=above, scope="dataset", augment=0)
            assert len(told) == searches
    finally:
        logger.removeHandler(handler)
    assert "approximate search" in told[0]
    assert "recall" in told[0]


def _feature(world: World) -> None:
    (world.folder / "encode").mkdir()
    (world.folder / "encode" / CODEC).write_text(to_line(codec_identity("embedded").to_json()))
    tables_KVD = np.random.default_rng(0).normal(size=(8, 1024, 4)).astype(np.float32)
    np.save(world.folder / "encode" / EMBEDDINGS, tables_KVD)
    codes_KT = np.random.default_rng(1).integers(0, 1024, (8, 75)).astype(np.uint16)
    [made] = world.outcomes("similar", encoded(codes=codes_KT), feature="codec")
    assert isinstance(made, Feature)
    np.testing.assert_array_equal(made.vector_D, codes_vector(codes_KT, tables_KVD))


def _model(world: World) -> None:
    codec = codec_identity("embedded")
    (world.folder / "encode").mkdir()
    (world.folder / "encode" / CODEC).write_text(to_line(codec.to_json()))
    codes_KT = np.random.default_rng(1).integers(0, 1024, (8, 75)).astype(np.uint16)
    about = {"valle": json.dumps({"meta": {"codec": codec.to_json()}})}
    for seed in (0, 1):
        table_RD = np.random.default_rng(seed).normal(size=(8 * 1024 + 1, 4)).astype(np.float32)
        path = world.folder / f"{seed}.safetensors"
        save_file({"code_embedding.weight": table_RD}, path, about)
        [made] = world.outcomes("similar", encoded(codes=codes_KT), feature="model", model=str(path))
        np.testing.assert_array_equal(made.vector_D, codes_vector(codes_KT, table_RD[:-1].reshape(8, 1024, 4)))


SIMILAR: dict[str, Proof] = {
    "top_k": _top_k,
    "feature": _feature,
    "model": _model,
    "scope": _scope,
    "same_recording": _same_recording,
    "augment": _augment,
    "approximate_above": _approximate_above,
}
