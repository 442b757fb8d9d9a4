"""`valle bench train`: training on packed documents against padded ones."""

import tempfile
from pathlib import Path

import torch

from model.bench.basis.random_data import CODEC, random_documents, write_store
from model.bench.basis.rates import Values, rates
from model.config import DataConfig, TrainConfig
from model.device import hardware, resolve_precision
from model.network.packing import collate
from model.network.padding import padded
from model.training.run.flops import datasheet_rate, measured_rate, training_flops
from model.training.trainer import Trainer
from stages.errors import UsageError
from stages.store.reader import open_store


def training(config: TrainConfig, *, seconds: float) -> Values:
    """Measures training steps on packed documents against steps on the same documents padded to the longest.

    A step is one `Trainer.train_step` with the given configuration. Drawing and reading the documents isn't measured.
    Of the section `data` only `batch_tokens` counts.

    Args:
        config: The configuration of the run.
        seconds: Least seconds to measure each side.

    Returns:
        Positions per second of each side (without padding), their ratio, and the share of padding; and the packed
        side's share of the machine's matrix rate (MFU), by datasheet and as measured here.

    Raises:
        UsageError: if the configuration starts from another model, or trains in several processes.
    """
    if config.trainer.start_from or config.trainer.devices > 1:
        raise UsageError(
            "`valle bench train` measures a new model in one process: `trainer.start_from` (and `lora.rank`) must not"
            f" be set and `trainer.devices` must be 1, but they are {config.trainer.start_from} and"
            f" {config.trainer.devices}."
        )
    data = DataConfig(validation=0.0, batch_tokens=config.data.batch_tokens)
    with tempfile.TemporaryDirectory() as scratch:
        write_store(Path(scratch), utterances=2, speakers=1)
        trainer = Trainer(config.model_copy(update={"data": data}), open_store(Path(scratch)), quiet=True)
        return _training(trainer, seconds)


def _training(trainer: Trainer, seconds: float) -> Values:
    config, device, network = trainer.config, trainer.fabric.device, trainer.raw_network
    documents = random_documents(trainer.tokenizer, config.data.batch_tokens, group=config.model.group)
    batch = collate(documents, CODEC.num_codebooks, ahead=config.model.ahead)
    wide, *_ = padded(batch)
    times = config.trainer.accumulate
    sides = {
        "packed": lambda: trainer.train_step([batch] * times),
        "padded": lambda: trainer.train_step([wide] * times),
    }
    useful = sum(batch.lengths)
    steps_per_s = rates(sides, seconds, device)
    speeds = {name: useful * times * rate for name, rate in steps_per_s.items()}
    packed = batch.lengths, batch.causal, [len(rows) for rows in batch.rows], batch.given
    flops = times * training_flops(network, *packed, before=batch.before)
    precision = resolve_precision(config.trainer.precision, device)
    return {
        "hardware": hardware(device),
        "precision": precision,
        "parameters": network.num_parameters(),
        "documents": len(documents),
        "positions": useful,
        "padding_share": round(1 - useful / wide.tokens_L.numel(), 3),
        "packed_tokens_per_s": round(speeds["packed"], 1),
        "padded_tokens_per_s": round(speeds["padded"], 1),
        "ratio": round(speeds["packed"] / speeds["padded"], 2),
        **_shares(flops * steps_per_s["packed"], device, precision),
    }


def _shares(flops_per_s: float, device: torch.device, precision: str) -> Values:
    """Returns the model's share of the datasheet's matrix rate, if that is known, and of the measured one."""
    half = precision != "32-true"
    measured = measured_rate(device, torch.bfloat16 if half else torch.float32)
    promised = datasheet_rate(torch.cuda.get_device_name(device)) if device.type == "cuda" and half else None
    shares: Values = {"model_tflops_per_s": round(flops_per_s / 1e12, 4)}
    for name, rate in {"datasheet": promised, "measured": measured}.items():
        if rate:
            shares |= {f"{name}_tflops_per_s": round(rate / 1e12, 4), f"mfu_of_{name}": round(flops_per_s / rate, 3)}
    return shares
