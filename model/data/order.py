"""The order of an epoch: which utterances it gives, how often, and one after the other."""

import numpy as np
import numpy.typing as npt

from model.sequences.documents import Int64s


def epoch_order(
    rows: Int64s, classes: Int64s, rng: np.random.Generator, *, temperature: float = 1.0, interleaved: bool = False
) -> Int64s:
    """Returns as many rows as there are, shuffled.

    A class with n rows gets a share of the epoch in proportion to `n ** (1 / temperature)`: at 1 each row comes once;
    the higher, the more alike the classes' shares, so that small ones repeat and of large ones a part is left out. No
    row comes again before all rows of its class have come. Source: the sampling of languages in
    https://arxiv.org/abs/1907.05019, section 4.2.

    Args:
        rows: What to order, `[N]`.
        classes: The class of each, 0 or more, `[N]`: a speaker, a group.
        rng: Of the shuffling.
        temperature: 1 or more.
        interleaved: Spread each class evenly over the epoch, so that none comes in clumps.
    """
    if temperature == 1.0 and not interleaved:
        return rng.permutation(rows)
    by_class = rng.permutation(len(rows))
    by_class = by_class[np.argsort(classes[by_class], kind="stable")]
    sizes = np.bincount(classes)
    taken = sizes if temperature == 1.0 else shares(sizes, temperature)
    owner = np.repeat(np.arange(len(sizes)), taken)
    number = np.arange(len(owner)) - (np.cumsum(taken) - taken)[owner]
    first = np.cumsum(sizes) - sizes
    chosen = rows[by_class[first[owner] + number % np.maximum(sizes, 1)[owner]]]
    if interleaved:
        at = (number + rng.random(len(sizes))[owner]) / taken[owner]
        order = np.argsort(at, kind="stable")
    else:  # in rounds: what repeats comes again when all of its class have come
        order = np.lexsort((rng.random(len(owner)), number // np.maximum(sizes, 1)[owner]))
    ordered: Int64s = chosen[order]
    return ordered


def shares(sizes: npt.NDArray[np.integer], temperature: float) -> Int64s:
    """Returns how many rows each class gives, as many as there are in all; those with any give at least one.

    Args:
        sizes: Rows of each class.
        temperature: As in `epoch_order`.
    """
    weights = np.where(sizes > 0, sizes ** (1 / temperature), 0)
    wanted = weights / weights.sum() * sizes.sum()
    given: Int64s = wanted.astype(np.int64)
    # What rounding down left over goes to the largest remainders.
    left = int(sizes.sum() - given.sum())
    given[np.argsort(given - wanted, kind="stable")[:left]] += 1
    return given
