"""The training loop. It reads codes, never audio; a resumed run equals an uninterrupted one."""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import cached_property, partial, reduce
from itertools import islice
from operator import add
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from model.architecture import ModelConfig
from model.checkpoints.checkpoint import (
    Meta,
    build,
    check_weights,
    checkpoint_folder,
    load_trainer_state,
    read_meta,
    read_tokenizer,
    read_weights,
)
from model.checkpoints.saving import Saver, Snapshot
from model.config import TrainConfig
from model.data.examples import Examples
from model.data.figures import figures_of
from model.data.lengths import languages_of, lengths_of
from model.data.source import Store, content_of
from model.data.stream import BatchStream, every_mode, prefetched
from model.data.texts import characters_of, symbols_of
from model.network.attention import Attend, Packed
from model.network.decoder import Decoder
from model.network.packing import Batch, Place, in_parts
from model.network.padding import Padded
from model.sequences.tokenizer import Tokenizer
from model.training.ema import Average
from model.training.fit import Demand, Fit, chosen
from model.training.memory import Taught
from model.training.parallel.fabric import make_fabric
from model.training.parallel.state import put, whole
from model.training.parallel.strategy import anywhere, set_up, total, uncompiled
from model.training.previews import Previews
from model.training.resume import Progress, resumable
from model.training.run.failures import is_out_of_memory, not_finite, out_of_memory
from model.training.run.interrupt import stop_signals
from model.training.run.lock import hold
from model.training.run.progress import Meter, MuteLog, RunLog
from model.training.start import begin, built_in_guidance, examples_of, learnt_languages
from model.training.step.aligning import Following
from model.training.step.distill import Teacher
from model.training.step.loss import Scores, Weights, score
from model.training.step.optimizer import rate_factor, set_rate
from model.training.step.usage import Usage
from stages.errors import MachineError, StoppedError, TrainingError

_Result = TypeVar("_Result")

VALIDATION_SEED = 1234
"""Seed of the validation documents. It is the same in every run, so that runs can be compared."""


