"""The order of an epoch: which utterances it has, how often and when."""

import numpy as np
import numpy.typing as npt

from model.sequences.documents import Int64s


def epoch_order(
    rows: Int64s, classes: Int64s, rng: np.random.Generator, *, temperature: float = 1.0, interleaved: bool = False
) -> Int64s:
    """Shuffles the rows of an epoch and balances their classes.

    A class with n rows gets a share of the epoch in proportion to `n ** (1 / temperature)`. At 1, each row comes once.
    Higher temperatures make the shares more equal: small classes repeat, and part of the large ones is left out. No row
    repeats before all rows of its class have come. Source: the sampling of languages in
    https://arxiv.org/abs/1907.05019, section 4.2.

    Args:
        rows: The rows, `[N]`.
        classes: The class of each row, such as its speaker or group, 0 or more, `[N]`.
        rng: For shuffling.
        temperature: 1 or more.
        interleaved: Spread each class evenly over the epoch.

    Returns:
        N rows.
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
    else:  # in rounds: a row repeats only after its whole class has come
        order = np.lexsort((rng.random(len(owner)), number // np.maximum(sizes, 1)[owner]))
    ordered: Int64s = chosen[order]
    return ordered


def shares(sizes: npt.NDArray[np.integer], temperature: float) -> Int64s:
    """Returns how many rows of an epoch each class gets; their sum is the sum of `sizes`.

    Args:
        sizes: Rows of each class.
        temperature: As in `epoch_order`.

    Returns:
        Counts; at least 1 for each class that has rows.
    """
    weights = np.where(sizes > 0, sizes ** (1 / temperature), 0)
    wanted = weights / weights.sum() * sizes.sum()
    given: Int64s = wanted.astype(np.int64)
    # The rows left over from rounding down go to the largest remainders.
    left = int(sizes.sum() - given.sum())
    given[np.argsort(given - wanted, kind="stable")[:left]] += 1
    return given
