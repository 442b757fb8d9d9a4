"""`valle bench samplers`: what the samplers take of a step of decoding."""

import time

import numpy as np
import torch

from model.bench.basis.random_data import CODEC, SEED, random_condition
from model.bench.basis.rates import Values
from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.decoding.crew import draw_group
from model.decoding.samplers.chain import GREEDY, PLAIN, Sampling
from model.decoding.samplers.noise import seeds_of
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.device import hardware, inference_dtype, resolve_device
from model.sequences.tokenizer import Tokenizer

PENALTIES = {
    **{"repetition_penalty": 1.2, "repetition_penalty_decay": 0.05, "dry_multiplier": 0.8, "length_penalty": 0.1},
    **{"min_temperature": 0.5, "ras_window": 10},
}
SETTINGS = {
    "greedy": GREEDY,
    "plain": PLAIN,
    "all": Sampling(0.9, **PENALTIES, top_n_sigma=3.0, top_k=200, top_p=0.95, min_p=0.01),
    "all_mirostat": Sampling(0.9, **PENALTIES, mirostat_tau=5.0),
}
"""All samplers are on in two rows, since mirostat leaves no other choice of codes beside it."""

MIDDLE = 188
"""Steps before those measured: half of a sentence of 5 s."""

_FRAMES, _AT_ONCE = 1200, 3


def samplers(config: TrainConfig, *, seconds: float) -> Values:
    """Measures AR steps with all samplers on against the same steps with a plain draw, or none.

    Returns:
        Milliseconds of a step at batch 1 and 16, after 2.5 s of speech and a prompt of 3 s, with room for 16 s; and the
        share of the step that the samplers take: those of a step with all of them on, less a greedy one.
    """
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    found: Values = {"hardware": hardware(where)}
    for batch in (1, 16):
        bench = _Bench(config, batch, where)
        times = bench.fastest(seconds)
        found |= {f"batch_{batch}_{name}_ms": round(time, 3) for name, time in times.items()}
        for name in ("plain", "all", "all_mirostat"):
            found[f"batch_{batch}_{name}_share"] = round(1 - times["greedy"] / times[name], 3)
    return found


class _Bench:
    """Responses of a random network in the middle of decoding, at which each run begins again."""

    @torch.inference_mode()
    def __init__(self, config: TrainConfig, batch: int, device: torch.device) -> None:
        tokenizer = Tokenizer.default(CODEC.num_codebooks)
        network = build(config, tokenizer, CODEC).to(device, inference_dtype(device)).eval()
        rng = np.random.default_rng(SEED)
        group = network.config.group
        conditions = [random_condition(rng, frames=375) for _ in range(batch)]
        self.steps = Steps(network, tokenizer, conditions, most=MIDDLE + _AT_ONCE, guidance=1.0)
        self.codes_BT = torch.from_numpy(rng.integers(0, CODEC.codebook_size, (batch, _FRAMES))).to(device)
        for start in range(0, MIDDLE * group, group):
            self.steps.take(self.codes_BT[:, start : start + group])
        self.seeds_B = seeds_of(range(batch), device)

    def fastest(self, seconds: float) -> dict[str, float]:
        """Returns the milliseconds of a step for each of the settings, of the fastest of many runs.

        They take turns. The mean of a busy machine varies by more than the samplers take; the fastest run doesn't.
        """
        times = dict.fromkeys(SETTINGS, float("inf"))
        started = time.perf_counter()
        while time.perf_counter() - started < seconds * len(SETTINGS) or float("inf") in times.values():
            for name, sampling in SETTINGS.items():
                begun = time.perf_counter()
                self._run(sampling)
                if self.codes_BT.is_cuda:
                    torch.cuda.synchronize()
                times[name] = min(times[name], 1000 * (time.perf_counter() - begun) / _AT_ONCE)
        return times

    @torch.inference_mode()
    def _run(self, sampling: Sampling) -> None:
        """Draws a few steps, and goes back to where they began."""
        steps = self.steps
        batch, device = len(self.codes_BT), self.codes_BT.device
        lengths_B = torch.full((batch,), MIDDLE * steps.group, device=device)
        draws = Draws(self.codes_BT.clone(), lengths_B, steps.stop, sampling.begin(batch, device))
        for _ in range(_AT_ONCE):
            steps.take(draw_group(steps.logits(_FRAMES), sampling, self.seeds_B, draws))
        steps.back(_AT_ONCE)
