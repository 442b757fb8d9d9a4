"""A trained model, and what benchmarks let it say."""

from pathlib import Path

import numpy as np
import torch

from model.bench.basis.random_data import SEED
from model.checkpoints.checkpoint import Checkpoint, load
from model.config import TrainConfig
from model.data.examples import Examples
from model.data.reading import read_condition
from model.decoding.asks import Ask
from model.decoding.options import Decoding
from model.device import inference_dtype, resolve_device
from stages.errors import UsageError
from stages.store.reader import open_store


def load_trained(config: TrainConfig, bench: str, what: str) -> tuple[Checkpoint, torch.device]:
    """Loads the model that a benchmark is to measure, in the precision that it speaks with; sets the threads.

    Args:
        config: Of it: `trainer.start_from`, `trainer.device` and `trainer.threads`.
        bench: The benchmark's name, for the message.
        what: What to set `trainer.start_from` to, for the message.

    Raises:
        UsageError: if no model is named.
    """
    if config.trainer.start_from is None:
        raise UsageError(f"`valle bench {bench}` needs a trained model: set `trainer.start_from` to {what}.")
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    model = load(Path(config.trainer.start_from), str(where))
    model.network.rounded(inference_dtype(where)).eval()
    return model, where


def asks_of(model: Checkpoint, store_folder: str, most: int) -> list[Ask]:
    """Returns what is to be said: utterances of the validation set, by their voices, exactly as long as they are.

    Args:
        model: It says which utterances are for validation.
        store_folder: A dataset of its codec.
        most: How many.

    Raises:
        UsageError: if there is none.
        CodecError: if the dataset is of another codec.
    """
    store = open_store(Path(store_folder))
    model.meta.codec.require(store.codec, store_folder)
    examples = Examples(store, model.tokenizer, model.config.data, "validation", group=model.config.model.group)
    rows = np.random.default_rng(SEED).permutation(examples.rows)[:most]
    if not len(rows):
        raise UsageError(
            f"`{store_folder}` has no validation utterances by the model's `data.validation`: name another."
        )
    draws = [examples.draw(int(row), np.random.default_rng((SEED, row)), ("ar", 0)) for row in rows]
    return [
        Ask(read_condition(examples, draw), draw.frames, Decoding(), least_frames=draw.frames, seed=number)
        for number, draw in enumerate(draws)
    ]
