"""Tests distillation: the formula, its gradient, the trained student, and the teachers that are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoints import checkpoint, saving
from model.checkpoints.checkpoint import Meta
from model.data.reading import read_document
from model.network.attention import Packed
from model.network.packing import collate
from model.sequences.tokenizer import Tokenizer
from model.training.plan import describe
from model.training.step.distill import Teacher, divergence
from model.training.trainer import Trainer, train
from stages.errors import CodecError, MissingInputError, UsageError
from tests.model.conftest import CODEC, Configure, MemoryStore, make_config
from tests.model.training.test_trainer import log_of

ROOT = Path(__file__).resolve().parents[4]


def write_teacher(folder: Path, tokenizer: Tokenizer | None = None, **values: Any) -> Path:
    """Writes a teacher that is larger than the student, and confident."""
    config = make_config(**{"model__width": 48, "model__dropout": 0.2, **values})
    tokenizer = tokenizer or Tokenizer.default(8)
    network = checkpoint.build(config, tokenizer, CODEC)
    network.initialise(torch.Generator().manual_seed(9))
    with torch.no_grad():
        for head in network.heads:
            head.weight.mul_(20)
    meta = Meta(3, CODEC, "other", ("a",))
    saving.write(folder, saving.Snapshot(network.state_dict(), {}, config, tokenizer, meta))
    return checkpoint.find(folder)


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return write_teacher(tmp_path / "teacher")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_it_is_the_formula_with_the_gradient_of_the_paper(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    teacher_MV, student_MV = torch.randn(2, 5, 9, generator=generator, dtype=torch.float64)
    student_MV.requires_grad_()
    p, q = ((logits / temperature).softmax(-1) for logits in (teacher_MV, student_MV))
    found = divergence(teacher_MV, student_MV, temperature)
    torch.testing.assert_close(found, temperature**2 * (p * (p / q).log()).sum())
    found.backward()
    torch.testing.assert_close(student_MV.grad, temperature * (q - p).detach(), msg="equation 2, times T squared")


def test_a_high_temperature_matches_logits() -> None:
    """Equation 4 of the paper: with logits of mean zero the gradient becomes (z - v) / N."""
    teacher_MV, student_MV = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    teacher_MV, student_MV = (logits - logits.mean(-1, keepdim=True) for logits in (teacher_MV, student_MV))
    student_MV.requires_grad_()
    divergence(teacher_MV, student_MV, 1e4).backward()
    torch.testing.assert_close(student_MV.grad, (student_MV - teacher_MV).detach() / 9, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [{"model__group": 2}, {"model__arch": "retnet", "model__kv_heads": None}], ids=str)
def test_the_step_is_that_of_both_losses_as_weighed(
    tmp_path: Path, store: MemoryStore, configure: Configure, shape: dict[str, Any]
) -> None:
    """The gradient of a step equals that of the formula over all predictions, the teacher without dropout."""
    folder = write_teacher(tmp_path / "teacher", model__group=shape.get("model__group", 1))
    settings = {"distill__teacher": str(folder), "distill__weight": 0.3, "distill__temperature": 3.0, **shape}
    trainer = Trainer(configure(**settings, optimizer__clip_norm=1e9), store, quiet=True)
    examples = trainer.stream.examples
    batch = collate([read_document(examples, examples.draw(row, np.random.default_rng(row))) for row in range(6)], 8)
    attend = Packed(batch.lengths, batch.causal, torch.device("cpu"))
    inputs = batch.tokens_L, batch.codes_LK, batch.positions_L, attend, batch.rows
    taught = checkpoint.load(folder).network.eval()(*inputs)
    network = trainer.raw_network
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    total = torch.tensor(0.0)
    for own, theirs, target in zip(network(*inputs), taught, batch.targets, strict=True):
        p, q = ((logits / 3.0).softmax(-1) for logits in (theirs.detach(), own))
        total = total + 0.7 * -own.log_softmax(-1).gather(1, target[:, None]).sum()
        total = total + 0.3 * 9.0 * (p * (p / q).log()).sum()
    (total / batch.num_targets).backward()
    wanted = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    network.zero_grad()

    _, norm = trainer.train_step([batch])
    assert norm == pytest.approx(float(wanted.norm()), rel=1e-4)
    assert any((weight != before[name]).any() for name, weight in network.named_parameters())


def test_heads_ahead_learn_from_the_codes_alone(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    plain, ahead = (
        Trainer(configure(distill__teacher=str(teacher), model__ahead=n), store, quiet=True) for n in (0, 2)
    )
    scores = [trainer.score(next(trainer.stream.batches())) for trainer in (plain, ahead)]
    torch.testing.assert_close(scores[0].taught, scores[1].taught)
    torch.testing.assert_close(scores[0].loss_H, scores[1].loss_H)
    assert scores[1].ahead_3N.shape == (3, 2)
    ahead.train_step([next(ahead.stream.batches())])
    assert all(head.down.weight.any() for head in ahead.raw_network.ahead)


def test_a_student_comes_to_speak_as_its_teacher(
    tmp_path: Path, teacher: Path, store: MemoryStore, configure: Configure
) -> None:
    """The codes are random, so the student can learn only from the teacher."""
    config = configure(
        **{"distill__teacher": str(teacher), "distill__weight": 1.0, "model__width": 64, "model__kv_heads": None},
        **{"trainer__max_steps": 30, "trainer__validate_every": 30, "optimizer__lr": 1e-2},
    )
    train(config, store, quiet=True)
    log = log_of(tmp_path / "run")
    told = [line["train/distill"] for line in log if "train/distill" in line]
    assert told[-1] < 0.8 * told[0]
    assert all("train/loss" in line for line in log if "train/distill" in line)
    assert not any("validation/distill" in line for line in log)


def test_a_stopped_student_goes_on_as_if_it_never_had_been(tmp_path: Path, teacher: Path, store: MemoryStore) -> None:
    ends = []
    for name, stops in (("whole", [6]), ("parts", [4, 6])):
        for steps in stops:
            out = {"trainer__out": str(tmp_path / name), "trainer__max_steps": steps}
            config = make_config(**out, distill__teacher=str(teacher), optimizer__schedule="constant")
            train(config, store, quiet=True, resume=steps != stops[0])
        ends.append(checkpoint.load(tmp_path / name).network.state_dict())
    for name, weight in ends[0].items():
        assert torch.equal(weight, ends[1][name]), name


def test_a_dry_run_tells_the_teacher(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    plain, told = (describe(configure(**more), store) for more in ({}, {"distill__teacher": str(teacher)}))
    size = checkpoint.load(teacher).network.num_parameters()
    assert told["teacher"] == str(teacher)
    assert told["teacher_parameters"] == size
    assert told["memory_gb"] == pytest.approx(plain["memory_gb"] + 4e-9 * size, abs=0.01)
    assert "teacher" not in plain


MISFITS: dict[str, tuple[Callable[[Path], Path], dict[str, Any], type[Exception], str]] = {
    "vocabulary": (
        lambda folder: write_teacher(folder, Tokenizer.default(8).with_tones(["calm"])),
        {},
        UsageError,
        "must share the vocabulary with the model that learns from it, but has 1 more tokens, such as"
        " `<tone calm>`. Use another teacher, or give this model the teacher's configuration.",
    ),
    "group": (
        lambda folder: write_teacher(folder, model__group=2),
        {},
        UsageError,
        "must share `model.group` = 1 with the model that learns from it, but has 2.",
    ),
    "text_spacing": (
        write_teacher,
        {"model__text_spacing": 4.0},
        UsageError,
        "must share `model.text_spacing` = 4.0 with the model that learns from it, but has 0.0.",
    ),
    "mode": (write_teacher, {"data__modes": {"ar": 1.0, "stt": 1.0}}, UsageError, "but wasn't trained on `stt`."),
    "task": (write_teacher, {"data__tasks": {"cse": 1.0}}, UsageError, "but wasn't trained on `cse`."),
    "nothing": (lambda folder: folder, {}, MissingInputError, "must be a checkpoint or a run's folder"),
}


@pytest.mark.parametrize("what", MISFITS)
def test_a_teacher_that_does_not_fit_is_refused_before_anything_is_done(
    tmp_path: Path, store: MemoryStore, configure: Configure, what: str
) -> None:
    make, values, kind, told = MISFITS[what]
    config = configure(distill__teacher=str(make(tmp_path / "teacher")), **values)
    for act in (describe, lambda *given: train(*given, quiet=True)):
        with pytest.raises(kind) as raised:
            act(config, store)  # type: ignore[operator]
        assert told in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_teacher_of_another_codec_is_refused(teacher: Path, store: MemoryStore, configure: Configure) -> None:
    store.codec = replace(CODEC, codebook_size=32)
    with pytest.raises(CodecError, match="`codebook_size` must be 64, but is 32"):
        describe(configure(distill__teacher=str(teacher)), store)


def test_the_teacher_is_not_trained(teacher: Path, configure: Configure) -> None:
    network = Teacher(
        configure(distill__teacher=str(teacher)), Tokenizer.default(8), CODEC, torch.device("cpu")
    ).network
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())
