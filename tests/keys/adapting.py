"""Proofs for the keys of `ahead`, `align`, `lora` and `distill`."""

from typing import Any

import pytest
import torch
from torch import Tensor

from model.network.lora import merge_adapters
from model.training.step.loss import Scores
from model.training.trainer import Trainer
from tests.keys.world import Proof, World
from tests.model.training.step.test_distill import write_teacher


def _adapted(world: World, **values: Any) -> Trainer:
    """Starts a run with adapters on a small model; their weights are random, so that they have an effect."""
    base = write_teacher(world.folder / "base", model__width=32, model__dropout=0.0)
    given = {"rank": 2, **values}
    trainer = world.trainer(
        trainer__start_from=str(base), model__dropout=0.0, **{f"lora__{key}": value for key, value in given.items()}
    )
    generator = torch.Generator().manual_seed(0)
    for name, weight in trainer.raw_network.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(weight, generator=generator)
    return trainer


def _rank(world: World) -> None:
    trainer = _adapted(world, rank=5)
    shapes = [weight.shape for name, weight in trainer.raw_network.named_parameters() if ".lora_A." in name]
    assert len(shapes) == 2 * 4, "on each linear map of each block"
    assert all(shape[0] == 5 for shape in shapes)
    _check_scale(trainer, 1.0)


def _alpha(world: World) -> None:
    _check_scale(_adapted(world, alpha=6), 3.0)
    _check_scale(_adapted(world, alpha=1), 0.5)


def _check_scale(trainer: Trainer, scale: float) -> None:
    """Checks that merging adds `scale` (alpha / rank) times the product of the adapters to a matrix."""
    network, name = trainer.raw_network, "blocks.1.attention.out"
    layer: Any = network.get_submodule(name)
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    before = layer.base_layer.weight.detach().clone()
    merge_adapters(network)
    torch.testing.assert_close(network.get_submodule(name).weight, before + scale * product)


