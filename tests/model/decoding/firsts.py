"""Codebook 0 of a few responses, drawn step by step and nothing else."""

from collections.abc import Sequence

import numpy as np

from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.engine.step import Step
from model.decoding.options import Decoding
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


def generate_first(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    decoding: Decoding,
    seeds: Sequence[int] | None = None,
    step: Step | None = None,
) -> list[Codes]:
    """Returns one `[1, T]` array per condition."""
    asks = [
        Ask(condition, max_frames, decoding, min_frames, seed)
        for condition, seed in zip(conditions, seeds or [0] * len(conditions), strict=True)
    ]
    lane = Lane(network, tokenizer, like=asks[0], step=step)
    found = lane.enter(asks)
    while len(lane):
        lane.advance()
    return [one.codes_T[None].astype(np.uint16) for one in found]
