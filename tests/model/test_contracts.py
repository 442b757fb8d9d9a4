"""Tests for each task, architecture and strategy: steps lower the loss, packing equals padding, runs resume exactly."""

import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.architecture import ARCHS, Arch
from model.checkpoints import checkpoint
from model.config import TrainConfig
from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document
from model.network.attention import Packed
from model.network.packing import collate
from model.network.padding import Padded, padded
from model.sequences.documents import MODES, Document
from model.sequences.tasks import DRAWN, TEXT_TASKS
from model.sequences.tokenizer import TASKS
from model.training.step.loss import score
from model.training.trainer import Trainer, train
from stages.errors import StoppedError
from tests.limits import HANG_S
from tests.model.conftest import REAL_CODES, make_config, task_store
from tests.model.training.test_trainer import after_step, assert_same, log_of, weights

ROOT = Path(__file__).resolve().parents[2]
_SHAPES: list[dict[str, object]] = [
    *({"model__arch": arch} for arch in ARCHS),
    *({"model__group": 2}, {"model__window": 4}, {"model__experts": 4}),
]
SHAPES = pytest.mark.parametrize("shape", _SHAPES, ids=str)
SHAPES_AND_LAYOUTS = pytest.mark.parametrize(
    "shape", [*_SHAPES, {"data__levels": "masks"}, {"data__text": "characters"}], ids=str
)


def config_of(arch: Arch, out: Path, **settings: object) -> TrainConfig:
    """All tasks in all modes."""
    every = {"data__tasks": dict.fromkeys(DRAWN, 1.0), "data__modes": dict.fromkeys(MODES, 1.0)}
    few = {
        "data__continuation_probability": 0.3,
        "data__validation": 0.0,
        "data__batch_tokens": 300,
        "data__prompt_s": 0.2,
        "trainer__max_steps": 8,
    }
    shape = {"model__arch": arch, "model__kv_heads": None}
    return make_config(**{**every, **few, **shape, "optimizer__lr": 1e-2, "trainer__out": str(out), **settings})


def documents(examples: Examples) -> list[Document]:
    """One of each task in each of its modes."""
    found: dict[tuple[str, str], Draw] = {}
    for number in range(8):
        for row in examples.rows.tolist():
            for mode in (*MODES, *TEXT_TASKS):
                level = {"nar": 2, "all": 3}.get(mode, 0)
                draw = examples.draw(row, np.random.default_rng((row, number)), (mode, level))
                found.setdefault((draw.task if mode != "stt" else "stt", mode), draw)
    return [read_document(examples, draw) for draw in found.values()]


@SHAPES_AND_LAYOUTS
@pytest.mark.parametrize("kind", ["uneven", "real"])
def test_steps_lower_the_loss_of_every_task_and_every_head(
    tmp_path: Path, kind: Literal["uneven", "real"], shape: dict[str, object]
) -> None:
    if kind == "real" and not REAL_CODES.is_dir():
        pytest.skip(f"no real codes at {REAL_CODES.name}: put them beside the checkout to run this test")
    trainer = Trainer(config_of("llama", tmp_path, **shape, trainer__max_steps=100), task_store(kind), quiet=True)
    batch = collate(documents(trainer.stream.examples), 8)
    reports = []
    for step in range(9):
        trainer.progress.step = step
        scores, _ = trainer.train_step([batch])
        reports.append({name: value for name, value in scores.report("x").items() if "loss" in name})
    assert {name.rpartition("_")[2] for name in reports[0]} >= {*TASKS, "0", "2", "canvas", "tokens"}
    for name, loss in reports[0].items():
        assert reports[-1][name] < 0.97 * loss, name


@SHAPES
def test_packing_is_padding(tmp_path: Path, shape: dict[str, object]) -> None:
    trainer = Trainer(config_of("llama", tmp_path, **shape), task_store(), quiet=True)
    network, batch = trainer.raw_network, collate(documents(trainer.stream.examples), 8)
    wide, lengths_B, causal_B = padded(batch)
    limits: dict[str, Any] = {"window": network.config.window_positions, "before": batch.before}
    attends = (
        Packed(batch.lengths, batch.causal, torch.device("cpu"), batch.given, **limits),
        Padded(lengths_B, causal_B, max(batch.lengths), batch.given, **limits),
    )
    results = []
    for one, attend in zip((batch, wide), attends, strict=True):
        network.zero_grad()
        logits = network(one.tokens_L, one.codes_LK, one.positions_L, attend, one.rows)
        loss = score(logits, batch.targets).loss_H.sum() / batch.num_targets
        loss.backward()
        results.append((loss.detach(), {name: weight.grad.clone() for name, weight in network.named_parameters()}))
    (loss, gradients), (wanted_loss, wanted) = results
    torch.testing.assert_close(loss, wanted_loss, rtol=1e-5, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-5, atol=1e-5, msg=name)


RUN = {"model__dropout": 0.1, "model__ahead": 2, "trainer__accumulate": 2, "trainer__ema_decay": 0.9}


