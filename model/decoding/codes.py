"""Makes the codes of a response, in whichever mode is asked for."""

from collections.abc import Sequence

import torch

from model.decoding.autoregressive import generate_first
from model.decoding.levels import generate_rest
from model.decoding.samplers.chain import GREEDY, PLAIN, Sampling
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
    ar: Sampling = PLAIN,
    nar: Sampling = GREEDY,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[Codes]:
    """Speaks each condition.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1.
        ar: How codebook 0 is drawn.
        nar: How the other codebooks are drawn.
        guidance: Of codebook 0, see `generate_first`.
        generator: Of the network's device.

    Returns:
        One `[K, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    first_codes = generate_first(
        *(network, tokenizer, conditions),
        max_frames=max_frames,
        min_frames=min_frames,
        sampling=ar,
        guidance=guidance,
        generator=generator,
    )
    return generate_rest(network, tokenizer, conditions, first_codes, sampling=nar, generator=generator)
