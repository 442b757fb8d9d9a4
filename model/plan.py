"""What a run would be, before it is begun: `valle train --dry-run`."""

from pathlib import Path

import numpy as np
import torch

from model.checkpoint import build, read_config
from model.config import LoraConfig, TrainConfig
from model.dataset import Examples, Store
from model.device import resolve_device
from model.distill import find_teacher
from model.start import vocabulary
from model.tokenizer import Tokenizer
from stages.records import CodecIdentity

_SAMPLED = 2000
"""Utterances that the length of an epoch is estimated from."""


def describe(config: TrainConfig, store: Store) -> dict[str, float | int | str]:
    """Returns a run's sizes: parameters, utterances, hours, positions per epoch, steps, memory.

    All but the memory, which is that of one device, is for all devices together (see `memory`). Of a teacher
    (`distill`) place and size are told.

    Raises:
        UsageError: as `model.trainer.train` does.
    """
    tokenizer = vocabulary(config, store)
    group = config.model.group
    train, validation = (
        Examples(store, tokenizer, config.data, split, group=group) for split in ("train", "validation")
    )
    with torch.device("meta"):
        network = build(config, tokenizer, store.codec)
    rng = np.random.default_rng(config.trainer.seed)
    sampled = rng.permutation(train.rows)[:_SAMPLED]
    epoch = int(np.mean([train.draw(int(row), rng).length for row in sampled]) * len(train))
    device = resolve_device(config.trainer.device)
    per_step = config.data.batch_tokens * config.trainer.accumulate * config.trainer.devices
    trained = network.num_parameters(trained=True)
    teacher = find_teacher(config, tokenizer, store.codec) if config.distill.teacher else None
    taught = _size(teacher, tokenizer, store.codec) if teacher else 0
    return {
        "device": str(device),
        "parameters": network.num_parameters(),
        "trained_parameters": trained,
        "utterances": len(train),
        "validation_utterances": len(validation),
        "hours": round(float(store.frames[train.rows].sum() / store.codec.frame_rate / 3600), 3),
        "positions_per_epoch": epoch,
        "positions_per_step": per_step,
        "steps_per_epoch": max(1, round(epoch / per_step)),
        "steps": config.trainer.max_steps,
        "epochs": round(config.trainer.max_steps * per_step / epoch, 1),
        "memory_gb": round(memory(config, network.num_parameters(), trained=trained, taught=taught) / 1e9, 2),
        **({"teacher": str(teacher), "teacher_parameters": taught} if teacher else {}),
    }


def memory(config: TrainConfig, parameters: int, *, trained: int, taught: int = 0) -> float:
    """Returns the bytes that training takes on each device, roughly.

    They are the weights and their average where there is one, the gradients and AdamW's two moments of those trained,
    all in float32, as far as the strategy doesn't spread them; a teacher's weights; and what the largest batch leaves
    for its gradient: 34 bytes per position, layer and width (https://arxiv.org/abs/2205.05198, section 4.1), or with
    activation checkpointing what goes into each block and one block's.
    """
    trainer, model = config.trainer, config.model
    weights, updates = 4.0 * parameters * (2 if trainer.ema_decay else 1), 12.0 * trained
    match trainer.strategy:
        case "fsdp":
            weights, updates = weights / trainer.devices, updates / trainer.devices
        case "deepspeed":  # which updates a copy of its part of the weights
            updates = (updates + 4 * trained) / trainer.devices
    per_layer = 34 * model.layers
    if trainer.activation_checkpointing:
        per_layer = 4 * model.layers + 34
    return weights + updates + 4 * taught + per_layer * config.data.batch_tokens * model.width


def _size(teacher: Path, tokenizer: Tokenizer, codec: CodecIdentity) -> int:
    """Returns how many numbers a teacher is made of, its adapters merged."""
    with torch.device("meta"):
        plain = read_config(teacher).model_copy(update={"lora": LoraConfig()})
        return build(plain, tokenizer, codec).num_parameters()
