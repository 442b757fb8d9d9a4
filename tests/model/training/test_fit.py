"""Tests that training fits into a memory, and that every update stays the same there."""

import re
from pathlib import Path

import pytest
import torch

from model.network.decoder import Decoder
from model.training import fit
from model.training.fit import Demand, Fit, chosen, longest
from model.training.parallel.strategy import recompute
from model.training.plan import describe
from model.training.trainer import Trainer, train
from stages.errors import UsageError
from tests.model.conftest import MemoryStore, first_epoch, make_config

CUDA = torch.device("cuda")


def demand_of(**values: object) -> Demand:
    config = make_config(model__width=1024, model__layers=12, model__heads=16, model__feedforward=4096, **values)
    with torch.device("meta"):
        return Demand(config, Decoder(config.model, 100, 8, 1024), longest=2_000)


def test_the_fastest_way_that_fits_is_taken() -> None:
    demand = demand_of(data__batch_tokens=32_768)
    found = [demand.fit(size, CUDA) for size in (4, 8, 12, 16, 24, 48, 80)]
    assert found[0] is None
    fits = [one for one in found if one]
    assert [one.recomputes for one in fits] == sorted((one.recomputes for one in fits), reverse=True)
    assert fits[0].recomputes
    assert (fits[-1].positions, fits[-1].recomputes, fits[-1].parts) == (32_768, False, 1)
    assert all(one.positions >= demand.longest for one in fits)
    for size, one in zip((8, 12, 16, 24, 48, 80), fits, strict=True):
        assert one.gb < 0.92 * size
    least = demand.least(CUDA)
    assert demand.fit(least * 1.001, CUDA)
    assert demand.fit(least * 0.99, CUDA) is None


def test_on_a_processor_parts_cost_nothing_so_nothing_is_computed_again_that_needn_t_be() -> None:
    demand = demand_of(data__batch_tokens=32_768, trainer__precision="32-true")
    small = demand.fit(10, torch.device("cpu"))
    assert small is not None
    assert (small.positions < 4096, small.recomputes) == (True, False)


def test_activations_that_were_asked_to_be_computed_again_are() -> None:
    whole = demand_of(trainer__activation_checkpointing=True).fit(500, CUDA)
    assert whole is not None
    assert whole.recomputes


@pytest.mark.parametrize("recomputes", [False, True])
@pytest.mark.parametrize(
    "shape", [{}, {"model__experts": 4}, {"model__arch": "mamba", "model__kv_heads": None}], ids=str
)
def test_an_update_in_parts_is_the_whole_one(
    store: MemoryStore, tmp_path: Path, recomputes: bool, shape: dict[str, object]
) -> None:
    steps = []
    for name, fitted in {"whole": None, "parts": Fit(300, recomputes, 1.0, 4)}.items():
        config = make_config(trainer__out=str(tmp_path / name), data__batch_tokens=1200, **shape)
        trainer = Trainer(config, store, quiet=True)
        if fitted and recomputes:
            assert fitted.applied(config).trainer.activation_checkpointing
            for block in trainer.raw_network.blocks:
                recompute(block)
        trainer.fitted = fitted
        batches = first_epoch(trainer.stream)[:2]
        assert len(trainer._parts(batches)) > 4 or not fitted
        scores, norm = trainer.train_step(batches)
        steps.append((scores, norm, [weight.detach() for weight in trainer.raw_network.state_dict().values()]))
        if "model__experts" in shape:
            assert all(lifts.any() for lifts in trainer.raw_network.lifts().values()), "experts are balanced"
            assert trainer.usage.report()["experts/violation"] > 0
        validated = trainer.validate()["validation/loss"]
        steps[-1] = (*steps[-1], validated)
    (scores, norm, weights, loss), (other_scores, other_norm, other_weights, other_loss) = steps
    torch.testing.assert_close(scores.loss_H, other_scores.loss_H)
    torch.testing.assert_close(scores.tasks_3J, other_scores.tasks_3J)
    assert (norm, loss) == pytest.approx((other_norm, other_loss), rel=1e-5)
    for one, other in zip(weights, other_weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_run_goes_on_with_another_memory(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fit, "_SHARES", {"cpu": (1.0, 0.0), "cuda": (1.0, 0.0)})
    values = {"trainer__out": str(tmp_path), "data__batch_tokens": 1200}
    train(make_config(**values, trainer__max_steps=2), store, quiet=True)
    network = Trainer(make_config(**values), store, quiet=True).raw_network
    tight = make_config(**values, trainer__max_steps=3)
    examples = Trainer(tight, store, quiet=True).stream.examples
    least = Demand(tight, network, longest(examples, 0)).least(torch.device("cpu"))
    train(make_config(**values, trainer__max_steps=3, trainer__fit_gb=least * 1.01), store, resume=True)
    told = capsys.readouterr()
    assert "parts of" in told.out + told.err
    with pytest.raises(UsageError, match=r"`trainer.fit_gb` must be at least .* for this model on `cpu`, but is "):
        train(make_config(**values, trainer__max_steps=4, trainer__fit_gb=least / 2), store, resume=True)


def test_no_document_is_longer_than_is_expected(store: MemoryStore, tmp_path: Path) -> None:
    trainer = Trainer(make_config(trainer__out=str(tmp_path)), store, quiet=True)
    most = max(length for batch in first_epoch(trainer.stream) for length in batch.lengths)
    assert most <= longest(trainer.stream.examples, 0) <= 2 * most


def test_the_plan_tells_what_fits(store: MemoryStore) -> None:
    plan = describe(make_config(trainer__fit_gb="auto"), store)
    assert str(plan["fit"]).startswith("whole batches: ")
    assert {f"fit_{size}_gb" for size in fit.TABLE_GB} < plan.keys()
    assert "fit_8_gb" not in describe(make_config(trainer__devices=2, trainer__strategy="fsdp"), store)
    with pytest.raises(ValueError, match=r"doesn't go with `trainer\.strategy` = fsdp"):
        make_config(trainer__devices=2, trainer__strategy="fsdp", trainer__fit_gb=8)


def test_the_memory_that_is_asked_for_is_enough() -> None:
    demand, cpu = demand_of(trainer__fit_gb=0.1, trainer__precision="32-true"), torch.device("cpu")
    with pytest.raises(UsageError) as refused:
        chosen(demand, cpu)
    [told] = re.findall(r"must be at least ([\d.]+) for", str(refused.value))
    assert demand.fit(float(told), cpu)


def test_auto_is_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    demand = demand_of(trainer__fit_gb="auto", data__batch_tokens=32_768, trainer__precision="32-true")
    found = []
    for size in (10, 400):
        monkeypatch.setattr(fit, "memory_bytes", lambda size=size: size * 10**9)
        found.append(chosen(demand, torch.device("cpu")).parts)
    assert found[0] > found[1] == 1
