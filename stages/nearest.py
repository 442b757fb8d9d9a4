"""The nearest rows by cosine: exact at the speed of the matrix product, or approximate through faiss.

A blocked float32 product finds whatever may belong to the top; those few are compared again in float64, pair by pair,
so that the result doesn't depend on the blocks, the threads, the BLAS or the device.

Axes: N rows, D coefficients, K neighbours, Q queries of a block, C columns of a tile, J groups of columns, P pairs.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.errors import UsageError
from stages.machine import cores, on_gpu

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
Pairs = tuple[Int64s, Int64s]
"""Queries and what is near them, by row."""

_QUERIES = 256
"""Queries compared at a time."""
_COLUMNS = 4096
"""Rows that they are compared with at a time: the product of the two stays in the processor's cache."""
_GROUP = 32
"""Columns of which only the best is looked at, unless it may belong to the top."""
_ROUNDING = 1e-5
"""Far more than a float32 product of unit vectors can be off: what lies this near the cut is compared in float64."""
_DECIMALS = 6
"""Cosines are rounded so, that equal ones are ties on every machine."""
_PAIRS = 1 << 15
"""Pairs compared again at a time."""
_SAMPLE = 1000
"""Queries of which the recall of an approximate search is measured."""
_OVERFETCH = 8
"""Rows taken from an inverted file for each neighbour wanted: some of them must stay apart from the query."""
_PROBES = 32
"""Lists of an inverted file that are looked through for a query."""
_ROUNDS = 8
"""In which its lists' centres are fitted."""
_NOWHERE = np.float32(-2.0)
"""Below every cosine."""

NO_FAISS = (
    "`similar.approximate_above` needs the package faiss, which isn't there. Run `make setup EXTRAS=dev,faiss`"
    " (`pip install faiss-cpu`), or leave the key out: the search is then exact."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Block:
    """Queries, all of one scope, and the places that the scope takes."""

    places_Q: Int64s
    """In ascending order."""
    first: int
    last: int
    """One past the last."""


class _Rows:
    """The rows in such an order that scopes are in one piece, and so is in each what must stay apart.

    A row's number there is its place.
    """

    def __init__(
        self, vectors_ND: Floats, ids: Sequence[str], scopes: Sequence[str] | None, apart: Sequence[str] | None
    ) -> None:
        count = len(ids)
        self.rank_N = np.empty(count, np.int64)
        self.rank_N[np.argsort(np.array(ids, dtype=object), kind="stable")] = np.arange(count)
        scope_N = np.zeros(count, np.int64) if scopes is None else _numbers(scopes)
        apart_N = np.arange(count) if apart is None else _numbers(apart)
        self.order_N = np.lexsort((self.rank_N, apart_N, scope_N))
        self.vectors_ND = vectors_ND
        self.norms_N = np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND, dtype=np.float64))
        self.norms_N[self.norms_N == 0] = 1.0
        self.unit_ND = (vectors_ND[self.order_N] / self.norms_N[self.order_N, None]).astype(np.float32)
        scope_N, apart_N = scope_N[self.order_N], apart_N[self.order_N]
        self.scope_ends = _ends(scope_N[1:] != scope_N[:-1], count)
        ends = _ends((scope_N[1:] != scope_N[:-1]) | (apart_N[1:] != apart_N[:-1]), count)
        sizes = np.diff(ends, prepend=0)
        self.hidden_from_N, self.hidden_to_N = np.repeat(ends - sizes, sizes), np.repeat(ends, sizes)

    def scopes(self) -> list[tuple[int, int]]:
        """Returns the first place of each scope that holds more than one row, and one past its last."""
        ends = self.scope_ends.tolist()
        return [(first, last) for first, last in zip([0, *ends], ends, strict=False) if last - first > 1]

    def hide(self, scores_QC: Any, block: _Block, start: int) -> None:
        """Sets to -inf the scores of what must stay apart from the queries; the first column is at place `start`."""
        end = start + scores_QC.shape[1]
        low_Q, high_Q = self.hidden_from_N[block.places_Q], self.hidden_to_N[block.places_Q]
        if high_Q[-1] <= start or low_Q[0] >= end:
            return
        seen_Q = np.flatnonzero((high_Q > start) & (low_Q < end))
        for run_Q in np.split(seen_Q, np.flatnonzero(np.diff(low_Q[seen_Q])) + 1) if len(seen_Q) else ():
            low, high = max(int(low_Q[run_Q[0]]) - start, 0), min(int(high_Q[run_Q[0]]), end) - start
            scores_QC[int(run_Q[0]) : int(run_Q[-1]) + 1, low:high] = -np.inf


