"""How the utterances of an epoch are put into batches: `data.sampler`.

A plan yields every utterance once, and depends only on its arguments. The place in it is the number of utterances that
it has yielded, so that a run goes on from there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator

import numpy as np

from model.data.draw import Draw

POOL = 16_384
"""Utterances that are put into buckets at once. Their lengths depend on what is drawn for them, and drawing a large
dataset's whole epoch would take minutes."""

Drawn = Callable[[int], Draw]
"""Draws for an utterance, by its number in the epoch."""


def packed(draw: Drawn, utterances: int, budget: int, start: int = 0) -> Iterator[list[Draw]]:
    """Yields batches in the order of the epoch, each of as many utterances as fit.

    Args:
        draw: Draws for an utterance.
        utterances: Number of utterances of the epoch.
        budget: Most positions of a batch; a longer utterance is alone.
        start: Utterances that were yielded before.
    """
    batch: list[Draw] = []
    left = budget
    for number in range(start, utterances):
        drawn = draw(number)
        left -= drawn.length
        if left < 0 and batch:
            yield batch
            batch, left = [], budget - drawn.length
        batch.append(drawn)
    if batch:
        yield batch


def buckets(
    draw: Drawn, utterances: int, budget: int, start: int = 0, *, seed: tuple[int, ...], growth: float
) -> Iterator[list[Draw]]:
    """Yields batches of utterances of similar length, in random order; their number times the longest fits the budget.

    A bucket has the lengths from one boundary to the next. What doesn't fill a batch goes on to the bucket of the next
    longer ones, so that of `POOL` utterances only one batch isn't full.

    Args:
        draw: As for `packed`.
        utterances: As for `packed`.
        budget: As for `packed`, with the padding.
        start: As for `packed`.
        seed: Seed of the order of the batches.
        growth: Each boundary as a multiple of the one before, above 1.

    Source: the bucket sampler of VITS, https://arxiv.org/abs/2106.06103, which repeats utterances to fill its batches.
    """
    for first in range(start - start % POOL, utterances, POOL):
        pool = [draw(number) for number in range(first, min(first + POOL, utterances))]
        batches = _by_length(pool, budget, growth)
        # The 1 keeps this generator apart from those of the draws, which are of (seed, epoch, number).
        order = np.random.default_rng((*seed, first, 1)).permutation(len(batches))
        skipped = max(start - first, 0)
        for batch in (batches[at] for at in order.tolist()):
            if rest := batch[skipped:]:
                yield rest
            skipped = max(skipped - len(batch), 0)


def _by_length(pool: list[Draw], budget: int, growth: float) -> list[list[Draw]]:
    bounds = _boundaries(max(draw.length for draw in pool), growth)
    by_bucket: dict[int, list[Draw]] = {}
    for draw in pool:
        by_bucket.setdefault(bisect_right(bounds, draw.length), []).append(draw)
    batches: list[list[Draw]] = []
    rest: list[Draw] = []
    for number in sorted(by_bucket):
        batch: list[Draw] = []
        longest = 0
        for draw in (*rest, *by_bucket[number]):
            longest = max(longest, draw.length)
            if batch and longest * (len(batch) + 1) > budget:
                batches.append(batch)
                batch, longest = [], draw.length
            batch.append(draw)
        rest = batch
    return [*batches, rest]


def _boundaries(longest: int, growth: float) -> list[int]:
    """Returns the first length of each bucket but the first."""
    bounds = [1]
    while bounds[-1] <= longest:
        bounds.append(max(bounds[-1] + 1, int(bounds[-1] * growth)))
    return bounds[1:]


def padding(batch: list[Draw]) -> int:
    """Returns the positions of padding in a batch of `buckets`."""
    lengths = [draw.length for draw in batch]
    return max(lengths) * len(lengths) - sum(lengths)
