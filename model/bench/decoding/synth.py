"""`valle bench synth`: many responses at once beside one after the other, and how soon a stream is heard."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from model.bench.basis.random_data import CODEC, SEED, random_condition
from model.bench.basis.rates import Values
from model.bench.decoding.steps import decode_cached
from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.continuous import Engine
from model.decoding.engine import Quantization
from model.decoding.engine.matrices import quantized
from model.decoding.engine.step import Step, laid_out
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY
from model.device import hardware, inference_dtype, resolve_device
from model.inference.wave.streaming import FIRST_S, GrowingWave
from model.network.decoder import Decoder
from model.sequences.tokenizer import Tokenizer
from stages.codecs.table import load_codec

AT_ONCE = 1, 4, 16, 64
"""Responses that share steps."""
_FRAMES = 375
"""Of each: 5 s."""
_SENTENCE_FRAMES = 750
"""Of the sentence that is streamed: 10 s."""


def synth(config: TrainConfig, *, seconds: float) -> Values:
    """Measures codebook 0 of 1 to 64 responses at once, against one after the other as before, and a stream.

    A response is 5 s of speech after a prompt of 3 s, drawn greedily; reading the prompts is counted. The baseline
    calls the float32 network itself, with a cache, for one response (`cached` of `valle bench decode`). The stream is
    of a sentence of 10 s: the time until its first chunk can be heard, and until all of it can where it isn't streamed,
    both with the other codebooks and with decoding by the embedded codec.

    Args:
        config: The configuration of the network.
        seconds: Least seconds for the baseline and for each number of responses.

    Returns:
        Frames per second of all responses together, their ratios to the baseline, and the times of the stream.
    """
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    tokenizer = Tokenizer.default(CODEC.num_codebooks)
    trained = build(config, tokenizer, CODEC).to(where, inference_dtype(where)).eval()
    trained.initialise(torch.Generator(where).manual_seed(SEED))
    kinds: tuple[Quantization, ...] = ("none", "int8") if Step.fits(trained) else ("none",)
    sides = {kind: _Side(quantized(trained, kind), tokenizer, laid_out(trained, kind)) for kind in kinds}
    condition = random_condition(np.random.default_rng(SEED), _FRAMES)
    baseline = _FRAMES * _rate(lambda: decode_cached(trained, tokenizer, condition, where, steps=_FRAMES), seconds)
    found: Values = {
        "hardware": hardware(where),
        "parameters": trained.num_parameters(),
        "one_by_one_frames_per_s": round(baseline, 1),
    }
    for kind, side in sides.items():
        for rows in AT_ONCE:
            rate = rows * _FRAMES * _rate(lambda side=side, rows=rows: side.draw(rows), seconds)  # type: ignore[misc]
            found[f"{kind}_{rows}_frames_per_s"] = round(rate, 1)
            found[f"{kind}_{rows}_ratio"] = round(rate / baseline, 2)
    for kind, side in sides.items():
        first_s, whole_s = side.stream()
        found[f"{kind}_first_audio_s"] = round(first_s, 3)
        found[f"{kind}_whole_s"] = round(whole_s, 3)
        found[f"{kind}_first_audio_share"] = round(first_s / whole_s, 3)
    return found


def _rate(call: Callable[[], None], seconds: float) -> float:
    """Returns calls per second."""
    times: list[float] = []
    while sum(times) < seconds:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return len(times) / sum(times)


@dataclass(frozen=True)
class _Side:
    """A network, held in one way."""

    network: Decoder
    tokenizer: Tokenizer
    step: Step | None

    def draw(self, rows: int) -> None:
        """Draws codebook 0 of so many responses."""
        rng = np.random.default_rng(SEED)
        asks = [self._ask(rng, _FRAMES) for _ in range(rows)]
        lane = Lane(self.network, self.tokenizer, like=asks[0], step=self.step)
        lane.enter(asks)
        while len(lane):
            lane.advance()

    def stream(self) -> tuple[float, float]:
        """Returns the seconds until a sentence's first chunk can be heard, and until all of it can without chunks."""
        ask = self._ask(np.random.default_rng(SEED), _SENTENCE_FRAMES)
        return min(self._heard(ask, streamed=True) for _ in range(3)), self._heard(ask, streamed=False)

    def _heard(self, ask: Ask, *, streamed: bool) -> float:
        codec = load_codec("embedded")
        started = time.perf_counter()
        engine = Engine(self.network, self.tokenizer, step=self.step)
        job = engine.submit(ask, chunk_frames=round(FIRST_S * codec.frame_rate) if streamed else None)
        growing = GrowingWave(codec)
        while not len(growing.wave):
            if job in engine.advance():
                growing.add(job.codes(), final=job.response is not None)
        return time.perf_counter() - started

    def _ask(self, rng: np.random.Generator, frames: int) -> Ask:
        """Asks for exactly so many frames."""
        return Ask(random_condition(rng, frames), frames, Decoding(ar=GREEDY, guidance=1.0), frames)
