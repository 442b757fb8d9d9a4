import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artefacts.manifest import CODEC, EMBEDDINGS, METADATA, part_paths
from stages.audio import files as audio
from stages.base import Context
from stages.codecs.table import codec_identity
from stages.config import load_config
from stages.errors import ConfigError, MissingInputError
from stages.neighbours.features import FEATURES
from stages.records import Encoded, Utterance, to_line
from stages.similar import TABLE, Feature, Similar, SimilarConfig
from stages.store.reader import open_store
from tests.stages.store.test_reader import item as encoded
from tests.stages.store.test_reader import write as write_store

RATE = 16_000


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoded]:
    voices = tmp_path_factory.mktemp("voices")
    wave = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    audio.write_wav(voices / "ann" / "one.wav", wave, RATE)
    utterance = Utterance("ann/one.wav", "ann/one.wav", "", "ann", "en", 0, RATE, RATE, "One.", "wʌn", frames=75)
    return voices, Encoded(utterance, np.zeros((8, 75), np.uint16))


def stage(item: tuple[Path, Encoded], **config: Any) -> Similar:
    return Similar(SimilarConfig(**config), Context(item[0], item[0] / "dataset"))


@pytest.mark.parametrize("name", [name for name, kind in FEATURES.items() if kind.reads == "wave"])
def test_every_feature_of_the_audio_makes_a_vector(name: str, item: tuple[Path, Encoded]) -> None:
    similar = stage(item, feature=name)
    assert similar.check([]) == []
    similar.setup()
    [[made], [same]] = similar.process([item[1], replace(item[1])])
    assert made.vector_D.dtype == np.float32
    assert np.isfinite(made.vector_D).all()
    np.testing.assert_array_equal(made.vector_D, same.vector_D)
    assert similar.parameters() == [name, similar.revision()]


def test_an_unknown_feature_is_refused_with_the_known_ones() -> None:
    from pipeline.config import PrepConfig

    with pytest.raises(ConfigError, match=r"similar\.feature.*mfcc, codec, model, speaker, but is 'pitch'"):
        load_config(PrepConfig, None, ["similar.feature=pitch"])


def test_a_missing_model_is_a_problem(item: tuple[Path, Encoded], tmp_path: Path) -> None:
    [problem] = stage(item, feature="model").check([])
    assert "`similar.model`" in problem
    [problem] = stage(item, feature="model", model=str(tmp_path / "gone.safetensors")).check([])
    assert "isn't there" in problem
    (tmp_path / "other.safetensors").write_bytes(b"no")
    [problem] = stage(item, feature="model", model=str(tmp_path / "other.safetensors")).check([])
    assert "valle export" in problem


def test_a_missing_package_is_a_problem(item: tuple[Path, Encoded], monkeypatch: pytest.MonkeyPatch) -> None:
    feature, package = "speaker", "resemblyzer"
    honest = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else honest(name))
    [problem] = stage(item, feature=feature).check([])
    assert problem == f"`similar.feature={feature}` needs {package}, which can't be found. Run `make setup`."


def test_embeddings_that_are_gone_or_torn_name_the_command(tmp_path: Path) -> None:
    (tmp_path / "encode").mkdir()
    (tmp_path / "encode" / CODEC).write_text(to_line(codec_identity("embedded").to_json()))
    for content in (None, b"", b"\x93NUMPY torn"):
        if content is not None:
            (tmp_path / "encode" / EMBEDDINGS).write_bytes(content)
        with pytest.raises(MissingInputError, match=r"embeddings\.npy` can't be read: .*Run `valle-prep encode"):
            Similar(SimilarConfig(feature="codec"), Context(Path(), tmp_path)).setup()


@pytest.mark.parametrize("augment", [0, 1, 3])
@pytest.mark.parametrize("same_recording", [False, True])
@pytest.mark.parametrize("scope", ["speaker", "dataset"])
def test_the_store_names_the_nearest(scope: str, augment: int, *, same_recording: bool, tmp_path: Path) -> None:
    """40 utterances, two per recording, four recordings per speaker; compared with all cosines by scikit-learn."""
    import pandas as pd
    from sklearn.metrics.pairwise import cosine_similarity

    rng = np.random.default_rng(0)
    features = [
        Feature(f"u{n:02d}", f"r{n // 2}", f"s{n // 8}", rng.normal(size=24).astype(np.float32)) for n in range(40)
    ]
    write_store(tmp_path / "hdf5", [[encoded(f.id, 5) for f in features[::-1]]])
    (tmp_path / "metadata").mkdir()
    pd.DataFrame({"id": [f.id for f in features]}).to_parquet(tmp_path / "metadata" / METADATA)
    made = Similar(
        SimilarConfig(top_k=3, scope=scope, augment=augment, same_recording=same_recording), Context(Path(), tmp_path)
    )
    folder, shard = tmp_path / "similar", "00000-of-00064"
    folder.mkdir()
    made.format.write(part_paths(folder, shard, made.format.parts), features)
    made.finish(folder, [shard])

    def allowed(one: Feature, other: Feature) -> bool:
        apart = one is not other if same_recording else one.recording != other.recording
        return apart and (scope == "dataset" or one.speaker == other.speaker)

    may = np.array([[allowed(one, other) for other in features] for one in features])
    vectors = FEATURES["mfcc"].prepare(np.stack([f.vector_D for f in features]))
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.where(may, cosine_similarity(vectors), -2)
    near = np.argsort(-cosines, axis=1)[:, :augment]
    weights = np.take_along_axis(cosines, near, axis=1).clip(min=0)
    vectors = vectors + np.einsum("nk,nkd->nd", weights, vectors[near])
    cosines = np.where(may, cosine_similarity(vectors), -2)
    expected = np.argsort(-cosines, axis=1)[:, :3]
    store, table = open_store(tmp_path), pd.read_parquet(folder / TABLE).set_index("id")
    for row, uid in enumerate(store.ids):
        query = int(uid[1:])
        assert [store.ids[n] for n in store.similar(row)] == [f"u{n:02d}" for n in expected[query]]
        assert list(table.loc[uid].similar) == [f"u{n:02d}" for n in expected[query]]
        np.testing.assert_allclose(table.loc[uid].similar_score, cosines[query, expected[query]], atol=2e-6)
