import logging
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import UsageError
from stages.neighbours import exact
from stages.neighbours import nearest as search
from stages.neighbours.nearest import augmented, nearest


def brute_force(
    vectors: np.ndarray, ids: list[str], k: int, scopes: list[str] | None, apart: list[str]
) -> list[list[int]]:
    """The reference: sorts all pairs."""
    from sklearn.metrics.pairwise import cosine_similarity

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


@settings(max_examples=60)
@given(
    count=st.integers(1, 90),
    k=st.integers(1, 6),
    scoped=st.booleans(),
    recordings=st.integers(1, 50),
    sizes=st.sampled_from([(256, 4096, 32), (7, 8, 4), (16, 32, 2)]),
    gpu=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_neighbours_are_exact_with_ties_by_id(
    *, count: int, k: int, scoped: bool, recordings: int, sizes: tuple[int, int, int], gpu: bool, seed: int
) -> None:
    """For any size of blocks, and also by the code for GPUs, run on the CPU."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (count, 4)).astype(np.float32)  # small integers: many exact ties
    ids = [f"u{n:03d}" for n in rng.permutation(count)]
    scopes = [f"s{n}" for n in rng.integers(0, 3, count)] if scoped else None
    apart = [f"r{n}" for n in rng.integers(0, recordings, count)]
    with pytest.MonkeyPatch.context() as patch:
        for name, size in zip(("_QUERIES", "_COLUMNS", "_GROUP"), sizes, strict=True):
            patch.setattr(exact, name, size)
        if gpu:
            patch.setattr(search, "scan_block", lambda rows, top_k, block: exact.scan_on_gpu(rows, top_k, "cpu")(block))
        found, scores = nearest(vectors, ids, top_k=k, scopes=scopes, apart=apart)
    assert [[n for n in row if n >= 0] for row in found.tolist()] == brute_force(vectors, ids, k, scopes, apart)
    assert np.isnan(scores[found < 0]).all()
    assert np.isfinite(scores[found >= 0]).all()


def test_many_threads_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    ids = [f"{n:04d}" for n in range(len(vectors))]
    monkeypatch.setattr(search, "cores", lambda: 1)
    alone = nearest(vectors, ids, top_k=4)
    monkeypatch.setattr(search, "cores", lambda: 4)
    together = nearest(vectors, ids, top_k=4)
    np.testing.assert_array_equal(alone[0], together[0])
    np.testing.assert_array_equal(alone[1], together[1])


def test_an_approximate_search_logs_its_recall(caplog: pytest.LogCaptureFixture) -> None:
    """Rows in clusters. The nearest are of the same recording and mustn't be found."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 24))
    vectors = (np.repeat(centres, 50, axis=0) + 0.3 * rng.normal(size=(2000, 24))).astype(np.float32)
    ids, apart = [f"{n:04d}" for n in range(2000)], [f"{n // 5}" for n in range(2000)]
    exact, scores = nearest(vectors, ids, top_k=4, apart=apart, approximate_above=2000)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        near, near_scores = nearest(vectors, ids, top_k=4, apart=apart, approximate_above=1999)
    logged = float(caplog.records[0].getMessage().partition("recall ")[2].split(",")[0])
    recall = np.mean([len({*one} & {*other}) / 4 for one, other in zip(exact.tolist(), near.tolist(), strict=True)])
    assert 0.8 < recall <= 1
    assert logged == pytest.approx(recall, abs=0.05)
    assert all(apart[n] != apart[query] for query, row in enumerate(near) for n in row)
    same = near == exact
    np.testing.assert_array_equal(near_scores[same], scores[same])


def test_without_faiss_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    vectors = np.random.default_rng(0).normal(size=(101, 4)).astype(np.float32)
    with pytest.raises(UsageError, match="make setup EXTRAS=dev,faiss"):
        nearest(vectors, [f"{n:03d}" for n in range(101)], top_k=1, approximate_above=100)


def test_augmenting_averages_noise_out() -> None:
    """Noisy points around 100 centres: more of the nearest belong to a point's own centre."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(100), 5)
    vectors = (rng.normal(size=(100, 16))[kinds] + 0.7 * rng.normal(size=(500, 16))).astype(np.float32)
    ids = [f"{n:03d}" for n in range(500)]
    near = nearest(vectors, ids, top_k=2)
    alone, _ = nearest(vectors, ids, top_k=3)
    together, _ = nearest(augmented(vectors, *near), ids, top_k=3)
    assert np.mean(kinds[together] == kinds[:, None]) > np.mean(kinds[alone] == kinds[:, None]) + 0.05


def test_augmenting_leaves_a_row_without_neighbours_as_it_is() -> None:
    vectors = np.array([[3, 4], [0, 0], [0, -2]], np.float32)
    near, scores = np.array([[-1, -1], [0, -1], [0, 1]]), np.array([[np.nan, np.nan], [0, np.nan], [-0.8, 0]])
    np.testing.assert_allclose(augmented(vectors, near, scores.astype(np.float32)), [[0.6, 0.8], [0, 0], [0, -1]])