def _numbers(keys: Sequence[str]) -> Int64s:
    numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.fromiter((numbers[key] for key in keys), np.int64, len(keys))


def _ends(changes: npt.NDArray[np.bool_], count: int) -> Int64s:
    """Returns where runs end, given where a value differs from the one before."""
    return np.append(np.flatnonzero(changes) + 1, count) if count else np.zeros(0, np.int64)


def nearest(
    vectors_ND: Floats,
    ids: Sequence[str],
    *,
    top_k: int,
    scopes: Sequence[str] | None = None,
    apart: Sequence[str] | None = None,
    approximate_above: int | None = None,
    device: str = "cpu",
    augment: int = 0,
) -> tuple[Int64s, Floats]:
    """Finds each row's nearest rows by cosine, ties in the order of the ids.

    Args:
        vectors_ND: One vector a row, float32.
        ids: One id a row, all different.
        top_k: Neighbours a row.
        scopes: A key a row: only rows of the same key are neighbours. None for all.
        apart: A key a row: rows of the same key are never neighbours. None for no such rule.
        approximate_above: Rows of a scope above which its search is approximate, its recall logged; None: exact always.
        device: `cpu`, all of its cores, or `cuda[:N]`; the result is the same.
        augment: Nearest rows that each takes up first: see `augmented`. That is a search of its own.

    Returns:
        Row numbers `[N, top_k]`, -1 where there are fewer, and the cosines `[N, top_k]`, NaN there.

    Raises:
        UsageError: if a search is to be approximate, and faiss isn't installed.
    """
    if augment:
        near_NK, scores_NK = nearest(
            vectors_ND,
            ids,
            top_k=augment,
            scopes=scopes,
            apart=apart,
            approximate_above=approximate_above,
            device=device,
        )
        vectors_ND = augmented(vectors_ND, near_NK, scores_NK)
    rows, found = _Rows(vectors_ND, ids, scopes, apart), _Found(len(ids), top_k)
    gpu = on_gpu(device)
    scan = _gpu_scan(rows, top_k, device) if gpu else partial(_scan, rows, top_k)
    exact: list[_Block] = []
    for first, last in rows.scopes():
        if approximate_above is not None and last - first > approximate_above:
            exact += _approximate(rows, first, last, scan, found)
        else:
            exact += _blocks(np.arange(first, last), first, last)
    _each(exact, lambda block: _rank(rows, scan(block), found), threads=1 if gpu else cores())
    return found.rows_NK, found.scores_NK


def augmented(vectors_ND: Floats, near_NK: Int64s, scores_NK: Floats) -> Floats:
    """Returns each row's unit vector and those of its nearest rows, weighted by their cosines, added up.

    What chance put into one of them averages out, and rows of one kind move together.

    Args:
        vectors_ND: One vector a row, float32.
        near_NK: What `nearest` found: row numbers, -1 for none.
        scores_NK: Their cosines; what is negative counts as 0.

    Source: Arandjelović, Zisserman, "Three things everyone should know to improve object retrieval" (CVPR 2012),
    "Database-side feature augmentation"; the weights are those of query expansion in Radenović, Tolias, Chum,
    "Fine-tuning CNN image retrieval with no human annotation" (2018), with alpha = 1.
    """
    norms_N1 = np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND, dtype=np.float64))[:, None]
    unit_ND = (vectors_ND / np.where(norms_N1 == 0, 1.0, norms_N1)).astype(np.float32)
    sum_ND = unit_ND.copy()
    for near_N, score_N in zip(near_NK.T, scores_NK.T, strict=True):
        sum_ND += unit_ND[near_N] * np.where(near_N < 0, np.float32(0), score_N.clip(min=0))[:, None]
    return sum_ND


class _Found:
    """What has been found so far, by row."""

    def __init__(self, count: int, top_k: int) -> None:
        self.rows_NK = np.full((count, top_k), -1, np.int64)
        self.scores_NK = np.full((count, top_k), np.nan, np.float32)


