"""Tests that the loop learns, and that a run stopped anywhere continues exactly."""

import errno
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.architecture import Arch, ModelConfig
from model.checkpoints import checkpoint, saving
from model.config import OptimizerConfig
from model.network.decoder import Decoder
from model.training.parallel.state import whole
from model.training.run.lock import hold
from model.training.step.optimizer import make_optimizers, rate_factor, set_rate
from model.training.trainer import Trainer, train
from stages.errors import CodecError, LockedError, MachineError, TrainingError, UsageError
from tests.model.conftest import Configure, MemoryStore, first_epoch, task_store

ROOT = Path(__file__).resolve().parents[3]


def weights(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder).network.state_dict()


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def assert_same(one: object, other: object) -> None:
    """Compares nested dictionaries and lists of tensors and plain values, bit for bit."""
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert_same(value, other[name])
    elif isinstance(one, list | tuple):
        for value, its in zip(one, other, strict=True):
            assert_same(value, its)
    else:
        assert one == other


def after_step(monkeypatch: pytest.MonkeyPatch, step: int, act) -> None:
    original = Trainer.train_step

    def wrapped(self, batches):
        result = original(self, batches)
        if self.progress.step + 1 == step:
            act()
        return result

    monkeypatch.setattr(Trainer, "train_step", wrapped)


@pytest.mark.parametrize("sampler", ["packed", "buckets"])
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch, sampler: str
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    settings = {"trainer__save_every": 4, "trainer__log_every": 2, "data__sampler": sampler}
    whole = train(configure(**settings, trainer__out=str(tmp_path / "whole")), store, quiet=True)
    config = configure(**settings)
    with monkeypatch.context() as patch:
        after_step(patch, 7, killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, store, quiet=True)
    assert [line["step"] for line in log_of(tmp_path / "run")] == [2, 4, 6]
    resumed = train(config, store, quiet=True)
    assert [line["step"] for line in log_of(tmp_path / "run")] == [2, 4, 6, 8, 10, 12, 12]
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(resumed)[name]), name


@pytest.mark.parametrize(("arch", "group"), [("llama", 1), ("retnet", 1), ("llama", 2), ("mamba", 1)])
def test_it_learns_and_logs(tmp_path: Path, configure: Configure, store: MemoryStore, arch: Arch, group: int) -> None:
    shape = {"model__arch": arch, "model__group": group, "model__width": 64, "model__kv_heads": None}
    train(configure(**shape, trainer__max_steps=80, trainer__validate_every=40), store, quiet=True)
    log = log_of(tmp_path / "run")
    training = [line for line in log if "train/loss" in line]
    assert training[-1]["train/loss"] < 0.95 * training[0]["train/loss"]
    last = training[-1]
    assert {"grad_norm", "tokens_per_s", "lr", "epoch", "train/loss_0", "train/accuracy_0"} <= last.keys()
    assert last["padding_share"] == 0 <= last["budget_unused"] < 0.3
    assert last["mfu"] > 0 < last["tflops_per_s"]  # the machine's rate is measured while others work
    validations = [line for line in log if "validation/loss" in line]
    assert [line["step"] for line in validations] == [40, 80]
    assert "validation/accuracy_0" in validations[0]
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_weights_in_bfloat16_learn_and_are_scored_in_float32(configure: Configure) -> None:
    trainer = Trainer(configure(trainer__precision="bf16-true", data__batch_tokens=2000), task_store(), quiet=True)
    before, batch = trainer.validate()["validation/loss"], next(trainer.stream.batches())
    first, *_, last = (trainer.train_step([batch])[0] for _ in range(8))
    assert {weight.dtype for weight in trainer.raw_network.parameters()} == {torch.bfloat16}
    assert last.loss_H.sum() < 0.97 * first.loss_H.sum()
    assert last.loss_H.dtype == torch.float32
    assert last.tasks_3J[2].sum() == batch.num_targets > 256, "bfloat16 doesn't count further"
    assert trainer.validate()["validation/loss"] < before


def test_accumulation_weighs_every_target_alike(configure: Configure, store: MemoryStore) -> None:
    norms = []
    for batch_tokens, accumulate in ((100_000, 1), (300, 30)):
        config = configure(
            data__batch_tokens=batch_tokens, data__continuation_probability=0.0, trainer__accumulate=accumulate
        )
        trainer = Trainer(config, store, quiet=True)
        scores, norm = trainer.train_step(first_epoch(trainer.stream))
        norms.append((scores.loss_H.sum().item(), norm))
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def poison(monkeypatch: pytest.MonkeyPatch, steps: range) -> None:
    """Makes the losses of some steps NaN."""
    original = Trainer.score

    def poisoned(self, batch, *, alone=False):
        scores = original(self, batch, alone=alone)
        return replace(scores, loss_H=scores.loss_H * float("nan")) if self.progress.step + 1 in steps else scores

    monkeypatch.setattr(Trainer, "score", poisoned)


