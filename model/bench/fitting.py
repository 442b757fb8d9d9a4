"""`valle bench fit`: the memory that training takes on this device, against what `trainer.fit_gb` expected."""

import resource
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from model.bench.basis.random_data import CODEC, write_store
from model.bench.basis.rates import Values
from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.device import hardware, resolve_device
from model.training.fit import Demand, Fit
from model.training.start import examples_of, vocabulary
from model.training.trainer import Trainer
from stages.errors import MissingInputError, UsageError
from stages.store.reader import open_store

_UTTERANCES = 300
_LIMITS = 400
"""Sizes of memory for which the ways to fit are listed."""
_BYTES = 1 if sys.platform == "darwin" else 1024
"""Of `ru_maxrss`'s unit."""


def fitting(config: TrainConfig, *, seconds: float) -> Values:
    """Trains in memories of several sizes, each in a process of its own, and measures the peak.

    Args:
        config: The configuration of the run. Of the section `data` its length limits, `batch_tokens` and the codec of
            `store` count; without such a dataset, the codes are EnCodec's.
        seconds: Least seconds to measure the steps of each size, after the first one.

    Returns:
        For each way of fitting: the memory that it was for, what was expected, the peak of the process (on CUDA: of
        the device), and the seconds of a step against those of whole batches.

    Raises:
        UsageError: if the configuration starts from another model, or trains in several processes.
    """
    if config.trainer.start_from or config.trainer.devices > 1:
        raise UsageError(
            "`valle bench fit` measures a new model in one process: `trainer.start_from` must not be set and"
            f" `trainer.devices` must be 1, but they are {config.trainer.start_from} and {config.trainer.devices}."
        )
    device = resolve_device(config.trainer.device)
    found: Values = {"hardware": hardware(device)}
    codec = CODEC
    with suppress(MissingInputError):
        codec = open_store(Path(config.data.store)).codec
        found["codec"] = codec.describe()
    with tempfile.TemporaryDirectory() as scratch:
        write_store(Path(scratch), _UTTERANCES, speakers=10, codec=codec)
        whole_s = None
        for limit_gb, fit in _fits(config, Path(scratch), device):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                peak_gb, taken_s = alone.submit(_train, config, scratch, limit_gb, seconds).result()
            whole_s = whole_s or taken_s
            name = f"{fit.parts}{'_again' if fit.recomputes else ''}"
            values = {"limit_gb": limit_gb, "expected_gb": fit.gb, "peak_gb": peak_gb, "time": taken_s / whole_s}
            found |= {f"parts_{name}_{key}": round(value, 2) for key, value in values.items()}
    return found


def _fits(config: TrainConfig, scratch: Path, device: torch.device) -> Iterator[tuple[float, Fit]]:
    """Yields the ways of fitting, the largest first, each with a memory for which it is taken."""
    store = open_store(scratch)
    tokenizer = vocabulary(config, store)
    with torch.device("meta"):
        network = build(config, tokenizer, store.codec)
    demand = Demand.of(config, network, examples_of(config, store, tokenizer, "train"))
    least = demand.least(device)
    last = None
    for limit_gb in (float(limit) for limit in np.geomspace(64 * least, 1.0001 * least, _LIMITS)):
        fit = demand.fit(limit_gb, device)
        assert fit is not None
        if fit != last:
            yield limit_gb, fit
        last = fit


def _train(config: TrainConfig, scratch: str, limit_gb: float, seconds: float) -> tuple[float, float]:
    """Returns the peak in gigabytes, and the seconds of a step. Before the first one, there are no moments."""
    out = str(Path(scratch) / "run")
    trainer = config.trainer.model_copy(update={"fit_gb": limit_gb, "out": out})
    run = Trainer(config.model_copy(update={"trainer": trainer}), open_store(Path(scratch)), quiet=True)
    batches = run.stream.batches()
    times: list[float] = []
    while len(times) < 2 or sum(times[1:]) < seconds:
        group = [next(batches) for _ in range(config.trainer.accumulate)]
        started = perf_counter()
        run.train_step(group)
        times.append(perf_counter() - started)
    taken_s = sum(times[1:]) / len(times[1:])
    device = run.fabric.device
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return (total - free) / 1e9, taken_s
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES / 1e9, taken_s
