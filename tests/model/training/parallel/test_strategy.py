"""Tests that options for computing a step don't change its result."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from model.network.decoder import Decoder
from model.network.feedforward import Experts
from model.training.parallel.strategy import anywhere, recompute, set_up, total
from model.training.trainer import Trainer
from stages.errors import UsageError
from tests.model.conftest import MemoryStore, first_epoch, make_config


def gradients(store: MemoryStore, tmp_path, **settings: object) -> tuple[float, dict[str, Tensor]]:
    """Returns loss and gradients of the first batch."""
    config = make_config(trainer__out=str(tmp_path), model__dropout=0.1, model__layers=3, **settings)
    trainer = Trainer(config, store, quiet=True)
    trainer.network.train()
    torch.manual_seed(3)
    loss_H = trainer.score(first_epoch(trainer.stream)[0]).loss_H
    loss_H.sum().backward()
    return loss_H.sum().item(), {name: weight.grad for name, weight in trainer.raw_network.named_parameters()}


def test_what_is_summed_over_processes_stays_as_it_was(monkeypatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: values.mul_(2))
    two = SimpleNamespace(world_size=2, device=torch.device("cpu"))
    values = torch.tensor([1.0, -3.0])
    assert total(two, values).tolist() == [2, -6]
    assert values.tolist() == [1, -3]
    assert anywhere(two, [], "a", False) == [False, True, False]
    assert total(SimpleNamespace(world_size=1), values) is values


@pytest.mark.parametrize("window", [None, 4])
def test_activation_checkpointing_changes_no_gradient(store: MemoryStore, tmp_path, window: int | None) -> None:
    loss, wanted = gradients(store, tmp_path, model__window=window)
    recomputed_loss, found = gradients(store, tmp_path, model__window=window, trainer__activation_checkpointing=True)
    assert recomputed_loss == loss
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-6, atol=1e-6, msg=name)


def test_a_recomputed_block_keeps_only_its_input() -> None:
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    block = torch.nn.Sequential(torch.nn.Linear(4, 400), torch.nn.ReLU(), torch.nn.Linear(400, 4))
    x = torch.randn(10, 4, requires_grad=True)
    sums = []
    for _ in range(2):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            block(x).sum().backward()
        sums.append(sum(kept))
        recompute(block)
    assert sums[1] < sums[0] / 10


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on the CPU needs g++")
@pytest.mark.parametrize("experts", [1, 2])
def test_compiled_blocks_give_the_same_losses(store: MemoryStore, tmp_path, experts: int) -> None:
    runs = []
    for compiled in (False, True):
        both = {"trainer__compile": compiled, "trainer__activation_checkpointing": compiled, "model__experts": experts}
        config = make_config(trainer__out=str(tmp_path), model__layers=1, trainer__precision="bf16-mixed", **both)
        trainer = Trainer(config, store, quiet=True)
        batches = first_epoch(trainer.stream)
        runs.append([trainer.train_step([batch])[0].loss_H.sum().item() for batch in batches[:4]])
    assert len({batch.lengths for batch in batches[:4]}) > 1, "of several lengths"
    assert runs[1] == pytest.approx(runs[0], rel=1e-5)


def test_a_missing_compiler_is_told(store: MemoryStore, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match="there is no `no-such-compiler`"):
        Trainer(make_config(trainer__out=str(tmp_path), trainer__compile=True), store, quiet=True)


def test_cuda_compiles_without_a_compiler_of_its_own(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    config = make_config(trainer__compile=True, model__experts=2)
    asis = {"setup_module": lambda network: network, "setup_optimizers": lambda optimizer: optimizer}
    network = Decoder(config.model, 9, 8, 64)
    wrapped, _ = set_up(SimpleNamespace(device=torch.device("cuda"), **asis), network, config)
    assert wrapped is network
    left_out = [part._through for part in network.modules() if isinstance(part, Experts)]
    assert len(left_out) == config.model.layers
    assert all(call._torchdynamo_disable for call in left_out), "their numbers of positions differ each time"
