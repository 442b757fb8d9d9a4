"""Counts the operations of training and the peak rate of the machine, for model FLOPs utilisation (MFU).

Source of the count: PaLM, appendix B, https://arxiv.org/abs/2204.02311. A multiplication and an addition are two
operations, and the backward pass takes twice as many as the forward pass. Only what the model needs counts, not padding
or recomputation. Here attention counts by the documents' real lengths, half of it if causal, and without the pairs that
a window hides; retention and state spaces count by chunks, as long documents need it; of experts those that are chosen
count; each head counts by the positions where it predicts. Norms, activations and embeddings aren't counted.

Axes: L positions of a document.
"""

import re
import time
from collections.abc import Sequence
from functools import cache
from typing import cast

import torch
from torch import nn

from model.architecture import ModelConfig
from model.network import ssm
from model.network.decoder import Decoder
from model.network.layers import Ahead
from model.network.retention import CHUNK

DATASHEET = {
    "A100": 312.0,
    "A800": 312.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "H800": 989.0,
    "H200": 989.0,
    "GH200": 989.0,
    "B200": 2250.0,
    "L4": 121.0,
    "L40": 181.0,
    "L40S": 362.0,
    "A10": 125.0,
    "A40": 149.7,
    "RTX 3090": 71.0,
    "RTX 4090": 165.2,
}
"""Peak rates by device name, in 10^12 operations per second: dense bfloat16 products with float32 sums, from NVIDIA's
datasheets. A row matches a device whose name has all of its words; of several matches, the one with most words counts,
to tell the variants of a chip apart."""


def training_flops(
    network: Decoder,
    lengths: Sequence[int],
    causal: int,
    predicted: Sequence[int],
    given: Sequence[int] = (),
    *,
    before: Sequence[int] = (),
) -> float:
    """Returns the operations of a training step on packed documents, forward and backward.

    Args:
        network: The network.
        lengths: L of each document.
        causal: Number of causal documents; they come first.
        predicted: For each head (see `Document.head`), then each head ahead, the number of positions where it predicts.
        given: First positions of each document that attend to each other alone; () for none.
        before: Positions of each document before its response (`Document.before`); () for none.
    """
    reach: float = max(lengths, default=0)
    config = network.config
    if config.arch == "retnet":  # half a chunk's pairs, and one product each to write and read the state
        reach = 2 * (CHUNK / 2 + config.head_width)
    pairs = sum(length * min(length, reach) / (2 if number < causal else 1) for number, length in enumerate(lengths))
    if given and config.arch == "llama":
        pairs -= sum(first * (length - first) for first, length in zip(given, lengths, strict=True))
    if window := config.window_positions:  # half the pairs of what lies behind the window
        hidden = (length - first - window for first, length in zip(before, lengths, strict=False) if first)
        pairs -= sum(max(behind, 0) ** 2 / 2 for behind in hidden)
    # Through frozen blocks no gradient passes, unless embeddings below them are trained.
    passed = any(
        weight.requires_grad
        for part in (network.blocks, network.token_embedding, network.code_embedding)
        for weight in part.parameters()
    )
    mixing = 4 * pairs * config.width  # q k, and weights times v
    if config.arch == "mamba":
        mixing = sum(_scanned(config, length) * (1 if number < causal else 2) for number, length in enumerate(lengths))
    attention = (3 if passed else 1) * mixing * config.layers
    heads = [_per_position(head, passed=passed) for head in network.heads]
    codebooks = [heads[0] / network.config.group, *heads[1:-1]]  # a canvas uses one frame of head 0
    heads += [codebooks[0], *codebooks, *codebooks[1:]]
    shared = _per_position(network.heads[0], passed=True)
    further = cast("list[Ahead]", list(network.ahead))
    heads += [_per_position(one.up, passed=passed) + _per_position(one.down, passed=True) + shared for one in further]
    return (
        attention
        + sum(lengths) * _per_position(network.blocks, passed=passed, chosen=config.active_experts / config.experts)
        + sum(rows * head for rows, head in zip(predicted, heads, strict=True))
    )


def _scanned(config: ModelConfig, length: int) -> float:
    """Returns the operations of a state space on a document, forward and in one direction."""
    inner, state = 2 * config.width, config.state_size
    pairs = 2 * (inner + state)  # c b for all heads, and the weights times x
    by_chunks = ssm.CHUNK / 2 * pairs + 4 * inner * state  # half a chunk's pairs; the state is written and read
    return length * (min(length / 2 * pairs, by_chunks) + 2 * ssm.TAPS * (inner + 2 * state))


def _per_position(part: nn.Module, *, passed: bool, chosen: float = 1.0) -> float:
    """Returns the operations per position of a part's matrices; frozen ones need no weight gradient.

    Args:
        part: A part of the network.
        passed: Whether the gradient passes through it, to what is trained below.
        chosen: The share of its experts that a position goes through.
    """
    found = 0.0
    for name, weight in part.named_parameters():
        if weight.dim() == 2:
            share = chosen if ".experts." in name else 1.0
            found += share * 2 * weight.numel() * (1 + passed + weight.requires_grad)
    return found


def datasheet_rate(name: str) -> float | None:
    """Returns a device's bfloat16 operations per second by its datasheet; None if unknown."""
    words = set(re.split(r"\W+", name))
    fitting = [row for row in DATASHEET if set(row.split()) <= words]
    return 1e12 * DATASHEET[max(fitting, key=lambda row: len(row.split()))] if fitting else None


def peak_rate(device: torch.device, dtype: torch.dtype) -> tuple[float, str]:
    """Returns a device's peak operations per second in matrix products, and the source of the number."""
    if device.type == "cuda" and dtype == torch.bfloat16:
        rate = datasheet_rate(torch.cuda.get_device_name(device))
        if rate:
            return rate, "datasheet"
    return measured_rate(device, dtype), "measured"


@cache
def measured_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measures the operations per second of large matrix products, once, in under a second."""
    size, seconds = (8192, 0.3) if device.type == "cuda" else (768, 0.1)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def timed(times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    timed(1)
    once = timed(1)
    times = max(1, round(seconds / once))
    return 2 * size**3 * times / timed(times)
