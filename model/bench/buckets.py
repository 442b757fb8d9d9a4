"""`valle bench buckets`: training on packed batches against padded ones of utterances of similar length."""

from collections.abc import Callable
from typing import Literal

from model.bench.basis.rates import Values, clock_of
from model.config import TrainConfig
from model.device import hardware
from model.training.trainer import Trainer
from stages.errors import UsageError
from stages.store.reader import Store, open_store


class _Side:
    """A run of one sampler, and what it has done so far."""

    def __init__(self, config: TrainConfig, store: Store, sampler: Literal["packed", "buckets"]) -> None:
        data = config.data.model_copy(update={"sampler": sampler})
        self.trainer = Trainer(config.model_copy(update={"data": data}), store, quiet=True)
        self.trainer.network.train()
        self._batches = self.trainer.stream.batches()
        self.seconds = 0.0
        self.useful = self.computed = 0

    def step(self, clock: Callable[[], float]) -> None:
        """Takes a step, the reading of its batches included."""
        started = clock()
        group = [next(self._batches) for _ in range(self.trainer.config.trainer.accumulate)]
        self.trainer.train_step(group)
        self.trainer.progress.count(group[-1].place, good=True)
        self.seconds += clock() - started
        self.useful += sum(sum(batch.lengths) for batch in group)
        self.computed += sum(batch.tokens_L.numel() for batch in group)

    def values(self, name: str) -> Values:
        """Returns what it has done, and the validation loss; both sides are validated alike, on packed batches."""
        found: Values = {
            f"{name}_steps": self.trainer.progress.step,
            f"{name}_padding_share": round(1 - self.useful / self.computed, 4),
            f"{name}_tokens_per_s": round(self.useful / self.seconds, 1),
        }
        losses = self.trainer.validate()
        return found | {f"{name}_validation_loss": round(losses["validation/loss"], 4)}


def by_length(config: TrainConfig, *, seconds: float) -> Values:
    """Trains the same new model with `data.sampler` = packed and = buckets for as long, on the dataset `data.store`.

    The sides take turns. On the CPU, seconds are processor time, so other load on the machine matters little.

    Args:
        config: The configuration of the run; its learning-rate schedule counts, too.
        seconds: Seconds to train each side.

    Returns:
        For each side: steps, share of padding, useful positions (without padding) per second, and the validation loss
        at the end; and the ratio of the useful positions.

    Raises:
        UsageError: if the configuration starts from another model, trains in several processes, or keeps no
            utterances for validation.
    """
    if config.trainer.start_from or config.trainer.devices > 1:
        raise UsageError(
            "`valle bench buckets` trains a new model in one process: `trainer.start_from` must not be set and"
            f" `trainer.devices` must be 1, but they are {config.trainer.start_from} and {config.trainer.devices}."
        )
    store = open_store(config.data.store)
    sides = {"packed": _Side(config, store, "packed"), "buckets": _Side(config, store, "buckets")}
    first = sides["packed"].trainer
    if not len(first.validation):
        raise UsageError(
            f"`valle bench buckets` compares validation losses, but `data.validation` = {config.data.validation}"
            f" keeps no utterance of `{config.data.store}` for it. Raise it."
        )
    device = first.fabric.device
    clock = clock_of(device)
    for side in sides.values():  # what PyTorch sets up at its first pass isn't measured
        side.trainer.score(next(side.trainer.stream.batches()).to(device))
    while min(side.seconds for side in sides.values()) < seconds:
        for side in sides.values():
            if side.seconds < seconds:
                side.step(clock)
    found: Values = {
        "hardware": hardware(device),
        "parameters": first.raw_network.num_parameters(),
        "utterances": len(first.stream.examples),
    }
    for name, side in sides.items():
        found |= side.values(name)
    ratio = sides["buckets"].useful / sides["buckets"].seconds / (sides["packed"].useful / sides["packed"].seconds)
    return found | {"ratio": round(ratio, 2)}