class Trainer:
    """A run: network, optimisers, data, and the place in the data.

    Args:
        config: All sections.
        store: The dataset.
        resumed: The checkpoint to continue from, if any; the run uses its vocabulary. `restore` loads its weights.
        quiet: Show nothing while training.

    Raises:
        UsageError: if the dataset has nothing to train on, the device isn't available, or a teacher doesn't fit.
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
        self.teacher = (
            Teacher(config, self.tokenizer, store.codec, self.fabric.device) if config.distill.teacher else None
        )
        self.raw_network = network
        self.usage = Usage(network)
        self.fitted: Fit | None = None
        if config.trainer.fit_gb is not None:
            told = self.teacher.network if self.teacher else None
            taught = Taught(told.num_parameters(), told.config) if told else None
            demand = Demand.of(config, network, self.stream.examples, taught=taught)
            self.fitted = chosen(demand, self.fabric.device)
            self.config = config = self.fitted.applied(config)
        self.network, self.updates = set_up(self.fabric, self.raw_network, config)
        decay = config.trainer.ema_decay
        self.average = Average(self.raw_network, decay) if decay else None
        self.validation = self._examples("validation")
        self._guidance = built_in_guidance(config, resumed)
        self._validated: dict[str, float] = {}
        self.previews = self._previews() if config.trainer.samples else None
        self.progress = Progress()
        self._updating = False
        self._languages = learnt_languages(config, languages_of(self.stream.examples), resumed)
        self._lengths = lengths_of(self.stream.examples)

    @cached_property
    def _figures(self) -> dict[str, Any]:
        """What it is trained on, which only the process that saves reads the dataset's receipts for."""
        return figures_of(self.stream.examples, self.validation)

    def _rebuild(self, resumed: Path) -> tuple[Tokenizer, Decoder]:
        """Returns a checkpoint's vocabulary and a network without its weights, which `restore` loads."""
        tokenizer = read_tokenizer(resumed)
        return tokenizer, build(self.config, tokenizer, self.store.codec)

    def _previews(self) -> Previews:
        judged, guidance = self.fabric.is_global_zero, self._guidance
        return Previews(self.config, self.validation, self.fabric.device, judged=judged, guidance=guidance)

    def _examples(self, split: Literal["train", "validation"]) -> Examples:
        return examples_of(self.config, self.store, self.tokenizer, split)

    # ------------------------------------------------------------------------------------------ single training step

    def train_step(self, batches: list[Batch]) -> tuple[Scores, float]:
        """Updates the weights once; if the gradient isn't finite, weights and optimisers stay unchanged.

        Args:
            batches: The batches to accumulate over. Every target has the same weight, whatever its batch.

        Returns:
            This device's scores before the update, and the gradient norm over all devices before clipping.
        """
        config = self.config.optimizer
        set_rate(self.updates.optimizers, rate_factor(config, self.progress.step, self.config.trainer.max_steps))
        self._seed_dropout()
        num_targets = total(self.fabric, torch.tensor(sum(batch.num_targets for batch in batches)))
        batches = self._parts(batches)
        parts = []
        for batch in batches:
            with self.updates.gather(last=batch is batches[-1]):
                scores = self.score(batch)
                self.usage.add()
                # All strategies average the gradients over the devices; undo that, so all targets weigh the same.
                weights = Weights(self.config.distill.weight, self.config.ahead.weight, self.config.align.weight)
                objective = scores.objective(weights)
                self.fabric.backward(objective * (self.fabric.world_size / num_targets))
            parts.append(scores.detach())
        self._updating = True
        norm = self.updates.apply()
        self.usage.settle(partial(total, self.fabric), good=math.isfinite(norm))
        if self.average and math.isfinite(norm):
            self.average.update(self.progress.step + 1)
        self._updating = False
        return reduce(add, parts), norm

    def _parts(self, batches: Iterable[Batch]) -> list[Batch]:
        """Returns batches as they are worked through: whole, or in parts that fit the memory."""
        most = self.fitted.positions if self.fitted else None
        return [part for batch in batches for part in ([batch] if most is None else in_parts(batch, most))]

    # ----------------------------------------------------------------------------------------------------------------

    def score(self, batch: Batch, *, alone: bool = False) -> Scores:
        """Runs the network on a batch; `alone` runs it without the other devices and the teacher."""
        plain = self.teacher.unguided(batch) if self.teacher and not alone else None
        batch = batch.to(self.fabric.device)
        attend = self.attention(batch)
        following = None
        if self.config.align.weight and not alone:
            attend = following = Following(attend, batch, self.config.align.layer)
        if self.config.trainer.compile:
            attend = uncompiled(attend)
        inputs = batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows
        if alone:
            with self.fabric.autocast():
                logits = self.raw_network(*inputs)
            return score(logits, batch.targets, batch.tasks, ahead=batch.ahead)
        logits = self.network(*inputs)  # opens `autocast` itself; inside another one, bf16-true would round the logits
        taught = None
        if self.teacher:
            with self.fabric.autocast():
                model, beside = self.teacher.network.config, None
                if plain is not None:
                    beside = plain.to(self.fabric.device), self.attention(plain, model)
                taught = self.teacher.divergence(batch, self.attention(batch, model), logits, beside)
        scores = score(logits, batch.targets, batch.tasks, ahead=batch.ahead)
        return replace(scores, taught=taught, followed=following.loss if following else None)

    def attention(self, batch: Batch, model: ModelConfig | None = None) -> Attend:
        """Returns the attention of a batch, by the window of a model; the one in training if none is given."""
        window = (model or self.config.model).window_positions
        if batch.is_padded:
            return Padded.of(batch, self.fabric.device, window=window)
        parts = batch.lengths, batch.causal, self.fabric.device, batch.given
        return Packed(*parts, window=window, before=batch.before)

    def _seed_dropout(self) -> None:
        """Seeds dropout from the step and the device only, so a resumed run repeats it."""
        place = (self.config.trainer.seed, self.progress.step, self.fabric.global_rank)
        torch.manual_seed(int(np.random.default_rng(place).integers(2**63)))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Scores the validation utterances in every mode, always with the same prompts; {} if there are none."""
        if not len(self.validation):
            return {}
        self.network.eval()
        batches = every_mode(self.validation, self.config.data.batch_tokens, seed=VALIDATION_SEED)
        batches = islice(batches, self.config.trainer.validate_batches)
        with self.average.applied() if self.average else nullcontext():
            parts = self._parts(batches)
            scores = reduce(add, [self.score(batch, alone=True) for batch in parts])
        self.network.train()
        return scores.report("validation")

    def _evaluate(self, log: RunLog, meter: Meter) -> float | None:
        """Validates, writes previews on the first device, and returns the validation loss."""
        with meter.paused():
            values = self.validate()
            self._validated = dict(values)
            if self.previews:
                weights = whole(self._spoken_weights, keep=self.fabric.is_global_zero)
                if self.fabric.is_global_zero:
                    values |= self.previews.speak(weights, self.progress.step, log)
            log.report(self.progress.step, values, meter.seconds(self.config.trainer.max_steps - self.progress.step))
        return values.get("validation/loss")

    @property
    def _spoken_weights(self) -> dict[str, Tensor]:
        """The weights for synthesis: the averages if kept, else the network's own; with the experts' biases."""
        weights = self.average.weights if self.average else dict(self.raw_network.named_parameters())
        return {**weights, **self.raw_network.lifts()}

    def fit(self) -> Path:
        """Trains until `trainer.max_steps`.

        Returns:
            The last checkpoint's folder.

        Raises:
            StoppedError: on SIGTERM or Ctrl-C, after saving.
            TrainingError: if the gradient stays non-finite or the memory is full; it names the last checkpoint.
            MachineError: if a checkpoint can't be written; the one before is kept.
        """
        trainer, progress = self.config.trainer, self.progress
        batches = prefetched(self.stream.batches(progress.place))
        log: RunLog = MuteLog()
        if self.fabric.is_global_zero:
            log = RunLog(self.run, step=progress.step, max_steps=trainer.max_steps, quiet=self.quiet)
        meter = Meter(self.fabric, self.raw_network, budget=self.config.data.batch_tokens)
        self.network.train()
        with log, Saver(self.run, keep=trainer.keep, keep_best=trainer.keep_best) as saver, stop_signals() as received:
            self._announce(log, meter.peak)
            while progress.step < trainer.max_steps:
                group = [next(batches) for _ in range(trainer.accumulate)]
                scores, norm = self._in_memory(partial(self.train_step, group), group, progress.step + 1, saver)
                progress.count(group[-1].place, good=math.isfinite(norm))
                if progress.skipped_last > trainer.max_skips:
                    saver.wait()
                    raise TrainingError(not_finite(norm, progress.step, trainer.max_skips, self.run))
                meter.add(scores, norm, group)
                log.step(progress.step)
                stopped, failed = anywhere(self.fabric, received, saver.failed)
                at_end = progress.step == trainer.max_steps or stopped
                if progress.step % trainer.log_every == 0 or at_end:
                    rate = self.updates.optimizers[0].param_groups[0]["lr"]
                    values = {"lr": rate, "epoch": progress.place.epoch, "skipped": progress.skipped}
                    values = meter.report() | self.usage.report() | values
                    log.report(progress.step, values, meter.seconds(trainer.max_steps - progress.step))
                validates = progress.step % trainer.validate_every == 0 or progress.step == trainer.max_steps
                evaluate = partial(self._evaluate, log, meter)
                loss = self._in_memory(evaluate, group, progress.step, saver) if validates else None
                first = self.fabric.is_global_zero
                best = loss is not None and any(anywhere(self.fabric, first and saver.is_best(loss)))
                if progress.step % trainer.save_every == 0 or at_end or best:
                    self.save(saver, loss)
                if stopped or failed:
                    self._settle(saver)
                if stopped:
                    by = received[0].name if received else "another process"
                    raise StoppedError(
                        f"stopped by {by} after step {progress.step}, saved in `{self._folder}`."
                        " Run the same command to go on."
                    )
        return self._folder

    @property
    def _folder(self) -> Path:
        return checkpoint_folder(self.run, self.progress.step)

    def _settle(self, saver: Saver) -> None:
        """Waits until the last checkpoint is written; raises on all devices if that failed."""
        saver.settle()
        if any(anywhere(self.fabric, saver.failed)):
            saver.wait()
            raise MachineError("another process couldn't write a checkpoint; see its message.")

    def _in_memory(self, act: Callable[[], _Result], batches: list[Batch], step: int, saver: Saver) -> _Result:
        """Runs a part of a step; if the memory is full, saves a checkpoint if possible and raises `TrainingError`."""
        try:
            return act()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler, the activations are freed. Other devices are still in the middle of the step.
        self.updates.drop()
        if self.fabric.world_size == 1 and self.progress.step and not self._updating:
            self.save(saver)
        saver.wait()
        positions = max(batch.tokens_L.numel() for batch in batches)
        raise TrainingError(out_of_memory(self.fabric.device, step, positions, self.run))

    def _announce(self, log: RunLog, rate: str) -> None:
        unknown = self.tokenizer.unknown_symbols(symbols_of(self.store, self.config.data))
        if unknown:
            log.say(f"note: {len(unknown)} symbols outside the vocabulary are learnt as <unk>: {' '.join(unknown)}")
        if nameless := [code for code in self._languages if self.tokenizer.language(code) == self.tokenizer.unknown]:
            log.say(f"note: languages outside the vocabulary are learnt as <unk>: {', '.join(nameless)}")
        if (selection := self.stream.examples.selection).left_out:
            log.say(f"note: uses {selection.describe()}")
        if self.fitted:
            log.say(f"note: works through {self.fitted.describe()} expected")
        trained, parameters = (self.raw_network.num_parameters(trained=trained) for trained in (True, False))
        if self.config.data.validation and not len(self.validation):
            log.say("note: there are no validation utterances, so nothing is validated. Raise `data.validation`.")
        log.say(
            f"{trained:,}{f' of {parameters:,}' if trained < parameters else ''} parameters on {self.fabric.device} of"
            f" {rate}, {len(self.stream.examples):,} utterances; steps {self.progress.step} to"
            f" {self.config.trainer.max_steps}"
        )

    # --------------------------------------------------------------------------------------------- save and resume

    def save(self, saver: Saver, validation_loss: float | None = None) -> None:
        """Starts writing a checkpoint on the first device, after the one before is written."""
        self._settle(saver)
        first = self.fabric.is_global_zero
        state = {"optimizers": self.updates.states(keep=first), **asdict(self.progress)}
        if self.average:
            state["weights"] = whole(dict(self.raw_network.named_parameters()), keep=first)
        spoken = whole(self._spoken_weights, keep=first)
        if first:
            content, symbols = content_of(self.store, self.config.data), symbols_of(self.store, self.config.data)
            loudness = self.store.loudness_lufs
            learnt = self._languages, self._lengths, tuple(self.store.lexicon)
            figures = self._figures | ({"validation": self._validated} if validation_loss is not None else {})
            letters = characters_of(self.store, self.config.data)
            told = validation_loss, loudness, *learnt, self._guidance, figures, letters
            meta = Meta(self.progress.step, self.store.codec, content, symbols, *told)
            saver.save(Snapshot(spoken, state, self.config, self.tokenizer, meta))

    def restore(self, folder: Path) -> None:
        """Loads weights, optimisers and the place in the data from a checkpoint."""
        spoken, state = read_weights(folder), load_trainer_state(folder)
        check_weights(self.raw_network, spoken, folder)
        put(dict(self.raw_network.named_parameters()), state.pop("weights", spoken))
        put(self.raw_network.lifts(), spoken)
        if self.average:
            put(self.average.weights, spoken)
        self.updates.put(state.pop("optimizers"))
        self.progress = Progress(**{**state, "step": read_meta(folder).step, "place": Place(**state["place"])})


def train(config: TrainConfig, store: Store, *, fresh: bool = False, resume: bool = False, quiet: bool = False) -> Path:
    """Trains, or continues the run in `trainer.out`.

    Args:
        config: All sections.
        store: The dataset.
        fresh: Refuse to continue an earlier run.
        resume: Continue even if the configuration (except `model`) or the dataset has changed.
        quiet: Show nothing.

    Returns:
        The last checkpoint's folder.

    Raises:
        UsageError: if the folder has a run that must not or can't be continued, or a teacher doesn't fit.
        CodecError: if the run or the teacher was trained on another codec's codes than the dataset's.
        LockedError: if another training uses the folder.
        StoppedError: on SIGTERM or Ctrl-C, after saving.
        TrainingError: if the gradient stays non-finite or the memory is full; the message names the last checkpoint.
        MachineError: if a checkpoint can't be written; the one before is kept.
    """
    with hold(Path(config.trainer.out)):
        checkpoint = resumable(config, store, fresh=fresh, resume=resume)
        trainer = Trainer(config, store, resumed=checkpoint, quiet=quiet)
        if checkpoint:
            trainer.restore(checkpoint)
            if trainer.progress.step >= config.trainer.max_steps:
                return checkpoint
        return trainer.fit()