def _lora_dropout(world: World) -> None:
    trainer = _adapted(world, dropout=0.4)
    seen: list[Tensor] = []
    layer: Any = trainer.raw_network.get_submodule("blocks.0.attention.qkv")
    layer.lora_A["default"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    layer.train()(torch.ones(100, 32))
    layer.eval()(torch.ones(100, 32))
    assert float((seen[0] == 0).float().mean()) == pytest.approx(0.4, abs=0.05)
    assert (seen[1] == 1).all()


def _embeddings(world: World) -> None:
    for embeddings in (True, False):
        trainer = _adapted(world, embeddings=embeddings)
        network = trainer.raw_network
        before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
        trainer.train_step([world.batch])
        changed = {name for name, weight in network.named_parameters() if not weight.equal(before[name])}
        whole = {"token_embedding.weight", "code_embedding.weight", *(f"heads.{n}.weight" for n in range(9))}
        assert {name for name in changed if ".lora_" not in name} == (whole if embeddings else set())
        assert any(".lora_" in name for name in changed)


def _minimised(world: World, trainer: Trainer) -> list[float]:
    """Returns a list that takes the loss of each backward pass."""
    found: list[float] = []
    honest = trainer.fabric.backward

    def backward(loss: Tensor) -> None:
        found.append(float(loss.detach()))
        honest(loss)

    world.patch.setattr(trainer.fabric, "backward", backward)
    return found


def _taught(world: World, **values: Any) -> tuple[Trainer, Scores, float]:
    """Trains one step with a teacher; returns the trainer, the scores and the minimised loss, summed over targets."""
    folder = write_teacher(world.folder / "teacher")
    given = {"teacher": str(folder), **values}
    trainer = world.trainer(**{f"distill__{key}": value for key, value in given.items()})
    minimised = _minimised(world, trainer)
    with torch.no_grad():
        scores = trainer.score(world.batch)
    trainer.train_step([world.batch])
    return trainer, scores, minimised[0] * world.batch.num_targets


def _divergence(trainer: Trainer, world: World, temperature: float) -> float:
    """Returns T² KL(teacher || student) summed over all predictions, computed from the definition."""
    batch, total = world.batch, 0.0
    read = batch.tokens_L, batch.codes_LK, batch.positions_L, trainer.attention(batch), batch.rows
    with torch.no_grad():
        student = world.trainer().raw_network(*read)  # the weights of before the step
        assert trainer.teacher
        for own, theirs in zip(student, trainer.teacher.network(*read), strict=True):
            p, q = ((logits / temperature).softmax(-1) for logits in (theirs, own))
            total += temperature**2 * float((p * (p.clamp_min(1e-30) / q).log()).sum())
    return total


def _teacher(world: World) -> None:
    trainer, scores, minimised = _taught(world)
    assert scores.taught is not None
    assert float(scores.taught) == pytest.approx(_divergence(trainer, world, 2.0), rel=1e-3)
    assert minimised == pytest.approx(0.5 * float(scores.loss_H.sum()) + 0.5 * float(scores.taught), rel=1e-4)


def _weight(world: World) -> None:
    _, scores, minimised = _taught(world, weight=0.9)
    assert scores.taught is not None
    assert minimised == pytest.approx(0.1 * float(scores.loss_H.sum()) + 0.9 * float(scores.taught), rel=1e-4)


def _temperature(world: World) -> None:
    trainer, scores, _ = _taught(world, temperature=5.0)
    assert scores.taught is not None
    assert float(scores.taught) == pytest.approx(_divergence(trainer, world, 5.0), rel=1e-3)


def _guided(world: World, modes: dict[str, float], **values: Any) -> float:
    """Returns a teacher's divergence on a batch, with guidance."""
    folder = world.folder / f"teacher-{len(list(world.folder.iterdir()))}"
    path = write_teacher(folder, data__unconditional_probability=0.1, data__modes=modes)
    given = {"teacher": str(path), "weight": 1.0, **values}
    trainer = world.trainer(**{f"distill__{key}": value for key, value in given.items()}, data__modes=modes)
    with torch.no_grad():
        scores = trainer.score(next(trainer.stream.batches()))
    assert scores.taught is not None
    return float(scores.taught)


def _guidance(world: World) -> None:
    """The scale is in what is learnt from; `tests/model/training/step/test_distill.py` has the definition."""
    one, two, three = (_guided(world, {"ar": 1.0}, guidance=scale) for scale in (1.0, 3.0, 6.0))
    assert one < two < three, "the teacher is more certain with guidance, and the student knows nothing yet"


def _rescale(world: World) -> None:
    modes = {"nar-len": 1.0, "len": 1.0}
    none, all_ = (_guided(world, modes, guidance=8.0, rescale=share) for share in (0.0, 1.0))
    assert all_ < 0.9 * none, "scaled back, the guided logits spread less"


def _ahead_weight(world: World) -> None:
    """The minimised loss has the terms of the heads ahead with this weight, 0.8 and 0.64 times."""
    for weight in (0.2, 0.7):
        trainer = world.trainer(model__ahead=2, ahead__weight=weight, data__modes={"ar": 1.0})
        batch, minimised = next(trainer.stream.batches()), _minimised(world, trainer)
        with torch.no_grad():
            scores = trainer.score(batch)
        trainer.train_step([batch])
        first, second = scores.ahead_3N[0].tolist()
        wanted = float(scores.loss_H.sum()) + weight * (0.8 * first + 0.64 * second)
        assert minimised[0] * batch.num_targets == pytest.approx(wanted, rel=1e-4)


def _ahead_only(world: World) -> None:
    base = write_teacher(world.folder / "base", model__width=32, model__dropout=0.2)
    start = {"trainer__start_from": str(base), "model__dropout": 0.2, "model__ahead": 2}
    for only in (True, False):
        trainer = world.trainer(**start, ahead__only=only)
        before = {name: weight.detach().clone() for name, weight in trainer.raw_network.named_parameters()}
        trainer.network.train()
        batch = next(trainer.stream.batches())
        assert (sum(len(rows) for rows in batch.rows[1:10]) == 0) == only, "the mode ar alone"
        once, again = (trainer.score(batch).loss_H for _ in range(2))
        assert once.equal(again) == only, "nothing is dropped"
        trainer.train_step([batch])
        changed = {name for name, weight in trainer.raw_network.named_parameters() if not weight.equal(before[name])}
        assert {f"ahead.{n}.down.weight" for n in (0, 1)} <= changed
        assert all(name.startswith("ahead.") for name in changed) == only


def _align_weight(world: World) -> None:
    """The minimised loss has the term of the head with this weight."""
    for weight in (0.2, 0.7):
        trainer = world.trainer(align__weight=weight)
        batch, minimised = next(trainer.stream.batches()), _minimised(world, trainer)
        with torch.no_grad():
            scores = trainer.score(batch)
            assert trainer.score(batch, alone=True).followed is None, "validation scores the codes alone"
        assert scores.followed is not None
        assert float(scores.followed) > 0
        trainer.train_step([batch])
        wanted = float(scores.loss_H.sum()) + weight * float(scores.followed)
        assert minimised[0] * batch.num_targets == pytest.approx(wanted, rel=1e-4)


def _align_layer(world: World) -> None:
    """The term reaches the layers up to that of the head, and no later one."""
    for layer in (0, 1):
        trainer = world.trainer(align__weight=0.5, align__layer=layer, model__layers=3)
        followed = trainer.score(next(trainer.stream.batches())).followed
        assert followed is not None
        followed.backward()
        reached = [bool(weight.grad is not None) for weight in (b.attention.qkv.weight for b in _blocks(trainer))]
        assert reached == [number <= layer for number in range(3)]


def _blocks(trainer: Trainer) -> list[Any]:
    return list(trainer.raw_network.blocks)


AHEAD: dict[str, Proof] = {
    "weight": _ahead_weight,
    "only": _ahead_only,
}
ALIGN: dict[str, Proof] = {
    "weight": _align_weight,
    "layer": _align_layer,
}
LORA: dict[str, Proof] = {
    "rank": _rank,
    "alpha": _alpha,
    "dropout": _lora_dropout,
    "embeddings": _embeddings,
}
DISTILL: dict[str, Proof] = {
    "teacher": _teacher,
    "weight": _weight,
    "temperature": _temperature,
    "guidance": _guidance,
    "rescale": _rescale,
}
