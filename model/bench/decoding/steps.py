"""`valle bench decode`: AR decoding without a KV cache, with one, and faster: laid out, in 8 bits, by CUDA graphs."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch

from model.bench.basis.random_data import CODEC, SEED, random_condition
from model.bench.basis.rates import Values, rates
from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.engine import Quantization
from model.decoding.engine.graphs import Graphs
from model.decoding.engine.step import Step, laid_out
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.steps import Steps
from model.device import hardware, inference_dtype, resolve_device
from model.network.attention import Packed
from model.network.cache import Cached, KVCache, Window
from model.network.decoder import Decoder
from model.sequences.documents import ABSENT, Condition, document
from model.sequences.heads import group_columns
from model.sequences.tokenizer import Tokenizer

_LAID_OUT: Mapping[str, Quantization] = {"laid_out": "none", "int8": "int8"}
"""The sides whose steps are laid out for speed, and how they hold their weights."""

_FAST = *_LAID_OUT, "graphs"
"""The sides that are compared to the network called with a cache, where they are."""


def decoding(config: TrainConfig, *, seconds: float) -> Values:
    """Measures AR steps: the network's own with and without a cache, those laid out for speed, in 8 bits, by graphs.

    Args:
        config: The configuration of the network.
        seconds: Least seconds to measure each side.

    Returns:
        Frames per second of each side, for 5 s of speech after a prompt of 3 s. `ratio` is that of the cache to none;
        the others are ratios to the cache. Steps are laid out only for float32 Llama networks on a CPU; by CUDA graphs
        they are done only on a GPU.
    """
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    tokenizer = Tokenizer.default(CODEC.num_codebooks)
    network = build(config, tokenizer, CODEC).to(where, inference_dtype(where)).eval()
    rng = np.random.default_rng(SEED)
    condition = random_condition(rng, frames=375)
    group = config.model.group
    all_steps, few_steps, middle = 375 // group, 12, 188 // group
    runs: dict[str, Callable[[], object]] = {
        "cached": lambda: decode_cached(network, tokenizer, condition, where, steps=all_steps),
        "uncached": lambda: _decode(network, tokenizer, condition, where, cached=False, steps=few_steps, start=middle),
    }
    for name, quantization in _LAID_OUT.items() if Step.fits(network) else ():
        step = laid_out(network, quantization)
        runs[name] = partial(_step, network, tokenizer, condition, step=step, steps=all_steps)
    if Graphs(where).are_there:
        ask = Ask(condition, all_steps * group, Decoding(ar=GREEDY), all_steps * group)
        runs["graphs"] = partial(_by_graphs, Lane(network, tokenizer, like=ask), ask)
    found = rates(runs, seconds, where)
    uncached, frames = found.pop("uncached") * few_steps * group, all_steps * group
    cached = found["cached"] * frames
    return {
        "hardware": hardware(where),
        "parameters": network.num_parameters(),
        "prefix_positions": len(document(tokenizer, condition, _no_codes(), 0, CODEC.codebook_size)),
        "cached_frames_per_s": round(cached, 1),
        "uncached_frames_per_s": round(uncached, 1),
        "ratio": round(cached / uncached, 1),
        "real_time": round(cached / CODEC.frame_rate, 3),
        **{f"{name}_frames_per_s": round(found[name] * frames, 1) for name in _FAST if name in found},
        **{f"{name}_ratio": round(found[name] * frames / cached, 2) for name in _FAST if name in found},
    }


@torch.inference_mode()
def _step(network: Decoder, tokenizer: Tokenizer, condition: Condition, *, step: Step | None, steps: int) -> None:
    """Decodes so many steps greedily."""
    decoded = Steps(network, tokenizer, [condition], most=steps, guidance=1.0, step=step)
    for _ in range(steps - 1):
        decoded.take(decoded.logits(steps * decoded.group).argmax(-1))


def _by_graphs(lane: Lane, ask: Ask) -> None:
    """Decodes a response; the lane keeps its graphs."""
    lane.enter([ask])
    while len(lane):
        lane.advance()


def decode_cached(
    network: Decoder, tokenizer: Tokenizer, condition: Condition, device: torch.device, *, steps: int
) -> None:
    """Decodes so many steps greedily with a cache, by calling the network itself: the baseline of faster ways."""
    _decode(network, tokenizer, condition, device, cached=True, steps=steps)


@torch.inference_mode()
def _decode(
    network: Decoder,
    tokenizer: Tokenizer,
    condition: Condition,
    device: torch.device,
    *,
    cached: bool,
    steps: int,
    start: int = 0,
) -> None:
    """Decodes `steps` steps after the first `start`.

    The uncached side decodes a few steps in the middle of the utterance: their cost is the mean over all steps.
    """
    group = network.config.group
    codes = np.random.default_rng(SEED).integers(0, CODEC.codebook_size, (CODEC.num_codebooks, start * group))
    item = document(tokenizer, condition, codes.astype(np.uint16), 0, CODEC.codebook_size, group=group)
    tokens, positions, known = (
        torch.from_numpy(x).to(device)[None] for x in (item.tokens_L, item.positions_L, item.codes_LK)
    )
    capacity = len(item) + steps
    cache = KVCache.allocate(network.config, 1, capacity, device=device, dtype=network.token_embedding.weight.dtype)
    new = tokens.shape[1]
    columns = torch.tensor(group_columns(CODEC.num_codebooks, group), device=device)
    size = network.config.window_positions
    window = None if size is None else Window(torch.tensor([item.before], device=device), size)
    for step in range(start, start + steps):
        if cached:
            attend = Cached(cache, new, window=window)
            last = network.hidden(tokens[:, -new:], known[:, -new:], positions[:, -new:], attend)[:, -1]
            cache.advance(new, new)
            new = 1
        else:
            packed = Packed([tokens.shape[1]], 1, device, window=size, before=[item.before])
            last = network.hidden(tokens[0], known[0], positions[0], packed)[-1:]
        codes_G = sample(network.logits(last, 0), Sampling(0.0))
        row = torch.full_like(known[:, :1], ABSENT)
        row[0, 0, columns] = codes_G % CODEC.codebook_size
        known = torch.cat([known, row], 1)
        tokens = torch.cat([tokens, tokens[:, -1:]], 1)
        positions = torch.cat([positions, torch.full((1, 1), step + 1, device=device)], 1)


def _no_codes() -> np.ndarray:
    return np.zeros((CODEC.num_codebooks, 0), np.uint16)
