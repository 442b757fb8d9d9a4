"""Measures the utterances of a training set: what a checkpoint tells of what it was trained on.

Axes: N sampled rows.
"""

from collections import Counter

import numpy as np

from model.data.examples import Examples
from model.sequences.lengths import Lengths

_NEAR = 2.0
"""How much the mean of all symbols counts for the frames of one."""
_SAMPLE = 10_000
"""Most rows whose texts are read: their distribution needs no more."""


def lengths_of(examples: Examples) -> Lengths:
    """Measures the lengths of the utterances, and of joined ones with `data.join_probability`."""
    store, rows, config = examples.store, examples.rows, examples.config
    sample_N = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64)]
    symbols_N = np.array([max(1, len(examples.texts.read(int(row)))) for row in sample_N], np.int64)
    longest = int(store.frames[rows].max())
    if config.join_probability:
        longest = max(longest, int(config.max_s * store.codec.frame_rate))
    return Lengths.measured(np.asarray(store.frames)[sample_N], symbols_N, longest)


def paces_of(examples: Examples) -> dict[str, float]:
    """Measures how many frames each symbol takes, and "", the silence at both ends of an utterance together.

    They are the non-negative numbers whose sums come nearest to the utterances' frames (least squares); what is rare
    stays near the mean. So nothing has to be aligned.
    """
    from scipy.optimize import nnls

    store, rows = examples.store, examples.rows
    sample_N = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(np.int64)]
    counts = [Counter(store.phonemes(int(row))) for row in sample_N]
    names = sorted(set().union(*counts))
    frames_N = np.asarray(store.frames)[sample_N].astype(np.float64)
    table_NS = np.array([[*(count[name] for name in names), 1] for count in counts], np.float64)
    usual = frames_N.sum() / max(1.0, table_NS[:, :-1].sum())
    near_SS = _NEAR * np.diag([*([1.0] * len(names)), 0.0])
    found_S, _ = nnls(np.concatenate([table_NS, near_SS]), np.concatenate([frames_N, usual * near_SS.sum(1)]))
    return dict(zip([*names, ""], found_S.tolist(), strict=True))


def languages_of(examples: Examples) -> tuple[str, ...]:
    """Returns the language codes of the utterances, the most frequent first."""
    counts = Counter(np.asarray(examples.store.languages)[examples.rows].tolist())
    return tuple(sorted(counts, key=lambda code: (-counts[code], code)))