def _blocks(places_Q: Int64s, first: int, last: int) -> list[_Block]:
    return [_Block(places_Q[at : at + _QUERIES], first, last) for at in range(0, len(places_Q), _QUERIES)]


def _each(blocks: Sequence[_Block], work: Callable[[_Block], None], *, threads: int) -> None:
    """Does the work on every block, on threads that each multiply on their own; blocks never write to one row."""
    from threadpoolctl import threadpool_limits

    if threads < 2 or len(blocks) < 2:
        for block in blocks:
            work(block)
        return
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, blocks):
            pass


def _scan(rows: _Rows, top_k: int, block: _Block) -> Pairs:
    """Returns the places of all pairs of a query and a row that may belong to the query's top.

    Of every group of columns only the maximum is looked at: the k-th best of the groups' maxima is never above the k-th
    best of all scores, so that only the few groups that reach it are opened.
    """
    unit_QD = rows.unit_ND[block.places_Q]
    width = min(_COLUMNS, -(-(block.last - block.first) // _GROUP) * _GROUP)
    tile_QC = np.empty((len(unit_QD), width), np.float32)
    groups_QGJ = tile_QC.reshape(len(unit_QD), _GROUP, width // _GROUP)
    best_QK = np.full((len(unit_QD), top_k), _NOWHERE)
    pieces: list[tuple[Int64s, Int64s, Floats]] = []
    for start in range(block.first, block.last, width):
        end = min(start + width, block.last)
        scores_QC = tile_QC[:, : end - start]
        np.matmul(unit_QD, rows.unit_ND[start:end].T, out=scores_QC)
        rows.hide(scores_QC, block, start)
        tile_QC[:, end - start :] = -np.inf
        top_QJ = groups_QGJ.max(axis=1)
        best_QK = np.partition(np.concatenate([best_QK, top_QJ], axis=1), -top_k, axis=1)[:, -top_k:]
        cut_Q1 = np.maximum(best_QK[:, :1] - _ROUNDING, _NOWHERE)
        query_P, group_P = np.nonzero(top_QJ >= cut_Q1)
        opened_PG = groups_QGJ[query_P, :, group_P]
        pair_P, within_P = np.nonzero(opened_PG >= cut_Q1[query_P])
        columns_P = within_P * groups_QGJ.shape[2] + group_P[pair_P]
        pieces.append((query_P[pair_P], start + columns_P, opened_PG[pair_P, within_P]))
    query_P, place_P, score_P = (np.concatenate(piece) for piece in zip(*pieces, strict=True))
    kept_P = score_P >= best_QK[query_P, 0] - _ROUNDING
    return block.places_Q[query_P[kept_P]], place_P[kept_P]


def _gpu_scan(rows: _Rows, top_k: int, device: str) -> Callable[[_Block], Pairs]:
    """Returns what does on a GPU what `_scan` does."""
    import torch

    unit_ND = torch.from_numpy(rows.unit_ND).to(device)

    def scan(block: _Block) -> Pairs:
        places_Q = torch.from_numpy(block.places_Q).to(device)
        scores_QM = unit_ND[places_Q] @ unit_ND[block.first : block.last].T
        rows.hide(scores_QM, block, block.first)
        best_QK = torch.topk(scores_QM, min(top_k, scores_QM.shape[1])).values
        cut_Q1 = (best_QK[:, -1:] - _ROUNDING).clamp(min=float(_NOWHERE))
        query_P, column_P = torch.nonzero(scores_QM >= cut_Q1, as_tuple=True)
        return block.places_Q[query_P.cpu().numpy()], block.first + column_P.cpu().numpy()

    return scan


def _rank(rows: _Rows, pairs: Pairs, found: _Found) -> None:
    """Writes the best of the pairs, compared in float64, into the rows of their queries."""
    query_P, other_P = (rows.order_N[places_P] for places_P in pairs)
    score_P = np.empty(len(query_P))
    for at in range(0, len(query_P), _PAIRS):
        one_P, two_P = query_P[at : at + _PAIRS], other_P[at : at + _PAIRS]
        one_PD, two_PD = (rows.vectors_ND[row_P].astype(np.float64) for row_P in (one_P, two_P))
        product_P = np.einsum("pd,pd->p", one_PD, two_PD)
        score_P[at : at + _PAIRS] = product_P / (rows.norms_N[one_P] * rows.norms_N[two_P])
    score_P = np.round(score_P, _DECIMALS)
    order_P = np.lexsort((rows.rank_N[other_P], -score_P, query_P))
    query_P, other_P, score_P = query_P[order_P], other_P[order_P], score_P[order_P]
    first_P = np.r_[True, query_P[1:] != query_P[:-1]]
    place_P = np.arange(len(query_P)) - np.maximum.accumulate(np.where(first_P, np.arange(len(query_P)), 0))
    best_P = place_P < found.rows_NK.shape[1]
    found.rows_NK[query_P[best_P], place_P[best_P]] = other_P[best_P]
    found.scores_NK[query_P[best_P], place_P[best_P]] = score_P[best_P]


# ------------------------------------------------------------------------------------------------------- approximate


def _approximate(rows: _Rows, first: int, last: int, scan: Callable[[_Block], Pairs], found: _Found) -> list[_Block]:
    """Searches a scope by an inverted file, and measures how much of the truth it finds.

    Returns:
        The queries that it found too few rows for (the near ones must stay apart from them): to be searched exactly.
    """
    top_k, count = found.rows_NK.shape[1], last - first
    score_NR, near_NR = _search(rows.unit_ND[first:last], _OVERFETCH * top_k)
    place_NR, scope_N1 = near_NR + first, np.arange(first, last)[:, None]
    hidden_NR = (place_NR >= rows.hidden_from_N[scope_N1]) & (place_NR < rows.hidden_to_N[scope_N1])
    score_NR[hidden_NR | (near_NR < 0)] = _NOWHERE
    cut_N1 = -np.partition(-score_NR, top_k - 1, axis=1)[:, top_k - 1, None]
    enough_N = cut_N1[:, 0] > _NOWHERE
    query_P, column_P = np.nonzero((score_NR >= cut_N1 - _ROUNDING) & enough_N[:, None])
    _rank(rows, (query_P + first, place_NR[query_P, column_P]), found)
    answered_Q = np.flatnonzero(enough_N) + first
    if len(answered_Q):
        recall = _recall(rows, answered_Q, (first, last), scan, found)
        _log.warning(
            "of %s rows, the nearest %d of %s were searched approximately: recall %.3f, measured on %s of them",
            *(f"{count:,}", top_k, f"{len(answered_Q):,}", recall, f"{min(_SAMPLE, len(answered_Q)):,}"),
        )
    return _blocks(np.flatnonzero(~enough_N) + first, first, last)


def _search(unit_MD: Floats, neighbours: int) -> tuple[Floats, Int64s]:
    """Returns what an inverted file finds near each row: cosines and places within the scope, `[M, R]`; -1 for none.

    Source: Jégou, Douze, Schmid, "Product quantization for nearest neighbor search" (2011), section IV.
    """
    try:
        import faiss
    except ImportError as error:
        raise UsageError(NO_FAISS) from error
    lists = max(1, min(int(4 * len(unit_MD) ** 0.5), len(unit_MD) // 40))
    quantiser = faiss.IndexFlatIP(unit_MD.shape[1])
    index = faiss.IndexIVFFlat(quantiser, unit_MD.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = _ROUNDS, 64
    faiss.omp_set_num_threads(cores())
    index.train(unit_MD)
    index.add(unit_MD)
    index.nprobe = min(_PROBES, lists)
    scores_MR, places_MR = index.search(unit_MD, neighbours)
    return scores_MR, places_MR


def _recall(
    rows: _Rows, answered_Q: Int64s, scope: tuple[int, int], scan: Callable[[_Block], Pairs], found: _Found
) -> float:
    """Returns the share of the true neighbours that were found, of some of the queries."""
    drawn_Q = np.random.default_rng(0).choice(answered_Q, min(_SAMPLE, len(answered_Q)), replace=False)
    truth = _Found(*found.rows_NK.shape)
    for block in _blocks(np.sort(drawn_Q), *scope):
        _rank(rows, scan(block), truth)
    true_QK, found_QK = truth.rows_NK[rows.order_N[drawn_Q]], found.rows_NK[rows.order_N[drawn_Q]]
    return float(np.mean((true_QK[:, :, None] == found_QK[:, None]).any(axis=2)))
