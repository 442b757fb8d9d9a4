"""Finds the exact nearest rows, block by block, on the CPU or a GPU."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]
Pairs = tuple[Int64s, Int64s]
"""Places of queries, and of the rows near them, `[P]` each."""

_QUERIES = 256
"""Queries in a block."""
_COLUMNS = 4096
"""Rows compared with a block at a time. The scores, `_QUERIES * _COLUMNS`, fit in the processor's cache."""
_GROUP = 32
"""Columns in a group. Only a group's maximum is checked, unless it may belong to the top."""
ROUNDING = 1e-5
"""Far more than the error of a float32 product of unit vectors. Scores this near the cut are compared in float64."""
_DECIMALS = 6
"""Decimals of the cosines. Rounding makes equal ones ties on every machine."""
_PAIRS = 1 << 15
"""Pairs compared in float64 at a time."""
NOWHERE = np.float32(-2.0)
"""A score below every cosine."""


@dataclass(frozen=True, slots=True)
class Block:
    """Queries of one scope, and the places of the scope."""

    places_Q: Int64s
    """In ascending order."""
    first: int
    last: int
    """One past the scope's last place."""


class ScopedRows:
    """The rows, sorted by scope, then by `apart` key, then by id.

    So each scope is contiguous, and within it the rows that may not be each other's neighbours. A row's index in this
    order is its place. For the arguments see `nearest`.
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
        """Returns the first place and one past the last of each scope with more than one row."""
        ends = self.scope_ends.tolist()
        return [(first, last) for first, last in zip([0, *ends], ends, strict=False) if last - first > 1]

    def hide(self, scores_QC: Any, block: Block, start: int) -> None:
        """Sets the scores of rows that may not be neighbours of a query to -inf; column 0 is place `start`."""
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
    """Returns where runs of equal values end, given where a value differs from the one before."""
    return np.append(np.flatnonzero(changes) + 1, count) if count else np.zeros(0, np.int64)


class Nearest:
    """The neighbours found so far: rows and scores, `[N, K]`, by row; -1 and NaN where none is found."""

    def __init__(self, count: int, top_k: int) -> None:
        self.rows_NK = np.full((count, top_k), -1, np.int64)
        self.scores_NK = np.full((count, top_k), np.nan, np.float32)


def split_blocks(places_Q: Int64s, first: int, last: int) -> list[Block]:
    """Splits queries of the scope from `first` to `last` into blocks."""
    return [Block(places_Q[at : at + _QUERIES], first, last) for at in range(0, len(places_Q), _QUERIES)]


def for_each_block(blocks: Sequence[Block], work: Callable[[Block], None], *, threads: int) -> None:
    """Runs `work` on each block, in threads with a single-threaded BLAS. No two blocks write to the same row."""
    from threadpoolctl import threadpool_limits

    if threads < 2 or len(blocks) < 2:
        for block in blocks:
            work(block)
        return
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, blocks):
            pass


def scan_block(rows: ScopedRows, top_k: int, block: Block) -> Pairs:
    """Returns (query, candidate) pairs that surely contain each query's true top k; `write_best` ranks them.

    Columns are scored in groups. A group whose maximum is below the k-th best group maximum so far can't hold a top-k
    row and is skipped.
    """
    unit_QD = rows.unit_ND[block.places_Q]
    width = min(_COLUMNS, -(-(block.last - block.first) // _GROUP) * _GROUP)
    tile_QC = np.empty((len(unit_QD), width), np.float32)
    groups_QGJ = tile_QC.reshape(len(unit_QD), _GROUP, width // _GROUP)
    best_QK = np.full((len(unit_QD), top_k), NOWHERE)
    pieces: list[tuple[Int64s, Int64s, Floats]] = []
    for start in range(block.first, block.last, width):
        end = min(start + width, block.last)
        scores_QC = tile_QC[:, : end - start]
        np.matmul(unit_QD, rows.unit_ND[start:end].T, out=scores_QC)
        rows.hide(scores_QC, block, start)
        tile_QC[:, end - start :] = -np.inf
        top_QJ = groups_QGJ.max(axis=1)
        best_QK = np.partition(np.concatenate([best_QK, top_QJ], axis=1), -top_k, axis=1)[:, -top_k:]
        cut_Q1 = np.maximum(best_QK[:, :1] - ROUNDING, NOWHERE)
        query_P, group_P = np.nonzero(top_QJ >= cut_Q1)
        opened_PG = groups_QGJ[query_P, :, group_P]
        pair_P, within_P = np.nonzero(opened_PG >= cut_Q1[query_P])
        columns_P = within_P * groups_QGJ.shape[2] + group_P[pair_P]
        pieces.append((query_P[pair_P], start + columns_P, opened_PG[pair_P, within_P]))
    query_P, place_P, score_P = (np.concatenate(piece) for piece in zip(*pieces, strict=True))
    kept_P = score_P >= best_QK[query_P, 0] - ROUNDING
    return block.places_Q[query_P[kept_P]], place_P[kept_P]


def scan_on_gpu(rows: ScopedRows, top_k: int, device: str) -> Callable[[Block], Pairs]:
    """Returns a function that does the work of `scan_block` on a GPU."""
    import torch

    unit_ND = torch.from_numpy(rows.unit_ND).to(device)

    def scan(block: Block) -> Pairs:
        places_Q = torch.from_numpy(block.places_Q).to(device)
        scores_QM = unit_ND[places_Q] @ unit_ND[block.first : block.last].T
        rows.hide(scores_QM, block, block.first)
        best_QK = torch.topk(scores_QM, min(top_k, scores_QM.shape[1])).values
        cut_Q1 = (best_QK[:, -1:] - ROUNDING).clamp(min=float(NOWHERE))
        query_P, column_P = torch.nonzero(scores_QM >= cut_Q1, as_tuple=True)
        return block.places_Q[query_P.cpu().numpy()], block.first + column_P.cpu().numpy()

    return scan


def write_best(rows: ScopedRows, pairs: Pairs, found: Nearest) -> None:
    """Compares pairs in float64 and writes each query's best into its row of `found`."""
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
