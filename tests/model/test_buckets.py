"""Tests that training on padded batches of similar length is the training on packed ones."""

from pathlib import Path

import pytest
import torch

from model.architecture import ARCHS, Arch
from model.training.trainer import Trainer, train
from tests.model.conftest import Configure, MemoryStore, first_epoch, task_store
from tests.model.training.test_trainer import log_of


@pytest.mark.parametrize("arch", ARCHS)
def test_an_epoch_of_either_sampler_has_the_same_loss_and_gradient(
    configure: Configure, store: MemoryStore, arch: Arch
) -> None:
    """What is drawn for an utterance doesn't depend on its batch."""
    shape = {"model__arch": arch, "model__kv_heads": None}
    found = []
    for sampler, extra in (("packed", {}), ("buckets", {}), ("buckets", {"trainer__fit_gb": 1000})):
        trainer = Trainer(configure(data__sampler=sampler, **shape, **extra), store, quiet=True)
        if trainer.fitted:
            trainer.fitted = trainer.fitted.__class__(200, recomputes=False, gb=1.0, parts=3)
        batches = first_epoch(trainer.stream)
        scores, norm = trainer.train_step(batches)
        assert (len(trainer._parts(batches)) > len(batches)) == bool(extra)
        found.append((scores.loss_H, norm))
    for losses, norm in found[1:]:
        torch.testing.assert_close(losses, found[0][0], rtol=1e-4, atol=1e-3)
        assert norm == pytest.approx(found[0][1], rel=1e-4)


def test_it_learns_and_tells_its_padding(tmp_path: Path, configure: Configure) -> None:
    settings = {"data__sampler": "buckets", "trainer__max_steps": 40, "trainer__validate_every": 40}
    train(configure(**settings, model__width=64, model__kv_heads=None), task_store(), quiet=True)
    log = log_of(tmp_path / "run")
    training = [line for line in log if "train/loss" in line]
    assert training[-1]["train/loss"] < 0.9 * training[0]["train/loss"]
    assert 0 < training[-1]["padding_share"] < 0.3
    assert "validation/loss" in log[-1]


def test_padding_would_keep_experts_busy(configure: Configure) -> None:
    with pytest.raises(ValueError, match=r"doesn't go with `model\.experts`"):
        configure(data__sampler="buckets", model__experts=4)
