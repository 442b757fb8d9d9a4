import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from stages.artefacts.manifest import CODEC, EMBEDDINGS
from stages.audio import files as audio
from stages.errors import CodecError
from stages.listeners.resemblyzer import Resemblyzer
from stages.neighbours.features import FEATURES, FeatureInputs, codes_vector, pooled, read_model, whitened
from stages.neighbours.nearest import nearest
from stages.records import CodecIdentity, to_line

CODEC_OF_TWO = CodecIdentity("embedded", 24_000, 75.0, 2, 3, "abc")


@pytest.fixture
def source(tmp_path: Path) -> FeatureInputs:
    """A dataset's codec and a model, both with the same embeddings."""
    embeddings = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)
    (tmp_path / "encode").mkdir()
    (tmp_path / "encode" / CODEC).write_text(to_line(CODEC_OF_TWO.to_json()))
    np.save(tmp_path / "encode" / EMBEDDINGS, embeddings)
    table = np.concatenate([embeddings.reshape(6, 2), np.zeros((1, 2), np.float32)])
    parts = json.dumps({"meta": {"codec": CODEC_OF_TWO.to_json()}})
    save_file({"code_embedding.weight": table}, tmp_path / "model.safetensors", {"valle": parts})
    return FeatureInputs(tmp_path, tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", [name for name, kind in FEATURES.items() if kind.reads == "codes"])
def test_codes_are_summed_over_the_codebooks(name: str, source: FeatureInputs) -> None:
    embeddings = np.load(source.dataset / "encode" / EMBEDDINGS)
    codes = np.array([[0, 2], [1, 1]], np.uint16)
    frames = np.stack([embeddings[0, 0] + embeddings[1, 1], embeddings[0, 2] + embeddings[1, 1]])
    expected = np.concatenate([frames.mean(axis=0), (frames[0] - frames[1]) / 2])
    np.testing.assert_allclose(FEATURES[name].load(source)(codes), expected)
    np.testing.assert_allclose(codes_vector(codes, embeddings), expected)


def test_a_model_of_another_codec_is_refused(source: FeatureInputs) -> None:
    other = {**CODEC_OF_TWO.to_json(), "revision": "def"}
    (source.dataset / "encode" / CODEC).write_text(json.dumps(other))
    with pytest.raises(CodecError, match="revision"):
        FEATURES["model"].load(source)
    assert read_model(source)[1].shape == (2, 3, 2)


def test_a_models_identity_is_its_embeddings_not_its_place(source: FeatureInputs) -> None:
    assert source.model is not None
    moved = source.model.rename(source.dataset / "moved.safetensors")
    revision = FEATURES["model"].revision
    before = revision(FeatureInputs(source.dataset, moved))
    save_file(
        {"code_embedding.weight": np.ones((7, 2), np.float32)},
        source.dataset / "other.safetensors",
        {"valle": json.dumps({"meta": {"codec": CODEC_OF_TWO.to_json()}})},
    )
    assert before == revision(FeatureInputs(source.dataset, moved))
    assert before != revision(FeatureInputs(source.dataset, source.dataset / "other.safetensors"))


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 1000))
def test_whitening_ignores_scales_and_constant_coefficients(count: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 2 * width)).astype(np.float32)
    constant = 0 if width > 1 else None
    if constant is not None:
        vectors[:, 0] = 3.0
    scale, shift = 2.0 ** rng.integers(-4, 5, width), rng.normal(size=width)
    moved = (vectors * np.tile(scale, 2) + np.r_[shift, np.zeros(width)]).astype(np.float32)
    one, other = whitened(vectors), whitened(moved)
    assert np.isfinite(one).all()
    np.testing.assert_allclose(
        one @ one.T, other @ other.T, rtol=2e-3, atol=2e-3 * max(1, float(np.abs(one).max()) ** 2)
    )


def test_after_whitening_utterances_vary_within_equally_in_all_directions() -> None:
    """The halves' differences, transformed as the means are, have unit covariance."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    frames = rng.normal(size=(4000, 2, 6)) @ mixing + rng.normal(size=(4000, 1, 6))
    vectors = np.stack([pooled(one.astype(np.float32), np.ones(2, bool)) for one in frames])
    means, differences = vectors[:, :6], vectors[:, 6:]
    turn, *_ = np.linalg.lstsq(means - means.mean(axis=0), whitened(vectors), rcond=None)
    np.testing.assert_allclose(np.cov((differences @ turn).T), np.eye(6), atol=0.1)


@pytest.mark.parametrize(("samples", "parts"), [(8_000, 2), (25_599, 2), (25_600, 2), (48_000, 2), (160_000, 7)])
def test_parts_cover_the_wave_from_beginning_to_end(samples: int, parts: int) -> None:
    encoder = Resemblyzer()
    wave = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    heard = encoder.parts(wave)
    assert heard.shape == (parts, 256)
    changed = wave.copy()
    changed[-1600:] = 0
    assert not np.allclose(encoder.parts(changed)[-1], heard[-1], atol=1e-4)


@pytest.mark.parametrize("samples", [1, 3_200, 8_001, 16_000, 25_599])
def test_parts_of_a_short_wave_are_made_of_it_alone(samples: int) -> None:
    """The encoder hears the wave again and again, from its beginning and from its middle, and no silence."""
    encoder = Resemblyzer()
    wave = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    middle = samples // 2
    for heard, start in zip(encoder.parts(wave), (0, middle), strict=True):
        turned = np.concatenate([wave[start:], wave[:start]])
        long = np.concatenate([turned] * (25_600 // samples + 1))[:25_600]
        np.testing.assert_allclose(heard, encoder.parts(long)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mfcc", "speaker"])
def test_neighbours_of_synthetic_voices_are_of_the_same_speaker(name: str, all_voices: Path) -> None:
    """Ten clips each of 8 speakers, where chance is 11 %."""
    paths = sorted(all_voices.rglob("*.wav"))
    kind = FEATURES[name]
    vector = kind.load(FeatureInputs(Path()))
    vectors = kind.prepare(np.stack([vector(audio.read_at(path, 16_000)) for path in paths]))
    found, _ = nearest(vectors, [f"{n:04d}" for n in range(len(vectors))], top_k=3)
    same = [paths[n].parent == paths[query].parent for query, row in enumerate(found) for n in row]
    assert np.mean(same) > 0.9


def test_neighbours_by_sound_are_mostly_of_the_same_speaker(speech: Path) -> None:
    """Four 3-second pieces each of 20 speakers, where chance is 4 %; `make bench` has all of them."""
    pieces, speakers = [], []
    for path in sorted((speech / "librispeech-train-clean-100").rglob("*.flac")):
        wave = audio.read_at(path, 16_000)
        if len(wave) >= 4 * 48_000 and len(pieces) < 80:
            pieces += [wave[start : start + 48_000] for start in range(0, 4 * 48_000, 48_000)]
            speakers += [path.parent.name] * 4
    for name, least in (("mfcc", 0.85), ("speaker", 0.92)):
        kind = FEATURES[name]
        vectors = kind.prepare(np.stack([*map(kind.load(FeatureInputs(Path())), pieces)]))
        found, _ = nearest(vectors, [f"{n:04d}" for n in range(len(vectors))], top_k=3)
        same = [speakers[n] == speakers[query] for query, row in enumerate(found) for n in row]
        assert np.mean(same) > least, name