def test_a_gradient_that_is_no_number_changes_nothing(configure: Configure, store: MemoryStore, monkeypatch) -> None:
    trainer = Trainer(configure(trainer__ema_decay=0.9), store, quiet=True)
    batches = first_epoch(trainer.stream)
    trainer.train_step(batches[:1])
    before = whole(
        [trainer.raw_network.state_dict(), trainer.average.weights, trainer.updates.optimizers[0].state_dict()]
    )
    with monkeypatch.context() as patch:
        poison(patch, range(99))
        _, norm = trainer.train_step(batches[1:2])
    after = whole(
        [trainer.raw_network.state_dict(), trainer.average.weights, trainer.updates.optimizers[0].state_dict()]
    )
    assert math.isnan(norm)
    assert_same(before, after)
    _, norm = trainer.train_step(batches[1:2])
    assert math.isfinite(norm), "nothing of the bad gradient stays"


def test_skipped_steps_are_counted_and_left_out_of_the_means(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    poison(monkeypatch, range(5, 8))
    train(configure(trainer__log_every=2), store, quiet=True)
    lines = {line["step"]: line for line in log_of(tmp_path / "run") if "skipped" in line}
    assert {step: line["skipped"] for step, line in lines.items()} == {2: 0, 4: 0, 6: 2, 8: 3, 10: 3, 12: 3}
    assert "train/loss" not in lines[6]
    assert all(math.isfinite(value) for line in lines.values() for value in line.values())


def test_a_gradient_that_stays_no_number_stops_the_run(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    poison(monkeypatch, range(5, 99))
    config = configure(trainer__save_every=3, trainer__max_skips=2)
    told = r"norm must be finite, but is nan at step 7, after 2 skipped steps.*step-00000006.*optimizer\.lr"
    with pytest.raises(TrainingError, match=told):
        train(config, store, quiet=True)
    kept = weights(tmp_path / "run")
    assert all(weight.isfinite().all() for weight in kept.values())
    with pytest.raises(TrainingError, match="at step 7"):
        train(config, store, quiet=True)  # the number of skipped steps survives a restart
    monkeypatch.undo()
    assert train(config, store, quiet=True).name == "step-00000012"


def test_a_changed_run_is_not_gone_on_with_unasked(configure: Configure, store: MemoryStore) -> None:
    train(configure(trainer__max_steps=2), store, quiet=True)
    longer = configure(trainer__max_steps=3, optimizer__lr=1e-3)
    with pytest.raises(UsageError, match=r"`optimizer.lr`: 0.003 -> 0.001; `trainer.max_steps`: 2 -> 3"):
        train(longer, store, quiet=True)
    assert train(longer, store, resume=True, quiet=True).name == "step-00000003"
    with pytest.raises(UsageError, match=r"`model.width`: 32 -> 64"):
        train(configure(trainer__max_steps=3, model__width=64), store, resume=True, quiet=True)
    with pytest.raises(UsageError, match="the dataset's content"):
        train(longer, replace(store, fingerprint="other"), quiet=True)
    with pytest.raises(CodecError, match="`revision` must be"):
        train(longer, replace(store, codec=replace(store.codec, revision="other")), quiet=True)
    with pytest.raises(UsageError, match="new or empty folder with `--fresh`"):
        train(longer, store, fresh=True, quiet=True)


def test_the_average_is_what_is_validated_and_spoken_with(
    tmp_path: Path, configure: Configure, store: MemoryStore
) -> None:
    plain = train(configure(trainer__out=str(tmp_path / "plain")), store, quiet=True)
    config = configure(trainer__ema_decay=0.9)
    averaged = train(config, store, quiet=True)
    state = checkpoint.load_trainer_state(averaged)
    assert_same(weights(plain), state["weights"])
    assert not torch.equal(weights(averaged)["norm.gain"], state["weights"]["norm.gain"])

    trainer = Trainer(config, store, quiet=True)
    trainer.restore(averaged)
    assert_same(state["weights"], trainer.raw_network.state_dict())
    assert_same(weights(averaged), trainer.average.weights)
    spoken = Trainer(configure(), store, quiet=True)
    spoken.raw_network.load_state_dict(weights(averaged))
    assert trainer.validate() == spoken.validate()
    assert_same(state["weights"], trainer.raw_network.state_dict())
    told = [line["validation/loss"] for line in log_of(tmp_path / "run") if "validation/loss" in line]
    assert told == [trainer.validate()["validation/loss"]]


def test_an_average_may_begin_later(tmp_path: Path, configure: Configure, store: MemoryStore) -> None:
    folder = train(configure(trainer__max_steps=2), store, quiet=True)
    trainer = Trainer(configure(trainer__ema_decay=0.9), store, quiet=True)
    trainer.restore(folder)
    assert_same(weights(folder), trainer.average.weights)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("you tried: can't allocate memory: 9")],
)
def test_a_full_memory_is_told_after_saving(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch, error: Exception
) -> None:
    config = configure()
    whole_run = train(configure(trainer__out=str(tmp_path / "whole")), store, quiet=True)
    original = Trainer.score

    def full(self, batch, *, alone=False):
        if self.progress.step == 5:
            raise error
        return original(self, batch, alone=alone)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "score", full)
        told = r"memory of `cpu` is full at step 6.*step-00000005.*fit_gb.*batch_tokens.*accumulate"
        with pytest.raises(TrainingError, match=told):
            train(config, store, quiet=True)
    assert_same(weights(whole_run), weights(train(config, store, quiet=True)))


