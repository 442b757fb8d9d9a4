"""The training loop. It reads codes, never audio, and a run that was stopped goes on as if it never had been."""

import math
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import islice
from operator import add
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from model.attention import Packed
from model.batching import START, Batch, BatchStream, Place, every_mode, prefetched
from model.checkpoint import (
    Meta,
    build,
    checkpoint_folder,
    load_trainer_state,
    load_weights,
    newest,
    read_config,
    read_meta,
    read_tokenizer,
    save,
)
from model.config import TrainConfig
from model.dataset import Examples, Store, content_of
from model.device import make_fabric
from model.interrupt import stop_signals
from model.loss import Scores, score
from model.network import Decoder
from model.optimizer import make_optimizers, rate_factor, set_rate
from model.progress import Meter, MuteLog, RunLog
from model.start import begin
from model.tokenizer import Tokenizer
from stages.errors import StoppedError, TrainingError, UsageError

VALIDATION_SEED = 1234
"""Of the draws of validation documents: the same in every run, so that runs can be compared."""


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    place: Place = START


class Trainer:
    """A run: network, optimiser, data and the place in it.

    Args:
        config: All sections.
        store: The dataset.
        resumed: The checkpoint that is gone on from, if any: its vocabulary holds.
        quiet: Show nothing while training.

    Raises:
        UsageError: if the dataset has nothing to train on, or the device isn't there.
    """

    def __init__(self, config: TrainConfig, store: Store, *, resumed: Path | None = None, quiet: bool = False) -> None:
        self.config = config
        self.store = store
        self.quiet = quiet
        self.run = Path(config.trainer.out)
        self.fabric = make_fabric(config)
        self.tokenizer, network = begin(config, store) if resumed is None else self._rebuild(resumed)
        part = {"rank": self.fabric.global_rank, "world": self.fabric.world_size}
        self.stream = BatchStream(self._examples("train"), config.data.batch_tokens, seed=config.trainer.seed, **part)
        self.raw_network = network
        self.network, *self.optimizers = self.fabric.setup(network, *make_optimizers(network, config.optimizer))
        self.progress = Progress()

    def _rebuild(self, resumed: Path) -> tuple[Tokenizer, Decoder]:
        """Returns a checkpoint's vocabulary and its network; `restore` brings the weights."""
        tokenizer = read_tokenizer(resumed)
        return tokenizer, build(self.config, tokenizer, self.store.codec)

    def _examples(self, split: Literal["train", "validation"]) -> Examples:
        return Examples(self.store, self.tokenizer, self.config.data, split)

    # ------------------------------------------------------------------------------------------ single training step

    def train_step(self, batches: list[Batch]) -> tuple[Scores, float]:
        """Updates the weights once.

        Args:
            batches: What to accumulate over; every target weighs the same, whatever batch it is in.

        Returns:
            The scores before the update and the norm of the gradient before clipping.

        Raises:
            TrainingError: if the gradient isn't finite; the weights are left as they were.
        """
        config = self.config.optimizer
        set_rate(self.optimizers, rate_factor(config, self.progress.step, self.config.trainer.max_steps))
        self._seed_dropout()
        num_targets = self._sum(torch.tensor(sum(batch.num_targets for batch in batches)))
        parts = []
        for batch in batches:
            with self.fabric.no_backward_sync(self.network, enabled=batch is not batches[-1]):
                scores = self.score(batch.to(self.fabric.device))
                # ddp takes the mean of the gradients over the devices; every target shall weigh the same.
                self.fabric.backward(scores.loss_H.sum() * (self.fabric.world_size / num_targets))
            parts.append(scores.detach())
        norm = float(clip_grad_norm_(self.raw_network.parameters(), config.clip_norm))
        if not math.isfinite(norm):
            raise TrainingError(self._not_finite(norm))
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        scores = reduce(add, parts)
        return Scores(self._sum(scores.loss_H), self._sum(scores.correct_H), self._sum(scores.count_H)), norm

    # ----------------------------------------------------------------------------------------------------------------

    def score(self, batch: Batch, *, alone: bool = False) -> Scores:
        """Runs the network on a packed batch; `alone` without the other devices."""
        attend = Packed(batch.lengths, batch.causal, self.fabric.device)
        network = self.raw_network if alone else self.network
        with self.fabric.autocast():
            logits = network(batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows)
        return score(logits, batch.targets)

    def _sum(self, values: Tensor) -> Tensor:
        """Returns the sum over all devices."""
        if self.fabric.world_size == 1:
            return values
        summed: Tensor = self.fabric.all_reduce(values.to(self.fabric.device), reduce_op="sum")  # type: ignore[assignment]
        return summed

    def _seed_dropout(self) -> None:
        """Draws of a step depend on nothing but the step and the device: a resumed run repeats them."""
        place = (self.config.trainer.seed, self.progress.step, self.fabric.global_rank)
        torch.manual_seed(int(np.random.default_rng(place).integers(2**63)))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Scores the validation utterances in every mode, with prompts that never change; {} where there are none."""
        examples = self._examples("validation")
        if not len(examples):
            return {}
        self.network.eval()
        batches = every_mode(examples, self.config.data.batch_tokens, seed=VALIDATION_SEED)
        few = islice(batches, self.config.trainer.validate_batches)
        scores = reduce(add, [self.score(batch.to(self.fabric.device), alone=True) for batch in few])
        self.network.train()
        return scores.report("validation")

    def fit(self) -> Path:
        """Trains until `trainer.max_steps`.

        Returns:
            The last checkpoint's folder.

        Raises:
            StoppedError: on SIGTERM or Ctrl-C, after saving.
            TrainingError: if the gradient is no longer finite; the last checkpoint stands.
        """
        trainer, progress = self.config.trainer, self.progress
        batches = prefetched(self.stream.batches(progress.place))
        log: RunLog = MuteLog()
        if self.fabric.is_global_zero:
            log = RunLog(self.run, step=progress.step, max_steps=trainer.max_steps, quiet=self.quiet)
        meter = Meter()
        self.network.train()
        with log, stop_signals() as received:
            self._announce(log)
            while progress.step < trainer.max_steps:
                group = [next(batches) for _ in range(trainer.accumulate)]
                scores, norm = self.train_step(group)
                progress.step, progress.place = progress.step + 1, group[-1].place
                meter.add(scores, norm, group)
                log.step(progress.step)
                stopped = bool(self._sum(torch.tensor(len(received))))
                at_end = progress.step == trainer.max_steps or stopped
                if progress.step % trainer.log_every == 0 or at_end:
                    rate = self.optimizers[0].param_groups[0]["lr"]
                    values = meter.report() | {"lr": rate, "epoch": progress.place.epoch}
                    log.report(progress.step, values, meter.step_s * (trainer.max_steps - progress.step))
                if progress.step % trainer.validate_every == 0 or progress.step == trainer.max_steps:
                    values = self.validate()
                    log.report(progress.step, values, meter.step_s * (trainer.max_steps - progress.step))
                if progress.step % trainer.save_every == 0 or at_end:
                    folder = self.save()
                if stopped:
                    by = received[0].name if received else "another process"
                    raise StoppedError(
                        f"stopped by {by} after step {progress.step}, saved in `{folder}`."
                        " Give the same command to go on."
                    )
        return folder

    def _announce(self, log: RunLog) -> None:
        unknown = self.tokenizer.unknown_symbols(self.store.symbols)
        if unknown:
            log.say(f"{len(unknown)} symbols outside the vocabulary are learnt as <unk>: {' '.join(unknown)}")
        log.say(
            f"{self._sizes()} parameters on {self.fabric.device},"
            f" {len(self.stream.examples):,} utterances; steps {self.progress.step} to {self.config.trainer.max_steps}"
        )

    def _sizes(self) -> str:
        trained = sum(weight.numel() for weight in self.raw_network.parameters() if weight.requires_grad)
        whole = self.raw_network.num_parameters()
        return f"{whole:,}" if trained == whole else f"{trained:,} of {whole:,}"

    def _not_finite(self, norm: float) -> str:
        kept = newest(self.run)
        where = f"The last checkpoint is `{kept}`" if kept else "No checkpoint was written yet"
        return (
            f"the gradient's norm must be finite, but is {norm} at step {self.progress.step + 1}. {where}."
            " Lower `optimizer.lr` or `optimizer.clip_norm`, or lengthen `optimizer.warmup_steps`."
        )

    # --------------------------------------------------------------------------------------------- save and resume

    def save(self) -> Path:
        """Writes a checkpoint, on one of the devices; returns its folder."""
        state = {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "place": asdict(self.progress.place),
        }
        content = content_of(self.store, self.config.data)
        meta = Meta(self.progress.step, self.store.codec, content, tuple(self.store.symbols))
        if self.fabric.is_global_zero:
            save(
                self.run,
                self.raw_network,
                state,
                config=self.config,
                tokenizer=self.tokenizer,
                meta=meta,
                keep=self.config.trainer.keep,
            )
        self.fabric.barrier()
        return checkpoint_folder(self.run, self.progress.step)

    def restore(self, folder: Path) -> None:
        """Takes over weights, optimiser and place in the data from a checkpoint."""
        load_weights(self.raw_network, folder)
        state = load_trainer_state(folder)
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.progress = Progress(read_meta(folder).step, Place(**state["place"]))


def train(config: TrainConfig, store: Store, *, fresh: bool = False, resume: bool = False, quiet: bool = False) -> Path:
    """Trains, or goes on with what `trainer.out` holds.

    Args:
        config: All sections.
        store: The dataset.
        fresh: Refuse to go on with an earlier run.
        resume: Go on with an earlier run even where the configuration (but not the model) has changed.
        quiet: Show nothing.

    Returns:
        The last checkpoint's folder.

    Raises:
        UsageError: if the folder holds a run that must not be, or can't be, gone on with.
        CodecError: if the dataset's codes are of another codec than the run's.
        StoppedError: on SIGTERM or Ctrl-C, after saving.
        TrainingError: if the gradient is no longer finite.
    """
    found = resumable(config, store, fresh=fresh, resume=resume)
    trainer = Trainer(config, store, resumed=found, quiet=quiet)
    if found:
        trainer.restore(found)
        if trainer.progress.step >= config.trainer.max_steps:
            return found
    return trainer.fit()


def resumable(config: TrainConfig, store: Store, *, fresh: bool, resume: bool) -> Path | None:
    """Returns the checkpoint to go on from, None to begin; raises as `train` does."""
    run = Path(config.trainer.out)
    found = newest(run)
    if found is None:
        if resume:
            raise UsageError(f"`trainer.out` must hold a run to resume, but `{run}` has none. Leave `--resume` out.")
        return None
    if fresh:
        raise UsageError(
            f"`trainer.out` must be a new or empty folder with `--fresh`, but `{run}` holds a run up to {found.name}."
            f" Name another folder with `--set trainer.out=…`, or remove `{run}`."
        )
    meta = read_meta(found)
    meta.codec.require(store.codec, config.data.store)
    differing = read_config(found).differences(config)
    if meta.dataset != content_of(store, config.data):
        differing.append("the dataset's content")
    if any(item.startswith("`model.") for item in differing) or (differing and not resume):
        raise UsageError(
            f"`{found}` must come from the same configuration to go on with it, but these differ:"
            f" {'; '.join(differing)}. Undo that, name another `trainer.out`, or accept it with `--resume`"
            " (the model's shape must stay)."
        )
    return found
