"""Generates the codes of a response: the one place that chooses between `ar` and `nar-len`."""

from collections.abc import Sequence

import torch

from model.decoding.ahead import generate_ahead, looks_ahead
from model.decoding.autoregressive import generate_first
from model.decoding.beam import search
from model.decoding.engine.step import Step
from model.decoding.levels import generate_rest
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import Decoding
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@torch.inference_mode()
def generate(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    seeds: Sequence[int] | None = None,
    step: Step | None = None,
) -> list[Codes]:
    """Generates a response to each condition.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1. If equal to `max_frames`, `nar-len` predicts no length.
        decoding: How the codes are chosen. A guidance of None is off; `Decoding.settled` fills in a model's default.
        seeds: One per condition, of all its draws: a condition with its seed gives the same codes in any batch. 0 by
            default.
        step: The network laid out for single steps, which makes `ar` faster.

    Returns:
        One `[K, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    asked = network, tokenizer, conditions
    ahead = looks_ahead(network, decoding)
    if decoding.mode == "ar" and decoding.beam_width > 1:
        first = search(*asked, max_frames=max_frames, min_frames=min_frames, decoding=decoding)
    elif ahead and len(conditions) == 1:
        response = generate_ahead(
            *(network, tokenizer, conditions[0]),
            max_frames=max_frames,
            min_frames=min_frames,
            decoding=decoding,
            seed=seeds[0] if seeds else 0,
            step=step,
        )
        first = [response.codes_KT]
    elif decoding.mode == "ar":
        first = generate_first(
            *asked, max_frames=max_frames, min_frames=min_frames, decoding=decoding, seeds=seeds, step=step
        )
    else:
        known = min_frames == max_frames
        lengths = [max_frames] * len(conditions) if known else predict_frames(*asked, max_frames=max_frames)
        counts = [max(length, min_frames) for length in lengths]
        guidance = decoding.guidance or 1.0
        first = generate_masked(*asked, counts, unmasking=decoding.unmasking, guidance=guidance, seeds=seeds)
    return generate_rest(*asked, first, sampling=decoding.nar, seeds=seeds)
