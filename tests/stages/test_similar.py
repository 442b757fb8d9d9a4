from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from stages import audio, similar


def brute_force(
    vectors: np.ndarray, ids: list[str], k: int, scopes: list[str] | None, apart: list[str]
) -> list[list[int]]:
    """By sorting all pairs: the reference."""
    cosines = np.round(cosine_similarity(vectors.astype(np.float64)), 6)
    found = []
    for query in range(len(ids)):
        rows = [
            row
            for row in range(len(ids))
            if apart[row] != apart[query] and (scopes is None or scopes[row] == scopes[query])
        ]
        found.append(sorted(rows, key=lambda row: (-cosines[query, row], ids[row]))[:k])
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.booleans(), st.integers(0, 10_000))
def test_neighbours_are_exact_with_ties_by_id(count: int, k: int, scoped: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (count, 4)).astype(np.float32)  # small integers: many exact ties
    ids = [f"u{n:03d}" for n in rng.permutation(count)]
    scopes = [f"s{n}" for n in rng.integers(0, 3, count)] if scoped else None
    apart = [f"r{n}" for n in rng.integers(0, max(1, count // 2), count)]
    found, scores = similar.nearest(vectors, ids, top_k=k, scopes=scopes, apart=apart)
    expected = brute_force(vectors, ids, k, scopes, apart)
    assert [[n for n in row if n >= 0] for row in found.tolist()] == expected
    assert np.isnan(scores[found < 0]).all()
    assert np.isfinite(scores[found >= 0]).all()


def test_blocks_don_t_show(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    ids = [f"{n:04d}" for n in range(300)]
    whole = similar.nearest(vectors, ids, top_k=4)
    monkeypatch.setattr(similar, "_BLOCK", 7)
    blocked = similar.nearest(vectors, ids, top_k=4)
    np.testing.assert_array_equal(whole[0], blocked[0])
    np.testing.assert_array_equal(whole[1], blocked[1])


def test_codes_are_summed_over_the_codebooks() -> None:
    embeddings = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)
    codes = np.array([[0, 2], [1, 1]], np.uint16)
    frames = np.stack([embeddings[0, 0] + embeddings[1, 1], embeddings[0, 2] + embeddings[1, 1]])
    expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    np.testing.assert_allclose(similar.codes_vector(codes, embeddings), expected)


def test_a_constant_coefficient_says_nothing() -> None:
    vectors = np.array([[1, 5, 0, 7], [3, 5, 2, 7]], np.float32)
    weight = similar._DEVIATION_WEIGHT
    np.testing.assert_allclose(similar.standardise(vectors), [[-1, 0, -weight, 0], [1, 0, weight, 0]])


def test_neighbours_by_mfcc_are_mostly_of_the_same_speaker(speech: Path) -> None:
    """Four 3-second pieces each of 40 speakers: chance is 2 %, raw summed MFCCs find half as many."""
    vectors, speakers = [], []
    for path in sorted((speech / "librispeech-train-clean-100").rglob("*.flac")):
        wave = audio.read_at(path, 16_000)
        if len(wave) >= 4 * 48_000 and len(vectors) < 160:
            vectors += [similar.mfcc_vector(wave[start : start + 48_000]) for start in range(0, 4 * 48_000, 48_000)]
            speakers += [path.parent.name] * 4
    ids = [f"{n:04d}" for n in range(len(vectors))]
    found, _ = similar.nearest(similar.standardise(np.stack(vectors)), ids, top_k=3)
    same = [speakers[n] == speakers[query] for query, row in enumerate(found) for n in row]
    assert np.mean(same) > 0.7
