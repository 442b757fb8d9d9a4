"""What a run would be, before it is begun: `valle train --dry-run`."""

from pathlib import Path

import numpy as np
import torch

from model.checkpoints.checkpoint import build, read_config
from model.config import LoraConfig, ModelConfig, TrainConfig
from model.data.examples import Examples
from model.data.source import Store
from model.device import resolve_device, resolve_precision
from model.network.decoder import Decoder
from model.network.retention import CHUNK
from model.sequences.tokenizer import Tokenizer
from model.training.start import vocabulary
from model.training.step.distill import find_teacher
from stages.records import CodecIdentity

_SAMPLED = 2000
"""Utterances that the length of an epoch is estimated from."""


def describe(config: TrainConfig, store: Store) -> dict[str, float | int | str]:
    """Returns a run's sizes: parameters, utterances, hours, positions per epoch, steps, memory.

    All but the memory, which is that of one device, is for all devices together (see `memory`). Of a teacher
    (`distill`) place and size are told.

    Raises:
        UsageError: as `model.training.trainer.train` does.
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
        "memory_gb": round(memory(config, network, device, taught=taught) / 1e9, 2),
        **({"teacher": str(teacher), "teacher_parameters": taught} if teacher else {}),
    }


def memory(config: TrainConfig, network: Decoder, device: torch.device, *, taught: int = 0) -> float:
    """Returns the bytes that training takes on each device, roughly.

    They are the weights and their average where there is one, the gradients and AdamW's two moments of those trained,
    as far as the strategy doesn't spread them; a teacher's weights; the weights in bfloat16 under bf16-mixed; and what
    the largest batch leaves for its gradient: all blocks' part or, with activation checkpointing, what goes into each
    block and one block's, and the logits, as if every position predicted.

    Args:
        config: All sections.
        network: What is trained; may be without memory of its own.
        device: Where it is trained.
        taught: How many numbers the teacher is made of.
    """
    trainer, model = config.trainer, config.model
    precision = resolve_precision(trainer.precision, device)
    parameters, trained = network.num_parameters(), network.num_parameters(trained=True)
    size = 2 if precision == "bf16-true" else 4
    weights = parameters * (size + (4.0 if trainer.ema_decay else 0.0))
    updates = 3.0 * size * trained
    match trainer.strategy:
        case "fsdp":
            weights, updates = weights / trainer.devices, updates / trainer.devices
        case "deepspeed":  # which updates a copy of its part of the weights
            updates = (updates + 4 * trained) / trainer.devices
    converted = 2 * parameters if precision == "bf16-mixed" else 0
    block = kept_by_block(model, precision, fused=device.type == "cuda")
    blocks = 4 * model.width * model.layers + block if trainer.activation_checkpointing else block * model.layers
    logits = 3 * 4 * network.codebook_size  # themselves, their probabilities and their gradient
    return weights + updates + converted + 4 * taught + (blocks + logits) * config.data.batch_tokens


def kept_by_block(model: ModelConfig, precision: str, *, fused: bool) -> float:
    """Returns the bytes that a block keeps of a position for its gradient.

    They are, in float32, what goes into each norm and, where PyTorch has no kernel of its own for it (`fused`), what
    comes out; and in the precision of products what goes into each, the keys, queries and values as they are and
    turned, what attention gives a document and all of them, the gate, and the product with it. Retention keeps more,
    and the weights of the pairs in a chunk, once a direction; the batch is taken to be half causal.
    """
    size = 4 if precision == "32-true" else 2
    norms = (8 if fused else 16) * model.width
    feedforward = 4 * size * model.feedforward
    if model.arch == "retnet":
        return norms + feedforward + (18 * size + 5) * model.width + 1.5 * (4 + size) * model.heads * CHUNK
    return norms + feedforward + 9 * size * model.width


def _size(teacher: Path, tokenizer: Tokenizer, codec: CodecIdentity) -> int:
    """Returns how many numbers a teacher is made of, its adapters merged."""
    with torch.device("meta"):
        plain = read_config(teacher).model_copy(update={"lora": LoraConfig()})
        return build(plain, tokenizer, codec).num_parameters()
