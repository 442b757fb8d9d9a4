"""`valle bench guidance`: what classifier-free guidance costs, which a distilled model has built in."""

from functools import partial

import numpy as np
import torch

from model.bench.basis.random_data import CODEC, SEED, random_condition
from model.bench.basis.rates import Values, rates
from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.decoding.engine.step import Step, laid_out
from model.decoding.masked import generate_masked
from model.decoding.options import Unmasking
from model.decoding.steps import Steps
from model.device import hardware, inference_dtype, resolve_device
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer

_FRAMES = 375
_SCALE = 2.5
"""Any scale above 1 costs the same."""
_SIDES = {"built_in": 1.0, "two_passes": _SCALE}


def guidance(config: TrainConfig, *, seconds: float) -> Values:
    """Measures decoding of codebook 0 with guidance, in two passes, and without, as with guidance built in.

    Args:
        config: The configuration of the network, whose weights are random.
        seconds: Least seconds to measure each side.

    Returns:
        Frames per second of each side in the modes `ar` (one response, 5 s after a prompt of 3 s) and `nar-len` (the
        same, its length known), and the ratios of built in to two passes.
    """
    where = resolve_device(config.trainer.device)
    if where.type == "cpu" and config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    tokenizer = Tokenizer.default(CODEC.num_codebooks)
    network = build(config, tokenizer, CODEC).to(where, inference_dtype(where)).eval()
    condition = random_condition(np.random.default_rng(SEED), frames=_FRAMES)
    step = laid_out(network, "none")
    runs = {
        **{f"ar_{side}": partial(_ar, network, tokenizer, condition, step, scale) for side, scale in _SIDES.items()},
        **{
            f"nar_len_{side}": partial(_nar_len, network, tokenizer, condition, scale) for side, scale in _SIDES.items()
        },
    }
    found = {name: rate * _FRAMES for name, rate in rates(runs, seconds, where).items()}
    values: Values = {"hardware": hardware(where), "parameters": network.num_parameters()}
    values |= {f"{name}_frames_per_s": round(rate, 1) for name, rate in found.items()}
    return values | {
        f"{mode}_ratio": round(found[f"{mode}_built_in"] / found[f"{mode}_two_passes"], 2) for mode in ("ar", "nar_len")
    }


@torch.inference_mode()
def _ar(network: Decoder, tokenizer: Tokenizer, condition: Condition, step: Step | None, scale: float) -> None:
    """Decodes the response greedily."""
    steps = _FRAMES // network.config.group
    decoded = Steps(network, tokenizer, [condition], most=steps, guidance=scale, step=step)
    for _ in range(steps - 1):
        decoded.take(decoded.logits(_FRAMES).argmax(-1))


def _nar_len(network: Decoder, tokenizer: Tokenizer, condition: Condition, scale: float) -> None:
    """Unmasks codebook 0 in the usual number of steps."""
    generate_masked(network, tokenizer, [condition], [_FRAMES], unmasking=Unmasking(), guidance=scale)
