"""Tests that DeepSpeed's updates and checkpoints, run on the CPU, equal PyTorch's."""

import math
import os
import signal
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from model.checkpoints import checkpoint
from model.training.parallel import fabric, strategy
from model.training.trainer import Trainer, train
from stages.errors import StoppedError, UsageError
from tests.model.conftest import make_config, task_store
from tests.model.test_contracts import config_of
from tests.model.training.test_trainer import after_step, assert_same, poison, weights

CUDA = torch.device("cuda")


def on_cpu(settings: dict[str, object]) -> object:
    """Makes a strategy of DeepSpeed's own engine on the CPU, in one process: Lightning's takes it only on CUDA."""
    from lightning_fabric.strategies import SingleDeviceStrategy

    class OnCpu(SingleDeviceStrategy):
        def __init__(self, settings: dict[str, object]) -> None:
            super().__init__("cpu")
            self.settings = {**settings, "train_micro_batch_size_per_gpu": 1, "wall_clock_breakdown": False}

        def setup_module_and_optimizers(self, module, optimizers, scheduler=None):
            import deepspeed

            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LOCAL_RANK", "0")  # not for longer: Fabric would take it for a launcher's
                engine, *_ = deepspeed.initialize(
                    model=module, optimizer=optimizers[0], config=self.settings, dist_init_required=False
                )
            return engine, optimizers, scheduler

    return OnCpu(settings)


@pytest.fixture(scope="module")
def group() -> Iterator[None]:
    """A group of one process, which DeepSpeed asks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DS_ACCELERATOR", "cpu")
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        yield
        torch.distributed.destroy_process_group()


@pytest.fixture
def deepspeed(monkeypatch: pytest.MonkeyPatch, group: None) -> None:
    pytest.importorskip("deepspeed", reason="deepspeed isn't installed (extra `dev`)")
    # It would be compiled, for processes of one machine to share memory.
    monkeypatch.setattr(import_module("deepspeed.comm.torch"), "build_shm_op", lambda: None)
    original = strategy.make_strategy

    def make(config, on, processes, precision):
        if config.trainer.strategy != "deepspeed":
            return original(config, on, processes, precision)
        return on_cpu(strategy.zero_config(config.optimizer, precision))

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
        torch.testing.assert_close(weights(found)[name], weight, rtol=1e-5, atol=1e-5, msg=name)
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
    import lightning_fabric.strategies.deepspeed as fabrics

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
