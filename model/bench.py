"""Measures training and decoding beside a baseline of the same network in the same run.

Utterances are as long as real ones; their codes and phonemes are random, which costs the same.

Axes: B batch, L positions, K codebooks.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.attention import Attend, Packed, Padded
from model.batching import Batch, collate
from model.cache import Cached, KVCache
from model.checkpoint import build
from model.config import DataConfig, TrainConfig
from model.device import hardware, inference_dtype, resolve_device, resolve_precision
from model.documents import ABSENT, Condition, Document, document, group_columns
from model.flops import datasheet_rate, measured_rate, training_flops
from model.network import Decoder
from model.samplers import Sampling, sample
from model.tokenizer import Tokenizer
from model.trainer import Trainer
from stages.errors import UsageError
from stages.records import CodecIdentity, Codes, Encoded, Utterance
from stages.store import StoreShards, open_store, write_index

Values = dict[str, float | int | str]

CODEC = CodecIdentity("encodec", 24_000, 75.0, 8, 1024, "")
_PHONEMES_PER_S = 14
_DURATIONS_S = (2.0, 2.9, 3.5, 4.4, 5.3, 6.8, 7.5, 8.4, 10.5, 13.5, 16.0)
"""Deciles of 60 utterances of LibriSpeech test-other; the longest cut to the `data.max_s` of most configurations."""
_SEED = 0


class _EitherWay(Trainer):
    """A run that takes padded batches (`[B, L]`), too."""

    def attention(self, batch: Batch) -> Attend:
        """As above."""
        if batch.tokens_L.dim() == 1:
            return super().attention(batch)
        lengths_B = torch.tensor(batch.lengths, device=self.fabric.device)
        causal_B = torch.arange(len(lengths_B), device=self.fabric.device) < batch.causal
        return Padded(lengths_B, causal_B, batch.tokens_L.shape[1])


def training(config: TrainConfig, *, seconds: float) -> Values:
    """Measures a run's steps on packed documents against steps on the same documents padded to the longest.

    A step is all that `Trainer.train_step` does, as the configuration has it; to draw and read the documents isn't
    measured. Of the section `data` only `batch_tokens` counts.

    Returns:
        Positions that aren't padding per second on each side, their ratio, and the padding's share; and which share
        the packed side reaches of the machine's matrix rate (MFU), as its datasheet has it and as measured here.

    Raises:
        UsageError: if the configuration begins from another model, or has several processes train.
    """
    if config.trainer.start_from or config.trainer.devices > 1:
        raise UsageError(
            "`valle bench train` measures a new model in one process, so `trainer.start_from` (and `lora.rank`) must be"
            f" left out and `trainer.devices` be 1, but they are {config.trainer.start_from} and"
            f" {config.trainer.devices}."
        )
    data = DataConfig(validation=0.0, batch_tokens=config.data.batch_tokens)
    with tempfile.TemporaryDirectory() as scratch:
        write_store(Path(scratch), utterances=2, speakers=1)
        trainer = _EitherWay(config.model_copy(update={"data": data}), open_store(Path(scratch)), quiet=True)
        return _training(trainer, seconds)


def _training(trainer: Trainer, seconds: float) -> Values:
    config, device, network = trainer.config, trainer.fabric.device, trainer.raw_network
    documents = random_documents(trainer.tokenizer, config.data.batch_tokens, group=config.model.group)
    batch = collate(documents, CODEC.num_codebooks)
    wide, *_ = padded(batch)
    times = config.trainer.accumulate
    sides = {
        "packed": lambda: trainer.train_step([batch] * times),
        "padded": lambda: trainer.train_step([wide] * times),
    }
    useful = sum(batch.lengths)
    steps_per_s = rates(sides, seconds, device)
    speeds = {name: useful * times * rate for name, rate in steps_per_s.items()}
    flops = times * training_flops(network, batch.lengths, batch.causal, [len(rows) for rows in batch.rows])
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
    """Returns which share of the datasheet's (if it is known) and of the measured matrix rate the model reaches."""
    half = precision != "32-true"
    measured = measured_rate(device, torch.bfloat16 if half else torch.float32)
    promised = datasheet_rate(torch.cuda.get_device_name(device)) if device.type == "cuda" and half else None
    shares: Values = {"model_tflops_per_s": round(flops_per_s / 1e12, 4)}
    for name, rate in {"datasheet": promised, "measured": measured}.items():
        if rate:
            shares |= {f"{name}_tflops_per_s": round(rate / 1e12, 4), f"mfu_of_{name}": round(flops_per_s / rate, 3)}
    return shares


