"""Measures the utterances of a training set: what a checkpoint tells of what it was trained on.

Axes: N sampled rows.
"""

from collections import Counter

import numpy as np

from model.data.alignment import mean_paces, sample
from model.data.examples import Examples
from model.sequences.lengths import Lengths


def lengths_of(examples: Examples) -> Lengths:
    """Measures the lengths of the utterances, and of joined ones with `data.join_probability`."""
    store, rows, config = examples.store, examples.rows, examples.config
    sample_N = sample(rows)
    symbols_N = np.array([max(1, len(examples.texts.read(int(row)))) for row in sample_N], np.int64)
    longest = int(store.frames[rows].max())
    if config.join_probability:
        longest = max(longest, int(config.max_s * store.codec.frame_rate))
    return Lengths.measured(np.asarray(store.frames)[sample_N], symbols_N, longest)


def paces_of(examples: Examples) -> dict[str, float]:
    """Measures how many frames each symbol takes (`Tokenizer.paces`), with or without aligning the utterances."""
    if examples.alignments is None:
        return mean_paces(examples.store, examples.texts, examples.rows)
    return examples.alignments.paces(sample(examples.rows))


def languages_of(examples: Examples) -> tuple[str, ...]:
    """Returns the language codes of the utterances, the most frequent first."""
    counts = Counter(np.asarray(examples.store.languages)[examples.rows].tolist())
    return tuple(sorted(counts, key=lambda code: (-counts[code], code)))
