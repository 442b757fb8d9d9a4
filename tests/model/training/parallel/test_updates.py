"""Tests that DeepSpeed's updates and checkpoints equal PyTorch's, with a stand-in for the package."""

import math
import os
import signal
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from lightning.fabric.strategies import SingleDeviceStrategy
from pydantic import ValidationError
from torch import Tensor, nn

from model.checkpoints import checkpoint
from model.training.parallel import fabric, strategy
from model.training.trainer import Trainer, train
from stages.errors import StoppedError, UsageError
from tests.model.conftest import make_config, task_store
from tests.model.test_contracts import config_of
from tests.model.training.test_trainer import after_step, assert_same, poison, weights

CUDA = torch.device("cuda")


class Engine(nn.Module):
    """DeepSpeed's engine for a single process: it updates a flat copy of each group of weights.

    As its `DeepSpeedZeroOptimizer.step` does, it looks for what is no number only where `check_grad_overflow` says so,
    which for float32 weights it doesn't; then it returns before there is a norm. Else such a norm comes out as -1.
    """

    def __init__(self, network: nn.Module, adamw: torch.optim.AdamW, clip_norm: float) -> None:
        super().__init__()
        self.network, self.adamw, self.clip_norm, self.norm, self.boundary = network, adamw, clip_norm, 0.0, True
        self.groups = [list(group["params"]) for group in adamw.param_groups]
        self.linked = False
        for group in adamw.param_groups:
            group["params"] = [torch.cat([weight.detach().flatten() for weight in group["params"]])]
        names = {"refresh_fp32_params": self.refresh, "_lazy_init_hp_params_optimizer_state": self.link}
        self.optimizer = SimpleNamespace(optimizer=adamw, check_grad_overflow=False, overflow=False, **names)

    def forward(self, *args: object) -> object:
        return self.network(*args)

    def set_gradient_accumulation_boundary(self, *, is_boundary: bool) -> None:
        self.boundary = is_boundary

    def get_global_grad_norm(self) -> float:
        return self.norm

    def refresh(self) -> None:
        for group, flat in self.pairs():
            flat.copy_(torch.cat([weight.detach().flatten() for weight in group]))

    def link(self) -> None:
        self.linked = all(self.adamw.state[flat] for _, flat in self.pairs())

    def pairs(self) -> list[tuple[list[nn.Parameter], Tensor]]:
        return list(zip(self.groups, [group["params"][0] for group in self.adamw.param_groups], strict=True))

    @torch.no_grad()
    def step(self) -> None:
        assert self.boundary, "DeepSpeed would only count this"
        weights = list(self.network.parameters())
        finite = all(weight.grad.isfinite().all() for weight in weights)
        self.optimizer.overflow = self.optimizer.check_grad_overflow and not finite
        if self.optimizer.overflow:
            self.network.zero_grad()
            return
        self.norm = float(nn.utils.clip_grad_norm_(weights, self.clip_norm)) if finite else -1.0
        for group, flat in self.pairs():
            flat.grad = torch.cat([weight.grad.flatten() for weight in group])
        self.adamw.step()
        for group, flat in self.pairs():
            for weight, values in zip(group, flat.split([weight.numel() for weight in group]), strict=True):
                weight.copy_(values.view_as(weight))
        self.network.zero_grad()

    def moment(self, weight: nn.Parameter, name: str) -> Tensor:
        assert self.linked
        for group, flat in self.pairs():
            for one, values in zip(group, self.adamw.state[flat][name].split([w.numel() for w in group]), strict=True):
                if one is weight:
                    return values.view_as(weight)
        raise AssertionError


class StandIn(SingleDeviceStrategy):
    """Lightning's strategy, which sets up network and optimiser together."""

    engine: Engine

    def setup_module_and_optimizers(self, module, optimizers, scheduler=None):
        type(self).engine = Engine(module, optimizers[0], clip_norm=1.0)
        return self.engine, optimizers, scheduler