def decoding(config: TrainConfig, *, seconds: float) -> Values:
    """Measures AR steps with the cache against steps that read the whole prefix again.

    Returns:
        Frames per second on each side, up to 5 s of speech after a prompt of 3 s, and their ratio.
    """
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    tokenizer = Tokenizer.default(CODEC.num_codebooks)
    network = build(config, tokenizer, CODEC).to(where, inference_dtype(where)).eval()
    rng = np.random.default_rng(_SEED)
    condition = _random_condition(rng, frames=375)
    group = config.model.group
    all_steps, few_steps, middle = 375 // group, 12, 188 // group
    runs = {
        "cached": lambda: _decode(network, tokenizer, condition, where, cached=True, steps=all_steps),
        "uncached": lambda: _decode(network, tokenizer, condition, where, cached=False, steps=few_steps, start=middle),
    }
    found = rates(runs, seconds, where)
    cached, uncached = found["cached"] * all_steps * group, found["uncached"] * few_steps * group
    return {
        "hardware": hardware(where),
        "parameters": network.num_parameters(),
        "prefix_positions": len(document(tokenizer, condition, _nothing(), 0, CODEC.codebook_size)),
        "cached_frames_per_s": round(cached, 1),
        "uncached_frames_per_s": round(uncached, 1),
        "ratio": round(cached / uncached, 1),
        "real_time": round(cached / CODEC.frame_rate, 3),
    }


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
    """Draws after `start` steps; uncached, that is the middle of the utterance, for a fair mean."""
    group = network.config.group
    codes = np.random.default_rng(_SEED).integers(0, CODEC.codebook_size, (CODEC.num_codebooks, start * group))
    item = document(tokenizer, condition, codes.astype(np.uint16), 0, CODEC.codebook_size, group=group)
    tokens, positions, known = (
        torch.from_numpy(x).to(device)[None] for x in (item.tokens_L, item.positions_L, item.codes_LK)
    )
    capacity = len(item) + steps
    cache = KVCache.allocate(network.config, 1, capacity, device=device, dtype=network.token_embedding.weight.dtype)
    new = tokens.shape[1]
    columns = torch.tensor(group_columns(CODEC.num_codebooks, group), device=device)
    for step in range(start, start + steps):
        attend = Cached(cache, new) if cached else Packed([tokens.shape[1]], 1, device)
        if cached:
            last = network.hidden(tokens[:, -new:], known[:, -new:], positions[:, -new:], attend)[:, -1]
            cache.advance(new, new)
            new = 1
        else:
            last = network.hidden(tokens[0], known[0], positions[0], attend)[-1:]
        codes_G = sample(network.logits(last, 0), Sampling(0.0))
        row = torch.full_like(known[:, :1], ABSENT)
        row[0, 0, columns] = codes_G % CODEC.codebook_size
        known = torch.cat([known, row], 1)
        tokens = torch.cat([tokens, tokens[:, -1:]], 1)
        positions = torch.cat([positions, torch.full((1, 1), step + 1, device=device)], 1)


def _nothing() -> np.ndarray:
    return np.zeros((CODEC.num_codebooks, 0), np.uint16)


def write_store(folder: Path, utterances: int, speakers: int) -> None:
    """Writes random utterances as `valle-prep hdf5` does; their ids are their numbers, of five digits."""
    rng = np.random.default_rng(_SEED)
    rows = []
    for number in range(utterances):
        frames = random_frames(rng)
        phonemes, codes_KT = random_phonemes(rng, frames), random_codes(rng, frames)
        uid, samples = f"{number:05d}", frames * round(CODEC.sample_rate / CODEC.frame_rate)
        about = uid, uid, "g", f"s{number % speakers}", "en", 0, samples, CODEC.sample_rate, "", phonemes, frames
        rows.append(Encoded(Utterance(*about), codes_KT))
    StoreShards().write({"h5": folder / "0.h5"}, rows)
    write_index(folder, ["0.h5"], CODEC, "random")


