"""Generates codebooks 1 ... K-1, one pass each (mode `nar`)."""

from collections.abc import Sequence

import numpy as np
import torch

from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.noise import first_place, keys_at
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.documents import Condition, document
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@torch.inference_mode()
def generate_rest(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    first_codes: Sequence[Codes],
    *,
    sampling: Sampling = GREEDY,
    seeds: Sequence[int] | None = None,
    starts: Sequence[int] | None = None,
) -> list[Codes]:
    """Draws codebooks 1 ... K-1 in one packed pass each.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        first_codes: Codebook 0 of each response, `[1, T]`.
        sampling: How codes are drawn.
        seeds: Of each condition's draws; 0 by default.
        starts: Number of the first frame of each, which its draws depend on; 0 by default.

    Returns:
        One `[K, T]` array of uint16 per condition.
    """
    num_codebooks, stop = network.num_codebooks, network.codebook_size
    begun = [condition.begun().shape[1] for condition in conditions]
    numbers = starts or [0] * len(first_codes)
    frames = [np.arange(first, first + codes.shape[1]) for first, codes in zip(numbers, first_codes, strict=True)]
    responses: list[Codes] = []
    for condition, codes in zip(conditions, first_codes, strict=True):
        response_KT = np.zeros((num_codebooks, codes.shape[1]), np.uint16)
        response_KT[0] = codes[0]
        responses.append(np.concatenate([condition.begun().astype(np.uint16), response_KT], axis=1))
    if num_codebooks == 1:
        return [response_KT[:, known:] for response_KT, known in zip(responses, begun, strict=True)]
    pairs = zip(conditions, responses, strict=True)
    reading = Reading(network, [document(tokenizer, *pair, 1, stop) for pair in pairs])
    batch, device = reading.batch, reading.batch.tokens_L.device
    totals = zip(responses, begun, strict=True)
    new = np.flatnonzero(np.concatenate([np.arange(r_KT.shape[1]) >= known for r_KT, known in totals]))
    # The codes stay on the device from level to level, so that the host needn't wait before the last one.
    new_M = to_device(torch.from_numpy(new), device)
    codes_KM = to_device(torch.from_numpy(np.concatenate(responses, 1).astype(np.int64)), device)
    shown_L, rows_M = batch.tokens_L == tokenizer.level(1), batch.rows[1]
    for level in range(1, num_codebooks):
        batch.tokens_L.masked_fill_(shown_L, tokenizer.level(level))
        batch.codes_LK[rows_M, level - 1] = codes_KM[level - 1]
        logits_MV = network.logits(reading.hidden()[rows_M[new_M]], level)
        asked = seeds or [0] * len(frames)
        keys_M = to_device(keys_at(asked, first_place("nar", level), frames), device) if sampling.random else None
        codes_KM[level, new_M] = sample(logits_MV, sampling, keys_M)
    ends = np.cumsum([response_KT.shape[1] for response_KT in responses])
    parts = np.split(codes_KM.cpu().numpy().astype(np.uint16), ends[:-1], axis=1)
    return [response_KT[:, known:] for response_KT, known in zip(parts, begun, strict=True)]
