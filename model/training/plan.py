"""The plan of a run before it starts: `valle train --dry-run`."""

from pathlib import Path

import numpy as np
import torch

from model.checkpoints.checkpoint import build, read_config
from model.config import LoraConfig, ModelConfig, TrainConfig
from model.data.source import Store
from model.device import resolve_device, resolve_precision
from model.network.decoder import Decoder
from model.network.retention import CHUNK
from model.sequences.tokenizer import Tokenizer
from model.training.start import SPLITS, examples_of, vocabulary
from model.training.step.distill import find_teacher
from stages.records import CodecIdentity

_SAMPLED = 2000
"""Number of utterances from which the length of an epoch is estimated."""


def describe(config: TrainConfig, store: Store) -> dict[str, float | int | str]:
    """Returns a run's sizes: parameters, utterances, hours, positions per epoch, steps, memory.

    `dataset` tells what of the dataset is used, and which keys leave the rest out. The memory is per device (see
    `memory`); all else is for all devices together. With a teacher (`distill`), its path and its number of parameters
    are added.

    Raises:
        UsageError: under the same conditions as `model.training.trainer.train`.
    """
    tokenizer = vocabulary(config, store)
    train, validation = (examples_of(config, store, tokenizer, split) for split in SPLITS)
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
        "dataset": train.selection.describe(),
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
    """Estimates the memory that training needs on each device, in bytes.

    It counts:

    * the weights and, if kept, their average; the gradients and AdamW's two moments of the trained weights. Under
      `fsdp` and `deepspeed` a device has only its share of what the strategy shards;
    * a teacher's weights;
    * a bfloat16 copy of the weights under bf16-mixed;
    * the activations of the largest batch: those of all blocks or, with activation checkpointing, every block's input
      and the activations of one block;
    * the logits, as if every position predicted.

    With `ahead.only`, the blocks keep no activations, as no gradient passes through them.

    Args:
        config: All sections.
        network: The network to train; may be on the meta device.
        device: The device to train on.
        taught: Number of parameters of the teacher.
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
        case "deepspeed":  # each process updates its own copy of its share of the weights
            updates = (updates + 4 * trained) / trainer.devices
    converted = 2 * parameters if precision == "bf16-mixed" else 0
    block = kept_by_block(model, precision, fused=device.type == "cuda")
    blocks = 4 * model.width * model.layers + block if trainer.activation_checkpointing else block * model.layers
    if config.ahead.only:
        blocks = 0.0
    # The logits, their probabilities and their gradient. On a canvas of all codebooks a position predicts the drawn
    # codebook's code, and that of each of the K - 1 above it with a probability of 1 / K.
    heads = max(1 + model.ahead, 2 - 1 / network.num_codebooks if config.data.modes.get("all") else 1)
    logits = 3 * 4 * network.codebook_size * heads
    return weights + updates + converted + 4 * taught + (blocks + logits) * config.data.batch_tokens


def kept_by_block(model: ModelConfig, precision: str, *, fused: bool) -> float:
    """Returns the bytes per position that a block keeps for its backward pass.

    In float32: the input of each norm and, without a fused kernel, its output. In the precision of the matrix products:
    the input of each product; queries, keys and values before and after the rotation; the output of attention for each
    document and joined; the gate, and the product with it. Retention keeps more, plus the weights of the pairs in each
    chunk, once per direction; half of the batch is taken to be causal.

    Args:
        model: Section `model`.
        precision: `trainer.precision`, resolved.
        fused: Whether PyTorch has a fused kernel for the norms, as on CUDA.
    """
    size = 4 if precision == "32-true" else 2
    norms = (8 if fused else 16) * model.width
    feedforward = 4 * size * model.feedforward
    if model.arch == "retnet":
        return norms + feedforward + (18 * size + 5) * model.width + 1.5 * (4 + size) * model.heads * CHUNK
    return norms + feedforward + 9 * size * model.width


def _size(teacher: Path, tokenizer: Tokenizer, codec: CodecIdentity) -> int:
    """Returns a teacher's number of parameters, with its adapters merged."""
    with torch.device("meta"):
        plain = read_config(teacher).model_copy(update={"lora": LoraConfig()})
        return build(plain, tokenizer, codec).num_parameters()
