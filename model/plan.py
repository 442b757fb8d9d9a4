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

    Memory counts the weights, the gradients and AdamW's two moments of those trained, all in float32, and activations
    by the rule of thumb of 34 bytes per position, layer and width (https://arxiv.org/abs/2205.05198, section 4.1) for
    the largest batch; and a teacher's weights (`distill`), of which place and size are told.

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
    per_step = config.data.batch_tokens * config.trainer.accumulate
    model = config.model
    trained = network.num_parameters(trained=True)
    teacher = find_teacher(config, tokenizer, store.codec) if config.distill.teacher else None
    taught = _size(teacher, tokenizer, store.codec) if teacher else 0
    activations = 34 * config.data.batch_tokens * model.layers * model.width
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
        "memory_gb": round((4 * (network.num_parameters() + taught) + 12 * trained + activations) / 1e9, 2),
        **({"teacher": str(teacher), "teacher_parameters": taught} if teacher else {}),
    }


def _size(teacher: Path, tokenizer: Tokenizer, codec: CodecIdentity) -> int:
    """Returns how many numbers a teacher is made of, its adapters merged."""
    with torch.device("meta"):
        plain = read_config(teacher).model_copy(update={"lora": LoraConfig()})
        return build(plain, tokenizer, codec).num_parameters()