def test_a_memory_that_is_full_in_validation_is_told_after_saving(
    configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    def full(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "validate", full)
    with pytest.raises(TrainingError, match=r"is full at step 4, .*step-00000004"):
        train(configure(trainer__validate_every=4), store, quiet=True)


def test_a_memory_that_fills_up_in_an_update_is_told_without_saving_half_of_it(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    trainer = Trainer(configure(trainer__save_every=2), store, quiet=True)

    def full() -> None:
        raise MemoryError

    after_step(monkeypatch, 3, lambda: monkeypatch.setattr(trainer.updates.optimizers[0], "step", full))
    with pytest.raises(TrainingError, match=r"at step 4.*step-00000002"):
        trainer.fit()


def test_other_errors_are_not_taken_for_a_full_memory(configure: Configure, store: MemoryStore, monkeypatch) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise RuntimeError("sizes don't fit")

    monkeypatch.setattr(Trainer, "score", wrong)
    with pytest.raises(RuntimeError, match="sizes don't fit"):
        train(configure(), store, quiet=True)


def test_a_run_in_use_is_left_alone(tmp_path: Path, configure: Configure, store: MemoryStore) -> None:
    with hold(tmp_path / "run"), pytest.raises(LockedError, match=f"process {os.getpid()} on"):
        train(configure(), store, quiet=True)
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_full_disk_ends_the_run_with_the_checkpoint_before(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    after_step(monkeypatch, 5, lambda: monkeypatch.setattr(saving.torch, "save", full))
    with pytest.raises(MachineError, match=r"No space left on device.*step-00000004"):
        train(configure(trainer__save_every=4), store, quiet=True)
    assert checkpoint.find(tmp_path / "run").name == "step-00000004"


def test_the_best_is_saved_at_once_and_kept(
    tmp_path: Path, configure: Configure, store: MemoryStore, monkeypatch
) -> None:
    losses = {2: 3.0, 4: 1.0, 6: 2.0, 8: 2.5, 10: 4.0, 12: 5.0}
    monkeypatch.setattr(Trainer, "validate", lambda self: {"validation/loss": losses[self.progress.step]})
    train(configure(trainer__validate_every=2, trainer__save_every=5, trainer__keep=2), store, quiet=True)
    assert [folder.name[-2:] for _, folder in checkpoint.steps(tmp_path / "run")] == ["04", "10", "12"]
    assert checkpoint.load(tmp_path / "run" / "best").meta.step == 4


def test_what_is_done_is_not_done_again(configure: Configure, store: MemoryStore) -> None:
    config = configure(trainer__max_steps=2)
    folder = train(config, store, quiet=True)
    written = folder.stat().st_mtime_ns
    assert train(config, store, quiet=True) == folder
    assert folder.stat().st_mtime_ns == written


def test_nothing_to_resume_is_said(configure: Configure, store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="must hold a run to resume"):
        train(configure(), store, resume=True, quiet=True)


def test_a_missing_device_is_said(configure: Configure, store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="CUDA devices are here"):
        train(configure(trainer__device="cuda:99"), store, quiet=True)
    with pytest.raises(UsageError, match="must be auto, cpu, cuda or cuda:N"):
        train(configure(trainer__device="tpu"), store, quiet=True)


def test_the_rate_rises_and_falls() -> None:
    config = OptimizerConfig(warmup_steps=10, min_lr_ratio=0.1)
    factors = [rate_factor(config, step, 110) for step in range(110)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == max(factors) == 1.0
    assert factors[60] == pytest.approx(0.55)
    assert 0.1 <= factors[-1] < 0.101
    assert rate_factor(OptimizerConfig(warmup_steps=0), 0, 5) == 1.0
    steady = config.model_copy(update={"schedule": "constant"})
    assert [rate_factor(steady, step, 110) for step in range(110)] == factors[:10] + [1.0] * 100
    late = config.model_copy(update={"schedule": "wsd", "decay_share": 0.2})
    falling = [rate_factor(late, step, 110) for step in range(110)]
    assert falling[:89] == factors[:10] + [1.0] * 79
    assert falling[88:] == sorted(falling[88:], reverse=True)
    assert falling[99] == pytest.approx(0.55)
    assert 0.1 <= falling[-1] < 0.15


@pytest.mark.parametrize("matrices", ["adamw", "muon"])
def test_every_weight_is_updated_once(matrices: str) -> None:
    net = Decoder(ModelConfig(width=16, layers=2, heads=2, feedforward=24), 9, 4, 8)
    optimizers = make_optimizers(net, OptimizerConfig(matrices=matrices, lr=1e-3, muon_lr=2e-3))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    weights = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(weights) == sorted(map(id, net.parameters()))
    set_rate(optimizers, 0.5)
    assert {group["lr"] for group in groups} == ({5e-4} if matrices == "adamw" else {5e-4, 1e-3})
