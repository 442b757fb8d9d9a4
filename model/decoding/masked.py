"""Generates codebooks all at once, each on a canvas of its own: codebook 0 (mode `nar-len`), others (levels `masks`).

The length is predicted first, or codebook 0 has it; then all canvases are unmasked in a few steps. With `data.levels:
masks` those of the codebooks above the first are laid beside each other in every pass, and none sees another.

Each step draws all masked frames at once, then masks those again that the network is least sure of: after step s of S
(from 0), cos((s + 1) / S * pi / 2) of the frames are masked. Guidance runs each canvas twice in one packed batch: with
and without text, prompt, input and tone.

Sources: MaskGIT, section 3.2, https://arxiv.org/abs/2202.04200; for codes MaskGCT, section 3.2,
https://arxiv.org/abs/2409.00750; the rescaling of guided logits, section 3.4 of https://arxiv.org/abs/2305.08891.

Axes: B batch, D width, J codebooks that are generated, L positions, M new frames of a codebook, S steps, T response
frames, V codes.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.decoding.options import STEPS, Unmasking
from model.decoding.prefill import Reading, prefill
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.guidance import guide
from model.decoding.samplers.noise import first_place, keys_at
from model.network.cache import Cached
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.documents import ABSENT, Condition, Document, canvas
from model.sequences.heads import masked_alone
from model.sequences.spelled import length_document
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@torch.inference_mode()
def predict_frames(
    network: Decoder, tokenizer: Tokenizer, conditions: Sequence[Condition], *, max_frames: int
) -> list[int]:
    """Predicts the number of frames of each response, 1 to `max_frames`, by taking the likeliest digit each time."""
    device = network.token_embedding.weight.device
    choices = to_device(torch.tensor([*tokenizer.digits, tokenizer.end]), device)
    known: list[list[int]] = [[] for _ in conditions]
    begun = [condition.begun().shape[1] for condition in conditions]  # counted too: the text is of all frames
    places = len(str(max_frames + max(begun, default=0)))
    documents = [length_document(tokenizer, condition, [], ended=False) for condition in conditions]
    cache, last_BD = prefill(network, tokenizer, documents, room=places)
    absent_B1K = torch.full((len(documents), 1, network.num_codebooks), ABSENT, device=device)
    for place in range(places):
        logits_BV = network.logits(last_BD, network.num_codebooks)[:, choices]
        if place == 0:
            logits_BV[:, -1] = -torch.inf
        chosen_B = choices[logits_BV.argmax(-1)]
        for ids, choice in zip(known, chosen_B.tolist(), strict=True):
            if len(ids) == place and choice != tokenizer.end:
                ids.append(choice)
        if place + 1 == places or not any(len(ids) > place for ids in known):
            break
        chosen_B1 = chosen_B[:, None]
        read = chosen_B1, absent_B1K, torch.full_like(chosen_B1, place + 1)
        last_BD = network.hidden(*read, Cached(cache, 1))[:, 0]
        cache.advance(1, 1)
    predicted = [int("".join(tokenizer.tokens[number] for number in ids)) for ids in known]
    return [min(max(frames - first, 1), max_frames) for frames, first in zip(predicted, begun, strict=True)]


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
    levels: Sequence[int] = (0,),
    nar: Sampling = GREEDY,
) -> list[Codes]:
    """Generates codebooks of responses of known lengths.

    Args:
        network: In evaluation mode; for a level above 0, trained with `data.levels: masks`.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        frames: T of each response, at least 1.
        unmasking: Steps, sampling of codebook 0, and the rescaling of guided logits.
        guidance: Guidance scale of all of them (`samplers.guidance`); 1 is off.
        seeds: Of each condition's draws; 0 by default.
        levels: Which codebooks, at least one.
        nar: Sampling of those above the first; its temperature falls to 0 too.

    Returns:
        One `[J, T]` array of uint16 per condition.
    """
    copies = 2 if guidance > 1 else 1
    asked = [*conditions, *(condition.dropped() for condition in conditions)][: copies * len(conditions)]
    inputs = [(level, one, count) for level in levels for one, count in zip(asked, [*frames] * copies, strict=True)]
    reading = Reading(network, [_blank(tokenizer, *one) for one in inputs])
    batch, steps = reading.batch, unmasking.steps or STEPS["nar-len"]
    tokens, heads = zip(*(masked_alone(tokenizer, level) for level in levels), strict=True)
    rows_JM, device = [batch.rows[head] for head in heads], batch.tokens_L.device
    # Canvases and what is masked stay on the device, so that the host never waits between the steps.
    shape = len(levels), sum(frames)
    codes_JM = torch.zeros(shape, dtype=torch.int64, device=device)
    masked_JM = torch.ones(shape, dtype=torch.bool, device=device)
    counts_SB = _left([*frames] * len(levels), steps)
    left_SB = to_device(torch.from_numpy(counts_SB), device)
    new = [np.arange(count) for count in frames]
    rank = Ranking([*frames] * len(levels), device)
    for step in range(steps):
        if step and not counts_SB[step - 1].any():  # short canvases need fewer steps
            break
        shown = zip(levels, tokens, rows_JM, codes_JM, masked_JM, strict=True)
        for level, token, rows_M, codes_M, masked_M in shown:
            batch.tokens_L[rows_M] = torch.where(masked_M, token, tokenizer.canvas).repeat(copies)
            batch.codes_LK[rows_M, level] = codes_M.masked_fill(masked_M, ABSENT).repeat(copies)
        hidden_LD = reading.hidden()
        drawn, sure = [], []
        for level, head, rows_M in zip(levels, heads, rows_JM, strict=True):
            logits_MV = _logits(network, hidden_LD[rows_M], head, guidance, unmasking.rescale)
            cooled = (nar if level else unmasking.sampling).cooled(1 - step / steps)
            place = first_place("nar", step * network.num_codebooks + level) if level else first_place("nar-len", step)
            keys = keys_at(seeds or [0] * len(frames), place, new) if cooled.random else None
            drawn.append(sample(logits_MV, cooled, None if keys is None else to_device(keys, device)))
            sure.append(logits_MV.log_softmax(-1).gather(-1, drawn[-1][:, None])[:, 0])
        codes_JM = torch.where(masked_JM, torch.stack(drawn), codes_JM)
        sure_JM = torch.stack(sure).float().masked_fill(~masked_JM, torch.inf)
        left_M = left_SB[step].repeat_interleave(rank.frames_B, output_size=masked_JM.numel())
        masked_JM = (rank(sure_JM.flatten()) < left_M).view(shape)
    ends = np.cumsum(frames)[:-1]
    return np.split(codes_JM.cpu().numpy().astype(np.uint16), ends, axis=1)


def _logits(network: Decoder, hidden_MD: Tensor, head: int, guidance: float, rescale: float) -> Tensor:
    """Returns the guided logits of the codes, `[M, V]`; with guidance, the hidden states come with and without."""
    logits_MV = network.logits(hidden_MD, head)
    if guidance > 1:
        with_MV, without_MV = logits_MV.chunk(2)
        logits_MV = guide(with_MV, without_MV, guidance, rescale)
    logits_MV[:, network.codebook_size :] = -torch.inf  # no response stops where its length is known
    return logits_MV


def _blank(tokenizer: Tokenizer, level: int, condition: Condition, frames: int) -> Document:
    """Lays out a canvas of one codebook, of which only what the response begins with is known."""
    begun_T = condition.begun()[level].astype(np.int64)
    codes_T = np.concatenate([begun_T, np.zeros(frames, np.int64)])
    return canvas(tokenizer, condition, codes_T, np.repeat([False, True], [len(begun_T), frames]), level)


def _left(frames: Sequence[int], steps: int) -> npt.NDArray[np.int64]:
    """Returns how many frames of each canvas are masked after each step, `[steps, B]`; none after the last one."""
    shares = np.cos(np.arange(1, steps + 1) / steps * np.pi / 2)
    shares[-1] = 0
    left_SB: npt.NDArray[np.int64] = (shares[:, None] * np.asarray(frames)).astype(np.int64)
    return left_SB


class Ranking:
    """Ranks the frames of each of several canvases that are laid end to end.

    Args:
        frames: T of each canvas.
        device: Of the scores.
    """

    def __init__(self, frames: Sequence[int], device: torch.device) -> None:
        canvas_M = np.repeat(np.arange(len(frames)), frames)
        place_M = np.concatenate([np.arange(count) for count in frames])
        self._at_M = tuple(to_device(torch.from_numpy(each), device) for each in (canvas_M, place_M))
        self._shape = len(frames), max(frames)
        self.frames_B = to_device(torch.tensor(frames), device)

    def __call__(self, scores_M: Tensor) -> Tensor:
        """Returns how many scores of the same canvas are lower, or equal and before, `[M]` int64."""
        scores_BT = scores_M.new_full(self._shape, torch.inf)
        scores_BT[self._at_M] = scores_M
        ranks_BT = scores_BT.argsort(dim=1, stable=True).argsort(dim=1)
        return ranks_BT[self._at_M]
