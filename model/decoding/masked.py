"""Generates codebook 0 all at once (mode `nar-len`): predicts the length, then unmasks a canvas in a few steps.

Each step draws all masked frames at once, then masks those again that the network is least sure of: after step s of S
(from 0), cos((s + 1) / S * pi / 2) of the frames are masked. Guidance runs each canvas twice in one packed batch: with
and without text, prompt, input and tone.

Sources: MaskGIT, section 3.2, https://arxiv.org/abs/2202.04200; for codes MaskGCT, section 3.2,
https://arxiv.org/abs/2409.00750; the rescaling of guided logits, section 3.4 of https://arxiv.org/abs/2305.08891.

Axes: B batch, D width, L positions, M masked frames, T response frames, V codes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.decoding.options import Unmasking
from model.decoding.prefill import read_packed
from model.decoding.samplers.chain import sample
from model.decoding.samplers.guidance import guide
from model.decoding.samplers.noise import first_place, keys_at
from model.network.decoder import Decoder
from model.sequences.documents import Condition, Document, canvas, length_document
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@torch.inference_mode()
def predict_frames(
    network: Decoder, tokenizer: Tokenizer, conditions: Sequence[Condition], *, max_frames: int
) -> list[int]:
    """Predicts the number of frames of each response, 1 to `max_frames`, by taking the likeliest digit each time."""
    digits = torch.tensor(tokenizer.digits, device=network.token_embedding.weight.device)
    choices = torch.cat([digits, digits.new_tensor([tokenizer.end])])
    known: list[list[int]] = [[] for _ in conditions]
    begun = [condition.begun().shape[1] for condition in conditions]  # counted too: the text is of all frames
    for place in range(len(str(max_frames + max(begun, default=0)))):
        pairs = zip(conditions, known, strict=True)
        documents = [length_document(tokenizer, condition, ids, ended=True) for condition, ids in pairs]
        logits_BV = _last_logits(network, documents)[:, choices]
        if place == 0:
            logits_BV[:, -1] = -torch.inf
        for ids, choice in zip(known, choices[logits_BV.argmax(-1)].tolist(), strict=True):
            if len(ids) == place and choice != tokenizer.end:
                ids.append(choice)
    predicted = [int("".join(tokenizer.tokens[number] for number in ids)) for ids in known]
    return [min(max(frames - first, 1), max_frames) for frames, first in zip(predicted, begun, strict=True)]


def _last_logits(network: Decoder, documents: Sequence[Document]) -> Tensor:
    """Returns the logits of tokens at each document's last position."""
    batch, hidden_LD = read_packed(network, documents)
    ends = torch.tensor(batch.lengths, device=hidden_LD.device).cumsum(0) - 1
    return network.logits(hidden_LD[ends], network.num_codebooks)


@torch.inference_mode()
def generate_masked(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    frames: Sequence[int],
    *,
    unmasking: Unmasking,
    guidance: float = 1.0,
    seeds: Sequence[int] | None = None,
) -> list[Codes]:
    """Generates codebook 0 of responses of known lengths.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        frames: T of each response, at least 1.
        unmasking: Steps and sampling.
        guidance: Guidance scale (`samplers.guidance`); 1 is off.
        seeds: Of each condition's draws; 0 by default.

    Returns:
        One `[1, T]` array of uint16 per condition.
    """
    begun = [condition.begun()[0].astype(np.int64) for condition in conditions]
    pairs = list(zip(begun, frames, strict=True))
    canvases = [np.concatenate([known_T, np.zeros(count, np.int64)]) for known_T, count in pairs]
    masked = [np.repeat([False, True], [len(known_T), count]) for known_T, count in pairs]
    is_guided = guidance > 1
    asked = [*conditions, *(condition.dropped() for condition in conditions)] if is_guided else conditions
    for step in range(unmasking.steps):
        if not any(masked_T.any() for masked_T in masked):  # short canvases need fewer steps
            break
        inputs = zip(asked, canvases * (1 + is_guided), masked * (1 + is_guided), strict=True)
        logits_MV = _canvas_logits(network, [canvas(tokenizer, *given) for given in inputs])
        if is_guided:
            with_MV, without_MV = logits_MV.chunk(2)
            logits_MV = guide(with_MV, without_MV, guidance, unmasking.rescale)
        logits_MV[:, network.codebook_size] = -torch.inf
        cooled = unmasking.sampling.cooled(1 - step / unmasking.steps)
        new = [np.flatnonzero(part[len(known_T) :]) for part, known_T in zip(masked, begun, strict=True)]
        at_step = seeds or [0] * len(frames), first_place("nar-len", step), new
        keys_M = keys_at(*at_step, logits_MV.device) if cooled.random else None
        drawn_M = sample(logits_MV, cooled, keys_M)
        sure_M = logits_MV.log_softmax(-1).gather(-1, drawn_M[:, None])[:, 0]
        bounds = np.cumsum([part.sum() for part in masked])[:-1]
        parts = zip(
            np.split(drawn_M.cpu().numpy(), bounds), np.split(sure_M.float().cpu().numpy(), bounds), strict=True
        )
        share = np.cos((step + 1) / unmasking.steps * np.pi / 2)
        for codes_T, masked_T, count, (drawn, sure) in zip(canvases, masked, frames, parts, strict=True):
            at = np.flatnonzero(masked_T)
            codes_T[at] = drawn
            again = int(share * count) if step + 1 < unmasking.steps else 0
            masked_T[at] = False
            masked_T[at[np.argsort(sure, kind="stable")[:again]]] = True
    return [
        codes_T[None, len(known_T) :].astype(np.uint16) for codes_T, (known_T, _) in zip(canvases, pairs, strict=True)
    ]


def _canvas_logits(network: Decoder, documents: Sequence[Document]) -> Tensor:
    """Returns the logits of all masked frames, canvas after canvas."""
    batch, hidden_LD = read_packed(network, documents)
    on_canvas = network.num_codebooks + 1
    return network.logits(hidden_LD[batch.rows[on_canvas]], on_canvas)
