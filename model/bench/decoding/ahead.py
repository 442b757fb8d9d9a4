"""`valle bench ahead`: decoding by heads ahead against single steps, with a trained model.

How many proposals are right depends on what the model has learnt and on what it is to say, so there is no such
benchmark of random weights.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from model.bench.basis.rates import Values, rates
from model.bench.decoding.trained import asks_of, load_trained
from model.checkpoints.checkpoint import Checkpoint
from model.config import TrainConfig
from model.decoding.ahead import looks_ahead
from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.crew import First
from model.decoding.engine import Quantization
from model.decoding.engine.step import Step, laid_out
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, PLAIN, Sampling
from model.device import hardware

RESPONSES = 8
"""Utterances that are spoken, each alone."""

SAMPLINGS: dict[str, Sampling] = {"drawn": PLAIN, "greedy": GREEDY}


def ahead(config: TrainConfig, *, seconds: float) -> Values:
    """Measures single responses with heads ahead and without, each as long as its recording.

    Args:
        config: Of it: `trainer.start_from`, a trained model with heads ahead; `data.store`, a dataset of its codec,
            whose validation utterances are spoken; `trainer.device` and `trainer.threads`.
        seconds: Least seconds to measure each side.

    Returns:
        For codes drawn by the model's own distribution and for the likeliest ones, in float32 and in 8 bits where
        possible: frames a second both ways and their ratio, the frames drawn per pass of the network, what a pass
        costs in single steps, and the share of responses that came out the same both ways.

    Raises:
        UsageError: if no such model is named.
    """
    model, where = load_trained(config, "ahead", "a run with heads ahead")
    network = model.network
    looks_ahead(network, Decoding(ahead=True))
    asks = asks_of(model, config.data.store, RESPONSES)
    found: Values = {"hardware": hardware(where), "heads": network.config.ahead, "responses": len(asks)}
    kinds: tuple[Quantization, ...] = ("none", "int8") if Step.fits(network) else ("none",)
    for quantization in kinds:
        step = laid_out(network, quantization)
        for name, sampling in SAMPLINGS.items():
            single, by_heads = (
                partial(_spoken, model, [replace(ask, decoding=Decoding(ar=sampling, ahead=use)) for ask in asks], step)
                for use in (False, True)
            )
            per_s = rates({"single": single, "ahead": by_heads}, seconds, where)
            both = list(zip(single(), by_heads(), strict=True))
            frames = sum(len(one.codes_T) for one, _ in both)
            per_pass = frames / sum(other.passes or 0 for _, other in both)
            title = name if quantization == "none" else f"{name}_{quantization}"
            found |= {
                f"{title}_single_frames_per_s": round(per_s["single"] * frames, 1),
                f"{title}_ahead_frames_per_s": round(per_s["ahead"] * frames, 1),
                f"{title}_ratio": round(per_s["ahead"] / per_s["single"], 2),
                f"{title}_frames_per_pass": round(per_pass, 2),
                f"{title}_pass_cost": round(per_pass * per_s["single"] / per_s["ahead"], 2),
                f"{title}_same": round(float(np.mean([np.array_equal(a.codes_T, b.codes_T) for a, b in both])), 3),
            }
    return found


def _spoken(model: Checkpoint, asks: Sequence[Ask], step: Step | None) -> list[First]:
    """Draws codebook 0 of each response alone."""
    found = []
    for ask in asks:
        lane = Lane(model.network, model.tokenizer, like=ask, step=step)
        found += lane.enter([ask])
        while len(lane):
            lane.advance()
    return found
