"""Tests that experts are counted over all of an update, balanced once, and told in the log."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.training.trainer import Trainer, train
from tests.model.conftest import Configure, MemoryStore, first_epoch
from tests.model.training.test_trainer import log_of, poison


def test_the_biases_follow_the_choices_of_all_batches_once_an_update(configure: Configure, store: MemoryStore) -> None:
    trainer = Trainer(configure(model__experts=4), store, quiet=True)
    batches = first_epoch(trainer.stream)[:3]
    loads: list[torch.Tensor] = []
    add = trainer.usage.add

    def seen() -> None:
        found = trainer.raw_network.loads()
        assert found is not None
        loads.append(found)
        add()

    trainer.usage.add = seen  # type: ignore[method-assign]
    trainer.train_step(batches)
    assert len(loads) == 3
    total = torch.stack(loads).sum(0)
    assert total.sum(1).tolist() == [2 * sum(len(batch.tokens_L) for batch in batches)] * 2, "nothing is dropped"
    wanted = (total.double().mean(1, keepdim=True) - total).sign().long()
    found = torch.stack(list(trainer.raw_network.lifts().values()))
    assert found.tolist() == wanted.tolist()
    report = trainer.usage.report()
    shares = total / total.double().mean(1, keepdim=True)
    assert report["experts/violation"] == pytest.approx(float(shares.max()) - 1)
    assert report["experts/load_1_2"] == pytest.approx(float(shares[1, 2]))
    assert trainer.usage.report() == {}, "each report is of what came since the last one"


@pytest.mark.parametrize("settings", [{"lora__rank": 2}, {"ahead__only": True, "model__ahead": 1}], ids=str)
def test_what_isnt_trained_isnt_balanced_either(
    tmp_path: Path, configure: Configure, store: MemoryStore, settings: dict[str, object]
) -> None:
    start = train(configure(model__experts=3, trainer__max_steps=2), store, quiet=True)
    values = {"trainer__out": str(tmp_path / "more"), "trainer__start_from": str(start), "model__experts": 3}
    trainer = Trainer(configure(**values, **settings), store, quiet=True)
    before = torch.stack(list(trainer.raw_network.lifts().values()))
    assert before.any(), "the model's own biases are kept"
    trainer.train_step([next(trainer.stream.batches())])
    assert torch.stack(list(trainer.raw_network.lifts().values())).equal(before)
    assert trainer.usage.report()["experts/violation"] > 0


def test_a_step_that_is_skipped_moves_nothing(
    configure: Configure, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(configure(model__experts=3), store, quiet=True)
    poison(monkeypatch, range(1, 2))
    trainer.train_step([next(trainer.stream.batches())])
    assert not any(lifts.any() for lifts in trainer.raw_network.lifts().values())
    assert trainer.usage.report() == {}


def test_experts_become_busier_alike_in_a_run(tmp_path: Path, configure: Configure, store: MemoryStore) -> None:
    """With biases whose steps are larger than usual, since the run is short."""
    settings = {"model__experts": 4, "trainer__max_steps": 60, "trainer__log_every": 10, "optimizer__lr": 1e-3}
    violations: list[list[float]] = []
    for lift in (0.0, 0.005):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("model.network.feedforward.LIFT", lift)
            run = tmp_path / str(lift)
            train(configure(**settings, trainer__out=str(run)), store, quiet=True)
        violations.append([line["experts/violation"] for line in log_of(run) if "experts/violation" in line])
    plain, balanced = violations
    assert sum(balanced) < 0.5 * sum(plain)


def test_without_experts_nothing_is_told(configure: Callable[..., object], store: MemoryStore) -> None:
    trainer = Trainer(configure(), store, quiet=True)  # type: ignore[arg-type]
    trainer.train_step([next(trainer.stream.batches())])
    assert trainer.usage.report() == {}
