"""The plan of a run before it starts: `valle train --dry-run`."""

from pathlib import Path

import numpy as np
import torch

from model.checkpoints.checkpoint import build, read_config
from model.config import LoraConfig, TrainConfig
from model.data.batches import buckets, padding
from model.data.draw import Draw
from model.data.source import Store
from model.device import resolve_device
from model.sequences.tokenizer import Tokenizer
from model.training.fit import Demand, chosen, precision_on, table
from model.training.memory import Taught, memory
from model.training.start import SPLITS, examples_of, spaced, vocabulary
from model.training.step.distill import find_teacher
from stages.records import CodecIdentity

_SAMPLED = 2000
"""Number of utterances from which the length of an epoch is estimated."""


def describe(config: TrainConfig, store: Store) -> dict[str, float | int | str]:
    """Returns a run's sizes: parameters, utterances, hours, positions per epoch, steps, memory.

    `dataset` tells what of the dataset is used, and which keys leave the rest out. With `data.sampler` = buckets,
    `padding_share` is the share of padding in the batches. The memory is per device (see
    `memory`); all else is for all devices together. `fit_8_gb` and so on tell how `trainer.fit_gb` would fit a GPU of
    so much memory. With a mixture of experts, `active_parameters` are those
    that one position goes through. With a teacher (`distill`), its path and its number of parameters are added.

    Raises:
        UsageError: under the same conditions as `model.training.trainer.train`.
    """
    tokenizer = vocabulary(config, store)
    if config.distill.teacher:  # whose paces must be the run's; to plan one, they needn't be measured
        tokenizer = spaced(config, store, tokenizer)
    train, validation = (examples_of(config, store, tokenizer, split) for split in SPLITS)
    with torch.device("meta"):
        network = build(config, tokenizer, store.codec)
    rng = np.random.default_rng(config.trainer.seed)
    sampled = rng.permutation(train.rows)[:_SAMPLED]
    drawn = [train.draw(int(row), rng) for row in sampled]
    epoch = int(np.mean([draw.length for draw in drawn]) * len(train))
    computed = epoch / (1 - (share := _padding(config, drawn)))
    device = resolve_device(config.trainer.device)
    per_step = config.data.batch_tokens * config.trainer.accumulate * config.trainer.devices
    trained = network.num_parameters(trained=True)
    teacher = find_teacher(config, tokenizer, store.codec) if config.distill.teacher else None
    taught = _taught(teacher, tokenizer, store.codec) if teacher else None
    demand = Demand.of(config, network, train, taught=taught)
    fit = chosen(demand, device) if config.trainer.fit_gb is not None else None
    needed = fit.gb if fit else memory(config, network, device, precision_on(config, device), taught=taught) / 1e9
    return {
        "device": str(device),
        "parameters": network.num_parameters(),
        "trained_parameters": trained,
        **({"active_parameters": network.num_active()} if config.model.experts > 1 else {}),
        "dataset": train.selection.describe(),
        "utterances": len(train),
        "validation_utterances": len(validation),
        "hours": round(float(store.frames[train.rows].sum() / store.codec.frame_rate / 3600), 3),
        "positions_per_epoch": epoch,
        "positions_per_step": per_step,
        **({"padding_share": round(share, 3)} if config.data.sampler == "buckets" else {}),
        "steps_per_epoch": max(1, round(computed / per_step)),
        "steps": config.trainer.max_steps,
        "epochs": round(config.trainer.max_steps * per_step / computed, 1),
        "memory_gb": round(needed, 2),
        **({"fit": fit.describe()} if fit else {}),
        **({} if config.trainer.strategy in {"fsdp", "deepspeed"} else table(demand)),
        **({"teacher": str(teacher), "teacher_parameters": taught.parameters} if taught else {}),
    }


def _padding(config: TrainConfig, drawn: list[Draw]) -> float:
    """Returns the share of padding in batches of what was drawn."""
    if config.data.sampler == "packed":
        return 0.0
    budget, seed, growth = config.data.batch_tokens, (config.trainer.seed,), config.data.bucket_growth
    batches = list(buckets(drawn.__getitem__, len(drawn), budget, seed=seed, growth=growth))
    empty = sum(map(padding, batches))
    return empty / (empty + sum(draw.length for draw in drawn))


def _taught(teacher: Path, tokenizer: Tokenizer, codec: CodecIdentity) -> Taught:
    """Returns a teacher's number of parameters, with its adapters merged, and its shape."""
    with torch.device("meta"):
        plain = read_config(teacher).model_copy(update={"lora": LoraConfig()})
        return Taught(build(plain, tokenizer, codec).num_parameters(), plain.model)
