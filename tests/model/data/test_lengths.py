"""What a checkpoint is told of the utterances that were trained on."""

import numpy as np

from model.data.examples import Examples
from model.data.lengths import languages_of, lengths_of, paces_of
from tests.model.conftest import TOKENIZER, MemoryStore, make_config


def examples(store: MemoryStore, **data: object) -> Examples:
    config = make_config(**{f"data__{key}": value for key, value in data.items()})
    return Examples(store, TOKENIZER, config.data, "train")


def test_only_the_utterances_trained_on_count(store: MemoryStore) -> None:
    store.languages = ["en" if row % 3 else "ja" for row in range(24)]
    found = examples(store, max_s=1.2)
    lengths = lengths_of(found)
    assert lengths.longest_frames == store.frames[found.rows].max() <= 90
    assert lengths.most_symbols == max(len(store.phonemes(row)) for row in found.rows)
    ratios = [store.frames[row] / len(store.phonemes(row)) for row in found.rows]
    assert lengths.usual_per_symbol == np.median(ratios)
    assert languages_of(found) == ("en", "ja")
    assert languages_of(examples(store, languages=["ja"])) == ("ja",)


def test_joined_utterances_are_longer(store: MemoryStore) -> None:
    assert lengths_of(examples(store, join_probability=0.5, max_s=4.0)).longest_frames == 300


def test_symbols_take_the_frames_that_explain_the_lengths(store: MemoryStore) -> None:
    """Where each symbol has its own frames, they are found, without any alignment."""
    rng, wanted = np.random.default_rng(0), {"a": 6.0, "t": 2.0, "ˈ": 0.0, "s": 5.0}
    texts = ["".join(rng.choice([*wanted], 30)) for _ in store.frames]
    store.phonemes = texts.__getitem__  # type: ignore[method-assign]
    store.frames = np.array([round(12 + sum(wanted[symbol] for symbol in text)) for text in texts])
    found = paces_of(examples(store, max_s=20.0))
    assert found.keys() == wanted.keys() | {""}
    assert all(abs(found[symbol] - frames) < 0.5 for symbol, frames in wanted.items())
    assert abs(found[""] - 12) < 8
