"""Generates codebooks 1 ... K-1, one pass each (mode `nar`)."""

from collections.abc import Sequence

import numpy as np
import torch

from model.decoding.prefill import read_packed
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.noise import first_place, keys_at
from model.network.decoder import Decoder
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
    totals = zip(responses, begun, strict=True)
    new_M = torch.from_numpy(np.flatnonzero(np.concatenate([np.arange(r_KT.shape[1]) >= n for r_KT, n in totals])))
    for level in range(1, num_codebooks):
        pairs = zip(conditions, responses, strict=True)
        documents = [document(tokenizer, condition, response_KT, level, stop) for condition, response_KT in pairs]
        batch, hidden_LD = read_packed(network, documents)
        rows_M = batch.rows[level][new_M.to(hidden_LD.device)]
        logits_MV = network.logits(hidden_LD[rows_M], level)
        asked = seeds or [0] * len(frames)
        keys_M = keys_at(asked, first_place("nar", level), frames, hidden_LD.device) if sampling.random else None
        drawn = sample(logits_MV, sampling, keys_M).cpu().numpy()
        ends = np.cumsum([len(part) for part in frames])
        for response_KT, part, known in zip(responses, np.split(drawn, ends[:-1]), begun, strict=True):
            response_KT[level, known:] = part
    return [response_KT[:, known:] for response_KT, known in zip(responses, begun, strict=True)]
