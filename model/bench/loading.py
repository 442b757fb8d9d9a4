"""`valle bench load`: the data loader alone, against padded batches from files.

Axes: K codebooks, T frames.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.bench.basis.random_data import CODEC, write_store
from model.bench.basis.rates import Values
from model.config import TrainConfig
from model.data.examples import Examples
from model.data.stream import BatchStream
from model.device import hardware
from model.sequences.tokenizer import Tokenizer
from stages.store.reader import Store, open_store

_UTTERANCES = 3000
_SPEAKERS = 100
_TURN = 300
"""Samples that a side reads before the other's turn."""
_PADDED_BATCH = 16
"""Utterances per padded batch."""


def loading(config: TrainConfig, *, seconds: float) -> Values:
    """Measures the stream of packed batches against torch's `DataLoader` with padded batches of `.npy` files.

    The utterances are as long as read speech, with random codes and phonemes, in a store as `valle-prep hdf5` writes
    it. Both sides run in this process without workers. They are timed in CPU seconds, so other load on the machine
    matters little. The baseline does less: it only reads and pads codes, without text, prompt or mode.

    Args:
        config: The configuration; its sections `data` and `model` count.
        seconds: Least CPU seconds to measure each side.

    Returns:
        Samples per second of each side, and their ratio.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_store(folder, _UTTERANCES, _SPEAKERS)
        store = open_store(folder)
        _write_files(store, folder)
        tokenizer = Tokenizer.default(CODEC.num_codebooks)
        examples = Examples(store, tokenizer, config.data, "train", group=config.model.group, ahead=config.model.ahead)
        sides = {"packed": _packed(examples, config), "padded": _padded(folder)}
        speeds = _speeds(sides, seconds)
    return {
        "hardware": hardware(torch.device("cpu")),
        "utterances": _UTTERANCES,
        "packed_samples_per_s": round(speeds["packed"], 1),
        "padded_samples_per_s": round(speeds["padded"], 1),
        "ratio": round(speeds["packed"] / speeds["padded"], 2),
    }


def _write_files(store: Store, folder: Path) -> None:
    """Writes one file of codes per utterance."""
    for number in range(_UTTERANCES):
        np.save(folder / f"{number:05d}.npy", store.codes(number))


def _packed(examples: Examples, config: TrainConfig) -> Iterator[int]:
    """Yields the number of samples in each packed batch."""
    for batch in BatchStream(examples, config.data.batch_tokens, seed=0).batches():
        yield len(batch.lengths)


def _padded(folder: Path) -> Iterator[int]:
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    def collate(parts: list[np.ndarray]) -> Tensor:
        return pad_sequence([torch.from_numpy(part.T.astype(np.int64)) for part in parts], batch_first=True)

    class Files(torch.utils.data.Dataset[np.ndarray]):
        def __len__(self) -> int:
            return _UTTERANCES

        def __getitem__(self, index: int) -> np.ndarray:
            codes_KT: np.ndarray = np.load(folder / f"{index:05d}.npy")
            return codes_KT

    loader = DataLoader(
        Files(), _PADDED_BATCH, shuffle=True, collate_fn=collate, generator=torch.Generator().manual_seed(0)
    )
    while True:
        for batch in loader:
            yield len(batch)


def _speeds(sides: dict[str, Iterator[int]], seconds: float) -> dict[str, float]:
    """Returns each side's samples per CPU second; the sides take turns, and the first turn isn't counted."""
    samples, taken = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0.0)
    turn = 0
    while sum(taken.values()) < seconds * len(sides):
        for name, side in sides.items():
            started, read = time.thread_time(), 0
            while read < _TURN:
                read += next(side)
            if turn:
                samples[name] += read
                taken[name] += time.thread_time() - started
        turn += 1
    return {name: samples[name] / taken[name] for name in sides}
