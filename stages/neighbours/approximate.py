"""Finds approximately nearest rows with faiss, and measures the recall."""

import logging
from collections.abc import Callable

import numpy as np

from stages.errors import UsageError
from stages.machine import cores
from stages.neighbours.exact import (
    NOWHERE,
    ROUNDING,
    Block,
    Floats,
    Int64s,
    Nearest,
    Pairs,
    ScopedRows,
    split_blocks,
    write_best,
)

_SAMPLE = 1000
"""Queries on which the recall of an approximate search is measured."""
_OVERFETCH = 8
"""Rows fetched from the inverted file per wanted neighbour: some may not be neighbours of the query."""
_PROBES = 32
"""Lists of the inverted file that are searched for a query."""
_ROUNDS = 8
"""K-means iterations for the inverted lists."""

NO_FAISS = (
    "`similar.approximate_above` needs the package faiss, which isn't there. Run `make setup EXTRAS=dev,faiss`"
    " (`pip install faiss-cpu`), or leave the key out: the search is then exact."
)

_log = logging.getLogger(__name__)


def search_approximately(
    rows: ScopedRows, first: int, last: int, scan: Callable[[Block], Pairs], found: Nearest
) -> list[Block]:
    """Searches one scope with an inverted file and logs the recall.

    Args:
        rows: All rows.
        first: The scope's first place.
        last: One past its last.
        scan: The exact search, to measure the recall.
        found: Where the neighbours are written.

    Returns:
        The queries with too few permitted rows among those found; they must be searched exactly.
    """
    top_k, count = found.rows_NK.shape[1], last - first
    score_NR, near_NR = _search(rows.unit_ND[first:last], _OVERFETCH * top_k)
    place_NR, scope_N1 = near_NR + first, np.arange(first, last)[:, None]
    hidden_NR = (place_NR >= rows.hidden_from_N[scope_N1]) & (place_NR < rows.hidden_to_N[scope_N1])
    score_NR[hidden_NR | (near_NR < 0)] = NOWHERE
    cut_N1 = -np.partition(-score_NR, top_k - 1, axis=1)[:, top_k - 1, None]
    enough_N = cut_N1[:, 0] > NOWHERE
    query_P, column_P = np.nonzero((score_NR >= cut_N1 - ROUNDING) & enough_N[:, None])
    write_best(rows, (query_P + first, place_NR[query_P, column_P]), found)
    answered_Q = np.flatnonzero(enough_N) + first
    if len(answered_Q):
        recall = _recall(rows, answered_Q, (first, last), scan, found)
        _log.warning(
            "approximate search for the %d nearest of %s rows, for %s of them: recall %.3f, measured on %s queries",
            *(top_k, f"{count:,}", f"{len(answered_Q):,}", recall, f"{min(_SAMPLE, len(answered_Q)):,}"),
        )
    return split_blocks(np.flatnonzero(~enough_N) + first, first, last)


def _search(unit_MD: Floats, neighbours: int) -> tuple[Floats, Int64s]:
    """Finds rows near each row with an inverted file: cosines and places within the scope, `[M, R]`; -1 for none.

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
    rows: ScopedRows, answered_Q: Int64s, scope: tuple[int, int], scan: Callable[[Block], Pairs], found: Nearest
) -> float:
    """Returns the share of the true neighbours that were found, on a sample of the queries."""
    drawn_Q = np.random.default_rng(0).choice(answered_Q, min(_SAMPLE, len(answered_Q)), replace=False)
    truth = Nearest(*found.rows_NK.shape)
    for block in split_blocks(np.sort(drawn_Q), *scope):
        write_best(rows, scan(block), truth)
    true_QK, found_QK = truth.rows_NK[rows.order_N[drawn_Q]], found.rows_NK[rows.order_N[drawn_Q]]
    return float(np.mean((true_QK[:, :, None] == found_QK[:, None]).any(axis=2)))