def random_frames(rng: np.random.Generator) -> int:
    """Returns how many frames an utterance of read speech has, drawn from real durations."""
    shares = np.linspace(0, 1, len(_DURATIONS_S))
    return round(float(np.interp(rng.random(), shares, _DURATIONS_S)) * CODEC.frame_rate)


def random_codes(rng: np.random.Generator, frames: int) -> Codes:
    """Returns codes `[K, T]`."""
    return rng.integers(0, CODEC.codebook_size, (CODEC.num_codebooks, frames)).astype(np.uint16)


def random_phonemes(rng: np.random.Generator, frames: int) -> str:
    """Returns as many phonemes as are said in so many frames."""
    return "".join(rng.choice(list("abdefhijklmnopstuvwzæðŋɐɑɔəɛɜɡɪɹʃʊʌʒθˈˌː "), round(frames * _PHONEMES_PER_S / 75)))


def _random_condition(rng: np.random.Generator, frames: int) -> Condition:
    return Condition(random_phonemes(rng, frames), "en", random_codes(rng, 225))


def random_documents(tokenizer: Tokenizer, positions: int, *, group: int = 1) -> list[Document]:
    """Returns documents of up to so many positions in all (at least 2), as long as read speech: 1 s to 16 s.

    Half of the documents are AR, the others NAR of any level.
    """
    rng = np.random.default_rng(_SEED)
    documents: list[Document] = []
    while len(documents) < 2 or sum(map(len, documents)) < positions:
        frames = random_frames(rng)
        response = random_codes(rng, frames)
        level = 0 if len(documents) % 2 == 0 else int(rng.integers(1, CODEC.num_codebooks))
        condition = _random_condition(rng, frames)
        documents.append(document(tokenizer, condition, response, level, CODEC.codebook_size, group=group))
    fits = sum(map(len, documents)) <= positions or len(documents) <= 2
    return documents if fits else documents[:-1]


def padded(batch: Batch) -> tuple[Batch, Tensor, Tensor]:
    """Returns the same batch with one row per document, padded to the longest: the baseline of packing.

    Returns:
        The batch with `[B, L]` instead of `[L]`, its rows numbered accordingly; the lengths `[B]`; which are causal.
    """
    device = batch.tokens_L.device
    lengths_B = torch.tensor(batch.lengths, device=device)
    longest = max(batch.lengths)
    starts_B = lengths_B.cumsum(0) - lengths_B
    document_L = torch.arange(len(batch.lengths), device=device).repeat_interleave(lengths_B)
    slot_L = torch.arange(len(document_L), device=device) - starts_B[document_L] + document_L * longest

    def spread(packed: Tensor, fill: int) -> Tensor:
        wide = packed.new_full((len(batch.lengths) * longest, *packed.shape[1:]), fill)
        wide[slot_L] = packed
        return wide.view(-1, longest, *packed.shape[1:])

    wide = replace(
        batch,
        tokens_L=spread(batch.tokens_L, 0),
        codes_LK=spread(batch.codes_LK, ABSENT),
        positions_L=spread(batch.positions_L, 0),
        rows=tuple(slot_L[rows] for rows in batch.rows),
    )
    return wide, lengths_B, torch.arange(len(batch.lengths), device=device) < batch.causal


def rates(sides: Mapping[str, Callable[[], object]], seconds: float, device: torch.device) -> dict[str, float]:
    """Returns calls per second of each side; they take turns, so that a busy machine slows all alike."""

    def timed(call: Callable[[], object]) -> float:
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    taken: dict[str, list[float]] = {name: [] for name in sides}
    for call in sides.values():
        timed(call)
    while sum(map(sum, taken.values())) < seconds * len(sides):
        for name, call in sides.items():
            taken[name].append(timed(call))
    return {name: len(times) / sum(times) for name, times in taken.items()}
