"""`valle bench archs`: what each architecture learns of a dataset in the same time."""

import tempfile
from pathlib import Path

from model.architecture import ModelConfig
from model.bench.basis.rates import Values, clock_of
from model.config import TrainConfig
from model.device import hardware
from model.training.trainer import Trainer
from stages.errors import UsageError
from stages.store.reader import open_store

_EXPERTS, _CHOSEN = 8, 2
_WINDOW_S = 0.5


def shapes(model: ModelConfig, frame_rate: float) -> dict[str, ModelConfig]:
    """Returns the architectures that are compared, of the same width and depth.

    Args:
        model: The shape.
        frame_rate: Frames per second of the codec.

    Returns:
        By name: attention to everything; to half a second of the response; retention; Mamba-2; and attention with 8
        experts, of which each position takes 2 of half the inner width, so that as many operations are done.
    """
    plain = model.model_copy(
        update={"arch": "llama", "window": None, "state": None, "experts": 1, "experts_per_token": None}
    )
    no_groups = plain.model_copy(update={"kv_heads": None})
    experts = {"experts": _EXPERTS, "experts_per_token": _CHOSEN, "feedforward": max(8, model.feedforward // _CHOSEN)}
    return {
        "llama": plain,
        "window": plain.model_copy(update={"window": round(_WINDOW_S * frame_rate)}),
        "retnet": no_groups.model_copy(update={"arch": "retnet"}),
        "mamba": no_groups.model_copy(update={"arch": "mamba", "state": model.state}),
        "experts": plain.model_copy(update=experts),
    }


def archs(config: TrainConfig, *, seconds: float) -> Values:
    """Trains each architecture for the same time on `data.store`, and validates it.

    The time is the processor's, on CUDA that of the clock. The architectures take turns, so that what else the machine
    does falls on all alike. The learning rate stays what it is after the warm-up.

    Args:
        config: The configuration of the run, without its architecture.
        seconds: Time for each.

    Returns:
        Of each: its parameters, those that one position goes through, its updates, positions per second of that time,
        and its loss on the validation utterances, over all and of the modes trained: `0` (ar), `nar`, `canvas`
        (nar-len), `all`.

    Raises:
        UsageError: if the configuration starts from another model, trains in several processes or validates nothing.
    """
    if config.trainer.start_from or config.trainer.devices > 1 or not config.data.validation:
        raise UsageError(
            "`valle bench archs` compares new models in one process on validation utterances: `trainer.start_from` must"
            " not be set, `trainer.devices` must be 1, and `data.validation` must be above 0, but they are"
            f" {config.trainer.start_from}, {config.trainer.devices} and {config.data.validation}."
        )
    store = open_store(Path(config.data.store))
    constant = config.optimizer.model_copy(update={"schedule": "constant"})
    with tempfile.TemporaryDirectory() as scratch:
        runs: dict[str, _Run] = {}
        for name, model in shapes(config.model, store.codec.frame_rate).items():
            trainer = config.trainer.model_copy(update={"out": str(Path(scratch) / name)})
            changed = {"model": model, "optimizer": constant, "trainer": trainer}
            runs[name] = _Run(Trainer(config.model_copy(update=changed), store, quiet=True))
        if not len(runs["llama"].trainer.validation):
            raise UsageError(
                f"`data.validation` must leave utterances of `{config.data.store}` to validate, but is"
                f" {config.data.validation}, which leaves none. Raise it."
            )
        while waiting := [run for run in runs.values() if run.taken_s < seconds]:
            min(waiting, key=lambda run: run.taken_s).step()
        device = runs["llama"].trainer.fabric.device
        found: Values = {"hardware": hardware(device), "seconds": seconds}
        for name, run in runs.items():
            found |= {f"{name}_{key}": value for key, value in run.values().items()}
    return found


class _Run:
    """The training of one architecture."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.taken_s, self._positions = 0.0, 0
        self._batches = trainer.stream.batches()
        self._clock = clock_of(trainer.fabric.device)
        trainer.network.train()

    def step(self) -> None:
        """Makes an update; drawing its batches isn't counted."""
        group = [next(self._batches) for _ in range(self.trainer.config.trainer.accumulate)]
        started = self._clock()
        self.trainer.train_step(group)
        self.trainer.progress.step += 1
        self.taken_s += self._clock() - started
        self._positions += sum(len(batch.tokens_L) for batch in group)

    def values(self) -> Values:
        """Returns the results."""
        network, losses = self.trainer.raw_network, self.trainer.validate()
        told = {"": "loss", "_0": "loss_0", "_nar": "loss_nar", "_canvas": "loss_canvas", "_all": "loss_all"}
        return {
            "parameters": network.num_parameters(),
            "active_parameters": network.num_active(),
            "steps": self.trainer.progress.step,
            "tokens_per_s": round(self._positions / self.taken_s, 1),
            **{
                name: round(losses[f"validation/loss{part}"], 3)
                for part, name in told.items()
                if f"validation/loss{part}" in losses
            },
        }
