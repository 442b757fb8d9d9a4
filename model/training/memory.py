"""Estimates the memory that training needs."""

from dataclasses import dataclass

import torch

from model.architecture import ModelConfig
from model.config import TrainConfig
from model.network import ssm
from model.network.decoder import Decoder
from model.network.retention import CHUNK
from model.network.window import LEAST_CHUNK

_WITH_TEACHER = 8
"""Tensors of the logits' size at the backward pass of a loss with a teacher; 7.7 were measured on the CPU."""


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher (`distill`) takes."""

    parameters: int
    """Number of its parameters."""
    model: ModelConfig
    """Its section `model`."""


def memory(
    config: TrainConfig,
    network: Decoder,
    device: torch.device,
    precision: str,
    *,
    taught: Taught | None = None,
    positions: int | None = None,
    recomputes: bool | None = None,
) -> float:
    """Estimates the memory that training needs on each device, in bytes.

    It counts:

    * the weights and, if kept, their average; the gradients and AdamW's two moments of the trained weights. Under
      `fsdp` and `deepspeed` a device has only its share of what the strategy shards;
    * a teacher's weights, and the activations of one of its blocks while it predicts, which nothing is kept of. With
      `distill.guidance` it predicts twice: the second time, its first logits are there;
    * a bfloat16 copy of the weights under bf16-mixed;
    * the activations of the largest batch: those of all blocks or, with activation checkpointing, every block's input
      and the activations of one block; and what one state space makes on its way, which is never kept;
    * the logits, as if every position predicted. With a teacher there are its own, the probabilities of both, and what
      the divergence makes of them.

    With `ahead.only`, the blocks keep no activations, as no gradient passes through them.

    Args:
        config: All sections.
        network: The network to train; may be on the meta device.
        device: The device to train on.
        precision: `trainer.precision`, resolved.
        taught: The teacher; None without one.
        positions: Most positions at once; by default those of a batch.
        recomputes: Whether activations are computed again; by default as `trainer.activation_checkpointing` says.
    """
    trainer, model = config.trainer, config.model
    positions = config.data.batch_tokens if positions is None else positions
    recomputes = trainer.activation_checkpointing if recomputes is None else recomputes
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
    blocks = 4 * model.width * model.layers + block if recomputes else block * model.layers
    if model.arch == "mamba":
        blocks += scanned(model, precision)
    if config.ahead.only:
        blocks = 0.0
    # The logits, their probabilities and their gradient. On a canvas of all codebooks a position predicts the drawn
    # codebook's code, and that of each of the K - 1 above it with a probability of 1 / K.
    heads = max(1 + model.ahead, 2 - 1 / network.num_codebooks if config.data.modes.get("all") else 1)
    if config.data.levels == "delay":
        heads = network.num_codebooks
    each = 4 * network.codebook_size * heads
    logits = 3 * each
    if taught:
        predicts = kept_by_block(taught.model, precision, fused=device.type == "cuda")
        logits = max(_WITH_TEACHER * each, predicts + (3 if config.distill.guidance > 1 else 2) * each)
        weights += 4 * taught.parameters
    return weights + updates + converted + (blocks + logits) * positions


def kept_by_block(model: ModelConfig, precision: str, *, fused: bool) -> float:
    """Returns the bytes per position that a block keeps for its backward pass.

    In float32: the input of each norm and, without a fused kernel, its output. In the precision of the matrix products:
    the input of each product; queries, keys and values before and after the rotation; the output of attention for each
    document and joined; the gate, and the product with it. Retention keeps more, plus the weights of the pairs in each
    chunk, once per direction; half of the batch is taken to be causal. With a window, each chunk's keys and values are
    joined anew, and its mask is a bias; both at most, as if all documents were long responses. A state space keeps what
    goes into it and what its gate and norm need. With experts, each chosen one keeps what a feed-forward does, and a
    position's input and output of it are kept in the experts' order.

    Args:
        model: Section `model`.
        precision: `trainer.precision`, resolved.
        fused: Whether PyTorch has a fused kernel for the norms, as on CUDA.
    """
    size = 4 if precision == "32-true" else 2
    norms = (8 if fused else 16) * model.width
    chosen = model.active_experts
    feedforward = 4.0 * size * model.feedforward * chosen
    if model.experts > 1:
        feedforward += (2 * size * chosen + 4 - size) * model.width + 44 * chosen + 4 * model.experts
    if model.arch == "mamba":
        inner = 2 * model.width
        inputs = size * (model.width + 2 * inner + 2 * model.state_size + model.heads)
        gated = (norms // model.width // 2 + 8 + size) * inner + (0 if size == 4 else 4 * inner)
        return norms + feedforward + inputs + gated + size * model.width
    if model.arch == "retnet":
        return norms + feedforward + (18 * size + 5) * model.width + 1.5 * (4 + size) * model.heads * CHUNK
    joined = 0.0
    if window := model.window_positions:  # a chunk's keys are at most three times its queries (`network.window`)
        joined = 3 * size * (2 * model.num_kv_heads * model.head_width + max(window, LEAST_CHUNK))
    return norms + feedforward + 9 * size * model.width + joined


def scanned(model: ModelConfig, precision: str) -> float:
    """Returns about the bytes per position that a state space of one block makes on its way, in both directions.

    Features shifted, convolved and taken apart; the weights of the pairs in each chunk; and each chunk's states.

    Args:
        model: Section `model`.
        precision: As in `kept_by_block`.
    """
    size = 4 if precision == "32-true" else 2
    inner = 2 * model.width
    features = inner + 2 * model.state_size
    pairs = model.heads * ssm.CHUNK * (8 + size)
    states = 4 * 4 * inner * model.state_size / ssm.CHUNK
    return 2 * (7 * size * features + 4 * size * inner + pairs + states)
