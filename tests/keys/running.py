"""Proofs for the keys of `trainer`. Those of the loop's keys run the real loop with steps that do nothing."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.checkpoints.checkpoint import build, load, steps
from model.network.packing import Batch
from model.sequences.tokenizer import TASKS
from model.training import fit, previews
from model.training.listening import Heard
from model.training.parallel import strategy
from model.training.parallel.fabric import make_fabric
from model.training.run.lock import hold
from model.training.step.loss import Scores
from model.training.trainer import Trainer, train
from stages.errors import LockedError, TrainingError
from tests.keys.world import Proof, World
from tests.model.conftest import CODEC, TOKENIZER, first_epoch
from tests.model.training.step.test_distill import write_teacher

_MOST_STEPS = 60
"""After this many steps the stand-in for a step fails: the run has no end."""


def _loop(world: World, *, losses: tuple[float, ...] = (), norm: float = 1.0, **values: Any) -> list[list[Batch]]:
    """Runs the loop with steps that do nothing, and returns the batches of each step.

    Args:
        world: The world of the proof.
        losses: The losses of the first validations; later ones are 9.
        norm: The gradient's norm.
        values: Keys of `trainer`.
    """
    given: list[list[Batch]] = []
    rest: Iterator[float] = iter(losses)

    def train_step(self: Trainer, batches: list[Batch]) -> tuple[Scores, float]:
        assert len(given) < _MOST_STEPS, "the run has no end"
        given.append(batches)
        return Scores(
            torch.ones(10), torch.ones(10), torch.ones(10), torch.zeros(3, len(TASKS)), torch.zeros(3, 0)
        ), norm

    settings = {"max_steps": 6, "save_every": 1000, "validate_every": 1000, "log_every": 1000, **values}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", train_step)
        patch.setattr(Trainer, "validate", lambda _: {"validation/loss": next(rest, 9.0)})
        world.trainer(**{f"trainer__{key}": value for key, value in settings.items()}).fit()
    return given


def _logged(world: World, key: str) -> list[int]:
    """Returns the steps whose log line has a key."""
    lines = map(json.loads, (world.folder / "run" / "log.jsonl").read_text().splitlines())
    return [line["step"] for line in lines if key in line]


def _kept(world: World) -> list[int]:
    return [step for step, _ in steps(world.folder / "run")]


def _out(world: World) -> None:
    """The run is written, locked and resumed in this folder."""
    run = world.folder / "elsewhere"
    config = world.config(trainer__out=str(run), trainer__max_steps=1)
    made = train(config, world.store, quiet=True)
    assert (run / "log.jsonl").is_file()
    assert [folder for _, folder in steps(run)] == [made]
    assert train(config, world.store, quiet=True, resume=True) == made
    with hold(run), pytest.raises(LockedError):
        train(config, world.store, quiet=True)


def _start_from(world: World) -> None:
    """The run starts with the weights and the vocabulary (which has an additional tone) of that model."""
    base = write_teacher(world.folder / "base", TOKENIZER.with_tones(["calm"]), model__width=32)
    trainer = world.trainer(trainer__start_from=str(base), model__dropout=0.2)
    assert list(trainer.tokenizer.tones) == ["calm"]
    weights = trainer.raw_network.state_dict()
    for name, weight in load(base).network.state_dict().items():
        assert torch.equal(weights[name][: len(weight)], weight), name


def _max_steps(world: World) -> None:
    """The last step is logged, validated and saved, and the schedule ends there."""
    assert len(_loop(world, max_steps=8, keep_best=0)) == 8
    assert _kept(world) == _logged(world, "lr") == _logged(world, "validation/loss") == [8]
    assert train(world.config(trainer__max_steps=8), world.store, quiet=True, resume=True).name.endswith("8")
    trainer = world.trainer(trainer__max_steps=8, optimizer__warmup_steps=0, optimizer__min_lr_ratio=0.0)
    trainer.progress.step = 4
    trainer.train_step([world.batch])
    assert trainer.updates.optimizers[0].param_groups[0]["lr"] == pytest.approx(3e-3 / 2)


def _seed(world: World) -> None:
    """The seed decides the weights, the order and the dropout of a step."""
    trainer = world.trainer(trainer__seed=5, model__dropout=0.5)
    fresh = build(trainer.config, TOKENIZER, CODEC)
    fresh.initialise(torch.Generator().manual_seed(5))
    for name, weight in fresh.state_dict().items():
        assert torch.equal(trainer.raw_network.state_dict()[name], weight), name
    lengths = [batch.lengths for batch in first_epoch(trainer.stream)]
    drawn = []
    for seed in (5, 5, 6):
        other = world.trainer(trainer__seed=seed, model__dropout=0.5)
        other._seed_dropout()
        drawn.append((torch.rand(1).item(), [batch.lengths for batch in first_epoch(other.stream)]))
    assert drawn[0] == drawn[1]
    assert drawn[0][1] == lengths != drawn[2][1]
    assert drawn[0][0] != drawn[2][0]


def _accumulate(world: World) -> None:
    assert {len(batches) for batches in _loop(world, accumulate=3)} == {3}


@contextmanager
def _fabric_of_a_stand_in(world: World) -> Iterator[dict[str, Any]]:
    """Records Fabric's arguments on a pretended machine with four devices."""
    found: dict[str, Any] = {}

    def fabric(**settings: Any) -> SimpleNamespace:
        found.update(settings)
        return SimpleNamespace(launch=lambda: None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning_fabric.Fabric", fabric)
        patch.setattr(torch.cuda, "device_count", lambda: 4)
        patch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
        patch.setattr(torch, "set_num_threads", lambda threads: found.update(threads=threads))
        yield found


def _devices_of_a_stand_in(world: World) -> None:
    for devices in (2, 3):
        with _fabric_of_a_stand_in(world) as given:
            make_fabric(world.config(trainer__devices=devices, trainer__device="cuda"))
        assert (given["devices"], given["strategy"]) == (devices, "ddp")


def _strategy_of_a_stand_in(world: World) -> None:
    found = {}
    for name in ("ddp", "fsdp"):
        with _fabric_of_a_stand_in(world) as given:
            make_fabric(world.config(trainer__strategy=name, trainer__device="cuda"))
        found[name] = given["strategy"] if name == "ddp" else type(given["strategy"]).__name__
    assert found == {"ddp": "ddp", "fsdp": "ModelParallelStrategy"}


def _device_of_a_stand_in(world: World) -> None:
    for device, accelerator, devices in (("cpu", "cpu", 1), ("cuda:2", "cuda", [2])):
        with _fabric_of_a_stand_in(world) as given:
            make_fabric(world.config(trainer__device=device))
        assert (given["accelerator"], given["devices"]) == (accelerator, devices)


def _threads_of_a_stand_in(world: World) -> None:
    with _fabric_of_a_stand_in(world) as given:
        make_fabric(world.config(trainer__threads=3))
    assert given.get("threads") == 3


def _keep_output(seen: list[Tensor], _module: nn.Module, _given: Any, output: Tensor) -> None:
    seen.append(output)


def _precision(world: World) -> None:
    """In `bf16-true` the weights are bfloat16; in `bf16-mixed` only the products are."""
    for precision, weights, products in (
        ("32-true", torch.float32, torch.float32),
        ("bf16-mixed", torch.float32, torch.bfloat16),
        ("bf16-true", torch.bfloat16, torch.bfloat16),
    ):
        trainer = world.trainer(trainer__precision=precision)
        seen: list[Tensor] = []
        trainer.raw_network.blocks[0].attention.qkv.register_forward_hook(partial(_keep_output, seen))
        trainer.score(world.batch)
        assert {weight.dtype for weight in trainer.raw_network.parameters()} == {weights}
        assert [output.dtype for output in seen] == [products]


def _activation_checkpointing(world: World) -> None:
    """Less is stored for the gradient, and the gradient stays the same."""
    kept, norms = [], []
    for recomputed in (False, True):
        trainer = world.trainer(trainer__activation_checkpointing=recomputed)
        sizes: list[int] = []

        def keep(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            trainer.score(world.batch)
        kept.append(sum(sizes))
        norms.append(trainer.train_step([world.batch])[1])
    assert kept[1] < 0.7 * kept[0]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def _fit_gb(world: World) -> None:
    """Batches are worked through in parts where the memory is small, whole where it is large."""
    world.patch.setattr(fit, "_SHARES", {"cpu": (1.0, 0.0)})
    parts = []
    for gb in (0.003, 100.0):
        trainer = world.trainer(trainer__fit_gb=gb)
        parts.append(len(trainer._parts([world.batch])))
    assert parts[0] > parts[1] == 1


def _compile_of_a_stand_in(world: World) -> None:
    """A stand-in for the compiler, which takes a minute, gets the blocks, and its results are called."""
    calls: list[str] = []

    def compiler(forward: Any, *, dynamic: bool) -> Any:
        calls.append("compiled")
        return lambda *given: calls.append("called") or forward(*given)

    world.patch.setattr(torch, "compile", compiler)
    world.patch.setattr(strategy, "_check_compiler", lambda: None)
    for compiled in (False, True):
        calls.clear()
        world.trainer(trainer__compile=compiled).score(world.batch)
        assert calls == (["compiled"] * 2 + ["called"] * 2 if compiled else [])


def _ema_decay(world: World) -> None:
    """The average takes a share of the new weights, and validation uses the average."""
    trainer = world.trainer(trainer__ema_decay=0.1)
    before = {name: weight.detach().clone() for name, weight in trainer.raw_network.named_parameters()}
    trainer.train_step([world.batch])
    assert trainer.average
    for name, weight in trainer.raw_network.named_parameters():
        torch.testing.assert_close(trainer.average.weights[name], 0.1 * before[name] + 0.9 * weight.detach())
    assert world.trainer(trainer__ema_decay=0.0).average is None


def _validate_every(world: World) -> None:
    _loop(world, validate_every=2, max_steps=7)
    assert _logged(world, "validation/loss") == [2, 4, 6, 7]


def _validate_batches(world: World) -> None:
    for most in (1, 3):
        trainer = world.trainer(trainer__validate_batches=most)
        read: list[Batch] = []
        honest = trainer.score

        def score(batch: Batch, *, alone: bool = False, honest: Any = honest, read: list[Batch] = read) -> Scores:
            read.append(batch)
            scores: Scores = honest(batch, alone=alone)
            return scores

        world.patch.setattr(trainer, "score", score)
        assert trainer.validate()["validation/loss"] > 0
        assert len(read) == most


def _samples_with_a_stand_in_for_the_codec(world: World) -> None:
    """The number of preview utterances, each written beside the real recording."""
    codec = SimpleNamespace(decode=lambda codes_KT: torch.zeros(320 * codes_KT.shape[1]), sample_rate=24_000)
    world.patch.setattr(previews.Previews, "_load", lambda _: codec)

    def generate(_network: nn.Module, _tokenizer: Any, conditions: list[Any], **_: Any) -> list[Any]:
        return [np.zeros((8, 3), np.uint16) for _ in conditions]

    world.patch.setattr(previews, "generate", generate)
    _loop(world, samples=2, max_steps=1)
    folder = world.folder / "run" / "samples" / "step-00000001"
    assert len(list(folder.glob("*.reference.wav"))) == len(list(folder.glob("*.txt"))) == 2
    assert len(list(folder.glob("*.wav"))) == 4


def _judge_of_a_stand_in(world: World) -> None:
    """Whose ears the samples are given to; without one nobody hears them."""
    asked: list[str] = []

    class Ear:
        def __init__(self, model: str, *_: Any) -> None:
            asked.append(model)

        def hear(self, *_: Any) -> Heard:
            return Heard("", 1, 2)

    world.patch.setattr(previews, "Listener", Ear)
    _samples_with_a_stand_in_for_the_codec(world)
    assert (asked, _logged(world, "validation/wer")) == ([], [])
    _loop(world, samples=1, max_steps=1, validate_every=1, judge="a-whisper", out=str(world.folder / "judged"))
    assert asked == ["a-whisper"]
    lines = (world.folder / "judged" / "log.jsonl").read_text().splitlines()
    assert [record["validation/wer"] for record in map(json.loads, lines) if "validation/wer" in record] == [0.5]


def _save_every(world: World) -> None:
    _loop(world, save_every=2, max_steps=7, keep=100)
    assert _kept(world) == [2, 4, 6, 7]


def _keep(world: World) -> None:
    _loop(world, save_every=1, keep=2)
    assert _kept(world) == [5, 6]


def _keep_best(world: World) -> None:
    """Beside the newest checkpoint, the two with the best validation are kept, even between two saves."""
    _loop(world, losses=(5.0, 2.0, 4.0, 3.0, 6.0), validate_every=1, keep=1, keep_best=2)
    assert _kept(world) == [2, 4, 6]


def _max_skips(world: World) -> None:
    for skips in (0, 4):
        with pytest.raises(TrainingError):
            _loop(world, norm=math.nan, max_skips=skips, log_every=1, max_steps=20, out=str(world.folder / str(skips)))
        lines = (world.folder / str(skips) / "log.jsonl").read_text().splitlines()
        assert len(lines) == skips, "the step that exceeds it raises the error instead"


def _log_every(world: World) -> None:
    _loop(world, log_every=4, max_steps=10)
    assert _logged(world, "lr") == [4, 8, 10]


TRAINER: dict[str, Proof] = {
    "out": _out,
    "start_from": _start_from,
    "max_steps": _max_steps,
    "seed": _seed,
    "accumulate": _accumulate,
    "devices": _devices_of_a_stand_in,
    "strategy": _strategy_of_a_stand_in,
    "activation_checkpointing": _activation_checkpointing,
    "fit_gb": _fit_gb,
    "compile": _compile_of_a_stand_in,
    "ema_decay": _ema_decay,
    "precision": _precision,
    "device": _device_of_a_stand_in,
    "threads": _threads_of_a_stand_in,
    "validate_every": _validate_every,
    "validate_batches": _validate_batches,
    "samples": _samples_with_a_stand_in_for_the_codec,
    "judge": _judge_of_a_stand_in,
    "save_every": _save_every,
    "keep": _keep,
    "keep_best": _keep_best,
    "max_skips": _max_skips,
    "log_every": _log_every,
}