@cache
def uninterrupted(folder: Path, arch: Arch, *, adapted: bool) -> tuple[dict[str, object], Path]:
    """Returns the settings and the last checkpoint of a run with everything that has a state, or with adapters."""
    settings: dict[str, object] = {**RUN, "optimizer__matrices": "muon", "model__experts": 3 if arch == "retnet" else 1}
    settings["model__text_spacing"] = "aligned" if arch == "llama" else 0.0
    if adapted:
        same: dict[str, object] = {
            key: settings[key] for key in ("model__dropout", "model__experts", "model__text_spacing")
        }
        start = config_of(arch, folder / f"{arch}-base", model__ahead=1, trainer__max_steps=1, **same)
        base = train(start, task_store(), quiet=True)
        settings |= {"lora__rank": 2, "lora__dropout": 0.1, "lora__embeddings": True, "trainer__start_from": str(base)}
    name = f"{arch}-{adapted}"
    return settings, train(config_of(arch, folder / name, **settings), task_store(), quiet=True)


@given(st.data())
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
def test_a_run_stopped_anywhere_equals_an_uninterrupted_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    arch, adapted = data.draw(st.sampled_from(ARCHS), "arch"), data.draw(st.booleans(), "adapted")
    stop_at, kind = data.draw(st.integers(1, 7), "step"), data.draw(st.sampled_from(["SIGTERM", "SIGINT"]), "signal")
    settings, whole = uninterrupted(tmp_path_factory.getbasetemp(), arch, adapted=adapted)
    run = tmp_path_factory.mktemp("stopped")
    config = config_of(arch, run, **settings)
    with pytest.MonkeyPatch.context() as patch:
        after_step(patch, stop_at, lambda: os.kill(os.getpid(), signal.Signals[kind]))
        with pytest.raises(StoppedError, match=f"{kind} after step {stop_at}") as raised:
            train(config, task_store(), quiet=True)
    assert raised.value.exit_code == 130
    assert checkpoint.find(run).name == f"step-{stop_at:08d}"
    torch.manual_seed(999)  # what the process drew meanwhile must not matter
    resumed = train(config, task_store(), quiet=True)
    assert_same(*(checkpoint.read_weights(folder) for folder in (whole, resumed)))
    assert_same(*(checkpoint.load_trainer_state(folder) for folder in (whole, resumed)))
    assert log_of(run)[-1]["step"] == 8


COMBINATIONS = [
    ("ddp", "llama", "muon"),
    ("fsdp", "llama", "adamw"),
    ("ddp", "retnet", "adamw"),
    ("fsdp", "retnet", "adamw"),
    ("ddp", "mamba", "muon"),
    ("fsdp", "mamba", "adamw"),
]
_IN_TWO = """
import os, signal, sys
from pathlib import Path
import pytest
from model.training.trainer import train
from stages.errors import StoppedError
from tests.model.test_contracts import COMBINATIONS, config_of, shared
from tests.model.conftest import task_store
from tests.model.training.test_trainer import after_step
after_step(pytest.MonkeyPatch(), 4, lambda: os.kill(os.getpid(), signal.SIGTERM))
for strategy, arch, matrices in COMBINATIONS:
    settings = {**shared(arch, matrices), "trainer__devices": 2, "trainer__strategy": strategy}
    try:
        train(config_of(arch, Path(sys.argv[1]) / f"{strategy}-{arch}", **settings), task_store(), quiet=True)
    except StoppedError as stopped:
        print(stopped)
"""


def shared(arch: Arch, matrices: str) -> dict[str, object]:
    """The settings of the runs in two processes and in one, which validate between the steps and before saving."""
    validation = {"data__validation": 0.2, "trainer__validate_every": 2, "trainer__validate_batches": 1}
    return {
        "model__experts": 4 if arch == "retnet" else 1,
        "model__ahead": 1,
        "trainer__ema_decay": 0.5,
        "optimizer__matrices": matrices,
        "optimizer__lr": 3e-3,
        **validation,
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two processes, each stopped after step 4."""
    folder = tmp_path_factory.mktemp("two")
    script = folder / "two.py"
    script.write_text(_IN_TWO)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(script), str(folder)],
        env=environment,
        timeout=HANG_S,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@cache
def alone(folder: Path, arch: Arch, matrices: str) -> Path:
    """Returns the last checkpoint of a run in one process, with twice the batches."""
    config = config_of(arch, folder / f"one-{arch}-{matrices}", **shared(arch, matrices), trainer__accumulate=2)
    return train(config, task_store(), quiet=True)


@pytest.mark.parametrize(("strategy", "arch", "matrices"), COMBINATIONS)
def test_two_processes_train_what_one_trains_with_twice_the_batches(
    two: Path, strategy: str, arch: Arch, matrices: str
) -> None:
    run = two / f"{strategy}-{arch}"
    assert checkpoint.find(run).name == "step-00000004", "a signal to each is one stop of both"
    config = config_of(arch, run, **shared(arch, matrices), trainer__accumulate=2)
    found, wanted = weights(train(config, task_store(), resume=True, quiet=True)), alone(two, arch, matrices)
    for name, weight in weights(wanted).items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-5, msg=name)
    logs = [[row for row in log_of(each) if "train/loss" in row] for each in (run, wanted.parents[1])]
    assert logs[0][-1]["train/loss"] == pytest.approx(logs[1][-1]["train/loss"], rel=1e-4)
    # Steps have different shares of tokens and codes, so losses are compared by head.
    for name in ("train/loss_0", "train/loss_nar", "train/loss_all", "train/loss_canvas", "train/loss_tokens"):
        assert logs[0][-1][name] < logs[0][0][name], name
