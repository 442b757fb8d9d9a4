"""Finds the nearest rows by cosine: exactly, at the speed of a matrix product, or approximately with faiss.

A blocked float32 product finds the few rows that may belong to the top. Those are compared again in float64, pair by
pair: the result doesn't depend on the blocks, the threads, the BLAS or the device.

Axes: N rows, D coefficients, K neighbours, Q queries of a block, C columns of a tile, J groups of columns, P pairs.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from stages.machine import cores, on_gpu
from stages.neighbours.approximate import search_approximately
from stages.neighbours.exact import (
    Block,
    Floats,
    Int64s,
    Nearest,
    ScopedRows,
    for_each_block,
    scan_block,
    scan_on_gpu,
    split_blocks,
    write_best,
)


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
    """Finds each row's nearest rows by cosine. Ties are in the order of the ids.

    Args:
        vectors_ND: One vector per row, float32.
        ids: One id per row, all different.
        top_k: Neighbours per row.
        scopes: A key per row: only rows with the same key can be neighbours. None for no such rule.
        apart: A key per row: rows with the same key are never neighbours. None for no such rule.
        approximate_above: Scopes with more rows are searched approximately, and the recall is logged. None: never.
        device: `cpu` (all of its cores) or `cuda[:N]`. The result is the same.
        augment: Number of nearest rows that each vector is first combined with (`augmented`), by a search of its own.

    Returns:
        Row numbers `[N, top_k]` and cosines `[N, top_k]`; -1 and NaN where a row has fewer neighbours.

    Raises:
        UsageError: if a search must be approximate and faiss isn't installed.
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
    rows, found = ScopedRows(vectors_ND, ids, scopes, apart), Nearest(len(ids), top_k)
    gpu = on_gpu(device)
    scan = scan_on_gpu(rows, top_k, device) if gpu else partial(scan_block, rows, top_k)
    exact: list[Block] = []
    for first, last in rows.scopes():
        if approximate_above is not None and last - first > approximate_above:
            exact += search_approximately(rows, first, last, scan, found)
        else:
            exact += split_blocks(np.arange(first, last), first, last)
    for_each_block(exact, lambda block: write_best(rows, scan(block), found), threads=1 if gpu else cores())
    return found.rows_NK, found.scores_NK


def augmented(vectors_ND: Floats, near_NK: Int64s, scores_NK: Floats) -> Floats:
    """Adds to each row's unit vector those of its nearest rows, weighted by their cosines.

    Random deviations average out, and similar rows move closer together.

    Args:
        vectors_ND: One vector per row, float32.
        near_NK: Row numbers that `nearest` found, -1 for none.
        scores_NK: Their cosines; negative ones count as 0.

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
