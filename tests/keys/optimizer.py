"""Proofs for the keys of `optimizer`: what one real step does to the weights."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from model.training.trainer import Trainer
from tests.keys.world import Proof, World

_PLAIN = {"optimizer__warmup_steps": 0, "optimizer__schedule": "constant", "optimizer__weight_decay": 0.0}


def _step(world: World, *, at: int = 0, **values: Any) -> tuple[Trainer, dict[str, Tensor], dict[str, Tensor]]:
    """Trains step `at` on a fixed batch from fixed weights; returns the trainer and the weights before and after."""
    trainer = world.trainer(**{**_PLAIN, **{f"optimizer__{key}": value for key, value in values.items()}})
    trainer.progress.step = at
    before = copy.deepcopy(trainer.raw_network.state_dict())
    trainer.train_step([world.batch])
    return trainer, before, trainer.raw_network.state_dict()


def _rates(trainer: Trainer) -> list[float]:
    return [group["lr"] for optimizer in trainer.updates.optimizers for group in optimizer.param_groups]


def _rate(world: World, at: int, **values: Any) -> float:
    """Returns the learning rate at a step of 12, as a share of the highest."""
    trainer, _, _ = _step(world, at=at, lr=1e-3, **values)
    assert len(set(_rates(trainer))) == 1
    return _rates(trainer)[0] / 1e-3


def _matrices(world: World) -> None:
    trainer, before, after = _step(world, matrices="muon")
    assert [type(one.optimizer).__name__ for one in trainer.updates.optimizers] == ["AdamW", "Muon"]
    muon = trainer.updates.optimizers[1]
    names = {id(weight): name for name, weight in trainer.raw_network.named_parameters()}
    found = {names[id(weight)] for group in muon.param_groups for weight in group["params"]}
    assert found == {name for name, weight in before.items() if name.startswith("blocks.") and weight.dim() == 2}
    name = "blocks.0.feedforward.gate_up.weight"
    singular = torch.linalg.svdvals((after[name] - before[name]).double())
    assert singular.min() > 0.3 * singular.max(), "its updates are nearly orthogonal"


def _lr(world: World) -> None:
    """AdamW's first step moves every weight with a notable gradient by the learning rate."""
    for lr in (0.004, 0.02):
        _, before, after = _step(world, lr=lr, clip_norm=1e9)
        moved = (after["heads.0.weight"] - before["heads.0.weight"]).abs()
        assert float(moved.median()) == pytest.approx(lr, rel=1e-3)


def _muon_lr(world: World) -> None:
    name, moves = "blocks.0.feedforward.gate_up.weight", []
    for rate in (0.02, 0.06):
        _, before, after = _step(world, matrices="muon", muon_lr=rate)
        moves.append(after[name] - before[name])
    torch.testing.assert_close(moves[1], 3 * moves[0], rtol=1e-3, atol=1e-5)
    assert float(moves[0].pow(2).mean().sqrt()) == pytest.approx(0.2 * 0.02, rel=0.3), "as large as AdamW's"


def _schedule(world: World) -> None:
    ends = {"min_lr_ratio": 0.0, "decay_share": 0.5}
    found = {name: [_rate(world, at, schedule=name, **ends) for at in (3, 9)] for name in ("constant", "wsd", "cosine")}
    assert found["constant"] == pytest.approx([1.0, 1.0])
    assert found["wsd"] == pytest.approx([1.0, 0.5])
    assert found["cosine"] == pytest.approx([0.5 + 0.5**1.5, 0.5 - 0.5**1.5])


def _decay_share(world: World) -> None:
    assert _rate(world, 7, schedule="wsd", decay_share=5 / 6, min_lr_ratio=0.0) == pytest.approx(0.5)


def _min_lr_ratio(world: World) -> None:
    assert _rate(world, 12, schedule="cosine", min_lr_ratio=0.3) == pytest.approx(0.3)
    assert _rate(world, 6, schedule="cosine", min_lr_ratio=0.3) == pytest.approx(0.65)
    assert _rate(world, 12, schedule="wsd", min_lr_ratio=0.3) == pytest.approx(0.3)


def _warmup_steps(world: World) -> None:
    """The rate rises for `warmup_steps` steps, and the schedule starts after them."""
    assert [_rate(world, at, warmup_steps=10) for at in (0, 4, 9, 11)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    down = {"min_lr_ratio": 0.0, "decay_share": 1.0}
    assert _rate(world, 8, warmup_steps=4, schedule="cosine", **down) == pytest.approx(0.5)
    assert _rate(world, 11, warmup_steps=10, schedule="wsd", **down) == pytest.approx(0.5)


def _betas(world: World) -> None:
    """After one step AdamW's moments are (1 - b1) g and (1 - b2) g² for every weight it updates."""
    for matrices in ("adamw", "muon"):
        trainer, _, _ = _step(world, matrices=matrices, betas=(0.5, 0.7))
        for state in trainer.updates.optimizers[0].state.values():
            gradient = state["exp_avg"] / 0.5
            torch.testing.assert_close(state["exp_avg_sq"], 0.3 * gradient**2, rtol=1e-4, atol=0.0)
        assert gradient.abs().max() > 0


def _weight_decay(world: World) -> None:
    """One step shrinks the decaying weights, and no others, by the rate times the key, beside the gradient's update."""
    for matrices, rate in (("adamw", 0.1), ("muon", 0.05)):
        rates = {"matrices": matrices, "lr": 0.1, "muon_lr": rate}
        _, before, plain = _step(world, **rates)
        _, _, decayed = _step(world, **rates, weight_decay=0.5)
        for name, weight in before.items():
            in_blocks = name.startswith("blocks.") and weight.dim() == 2
            share = 0.5 * (rate if in_blocks else 0.1) if in_blocks or name.startswith("heads.") else 0.0
            torch.testing.assert_close(decayed[name], plain[name] - share * weight, rtol=1e-4, atol=1e-6, msg=name)


def _clip_norm(world: World) -> None:
    """The first moment is a tenth of the clipped gradient."""
    for norm in (0.05, 0.2):
        trainer, _, _ = _step(world, clip_norm=norm, betas=(0.9, 0.98))
        [optimizer] = trainer.updates.optimizers
        parts = [one["exp_avg"].flatten() for one in optimizer.state.values()]
        assert float(torch.cat(parts).norm()) == pytest.approx(0.1 * norm, rel=1e-3)


OPTIMIZER: dict[str, Proof] = {
    "matrices": _matrices,
    "lr": _lr,
    "muon_lr": _muon_lr,
    "schedule": _schedule,
    "decay_share": _decay_share,
    "min_lr_ratio": _min_lr_ratio,
    "warmup_steps": _warmup_steps,
    "betas": _betas,
    "weight_decay": _weight_decay,
    "clip_norm": _clip_norm,
}