@pytest.fixture
def deepspeed(monkeypatch: pytest.MonkeyPatch) -> None:
    def moment(weight: nn.Parameter, name: str) -> Tensor:
        return StandIn.engine.moment(weight, name)

    utils = ModuleType("deepspeed.utils")
    utils.safe_get_full_optimizer_state = moment
    utils.safe_set_full_optimizer_state = lambda weight, value, name: moment(weight, name).copy_(value)
    monkeypatch.setitem(sys.modules, "deepspeed", ModuleType("deepspeed"))
    monkeypatch.setitem(sys.modules, "deepspeed.utils", utils)
    original = strategy.make_strategy

    def make(config, *args):
        return StandIn("cpu") if config.trainer.strategy == "deepspeed" else original(config, *args)

    monkeypatch.setattr(fabric, "make_strategy", make)


@pytest.mark.parametrize("names", [("deepspeed", "auto"), ("auto", "deepspeed"), ("deepspeed", "deepspeed")])
@pytest.mark.usefixtures("deepspeed")
def test_a_run_goes_on_under_another_strategy_as_if_nothing_were(tmp_path: Path, names: tuple[str, str]) -> None:
    settings = {"trainer__accumulate": 2, "trainer__ema_decay": 0.5}
    wanted = train(config_of("llama", tmp_path / "whole", **settings), task_store(), quiet=True)
    first, then = (config_of("llama", tmp_path / "run", **settings, trainer__strategy=name) for name in names)
    with pytest.MonkeyPatch.context() as patch:
        after_step(patch, 4, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(StoppedError, match="after step 4"):
            train(first, task_store(), quiet=True)
    found = train(then, task_store(), quiet=True)
    for name, weight in weights(wanted).items():
        torch.testing.assert_close(weights(found)[name], weight, rtol=1e-5, atol=1e-6, msg=name)
    states = [checkpoint.load_trainer_state(folder)["optimizers"][0] for folder in (found, wanted)]
    found_groups, wanted_groups = ([group["params"] for group in state["param_groups"]] for state in states)
    assert found_groups == wanted_groups
    for number, values in states[1]["state"].items():
        for name, value in values.items():
            torch.testing.assert_close(states[0]["state"][number][name], value, rtol=1e-4, atol=1e-7)


@pytest.mark.usefixtures("deepspeed")
def test_what_deepspeed_skips_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(config_of("llama", tmp_path, trainer__strategy="deepspeed"), task_store(), quiet=True)
    batch = next(trainer.stream.batches())
    trainer.train_step([batch])  # whose norm is kept
    before = [weight.clone() for weight in trainer.raw_network.parameters()]
    with monkeypatch.context() as patch:
        poison(patch, range(99))
        _, norm = trainer.train_step([batch])
    assert math.isnan(norm)
    assert_same(before, list(trainer.raw_network.parameters()))
    _, norm = trainer.train_step([batch])
    assert 0 < norm < float("inf"), "nothing of the bad gradient stays"


def test_fabric_is_given_what_keeps_float32_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import lightning.fabric.strategies.deepspeed as fabrics

    monkeypatch.setattr(strategy, "find_spec", lambda _: True)
    monkeypatch.setattr(fabrics, "DeepSpeedStrategy", lambda config: config)
    config = make_config(trainer__strategy="deepspeed", optimizer__clip_norm=0.5)
    given = strategy.make_strategy(config, CUDA, 2, "bf16-mixed")
    assert given["zero_optimization"] == {"stage": 2}
    assert given["gradient_clipping"] == 0.5
    assert not given["bf16"]["enabled"], "it would make the weights bfloat16"
    assert given["torch_autocast"]["enabled"]
    assert not strategy.make_strategy(config, CUDA, 2, "32-true")["torch_autocast"]["enabled"]
    with pytest.raises(UsageError, match="needs CUDA, but the device is `cpu`"):
        strategy.make_strategy(config, torch.device("cpu"), 2, "32-true")


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(strategy, "find_spec", lambda _: None)
    config = make_config(trainer__strategy="deepspeed", trainer__out=str(tmp_path / "run"))
    with pytest.raises(UsageError, match=r"isn't installed\. Install it \(`pip install 'deepspeed>=0.19'`\).*`fsdp`"):
        train(config, task_store(), quiet=True)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"optimizer__matrices": "muon"}, "doesn't go with `optimizer.matrices` = muon"),
        ({"trainer__precision": "bf16-true"}, "doesn't go with `trainer.precision` = bf16-true"),
        ({"lora__rank": 2, "trainer__start_from": "runs/base"}, "doesn't go with `lora.rank`"),
    ],
)
def test_what_deepspeed_cant_do_is_refused(setting: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        make_config(trainer__strategy="deepspeed", **setting)
