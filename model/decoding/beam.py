"""Beam search for codebook 0 (mode `ar`): the likeliest sequence that a search of limited width finds.

The score of a sequence is the mean log-probability of its codes, the stop code included: the sum would favour short
sequences. A sequence that is cut at the longest length has no stop code to count.

Source: beam search with length normalisation, Google's NMT, section 7, https://arxiv.org/abs/1609.08144, with an
exponent of 1.

Axes: B responses, W beams of each, M = B * W rows, G frames of a group, T response frames, V codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.decoding.autoregressive import all_ended
from model.decoding.options import Decoding
from model.decoding.samplers.chain import Sampling, penalised
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes

PATIENCE_FRAMES = 75
"""A search ends when its best ended sequence has had a better mean than all that go on, for so many frames on end.
Longer sequences may still overtake it, but seldom do; certainty would take as long as the longest speech."""


@torch.inference_mode()
def search(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    *,
    max_frames: int,
    min_frames: int = 1,
    decoding: Decoding,
) -> list[Codes]:
    """Searches for the likeliest codebook 0 of each response.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        max_frames: Most frames of a response.
        min_frames: Fewest, at least 1.
        decoding: `beam_width`, `guidance`, `max_ar_context`, and of `ar` the penalties.

    Returns:
        One `[1, T]` array of uint16 per condition, `min_frames` <= T <= `max_frames`.
    """
    most = -(-max_frames // network.config.group)
    guidance, context = decoding.guidance or 1.0, decoding.max_ar_context
    steps = Steps(network, tokenizer, conditions, most=most, guidance=guidance, context=context)
    steps.widen(decoding.beam_width)
    beams = Beams.begin(len(conditions), decoding.beam_width, max_frames, stop=steps.stop, device=steps.device)
    for step in range(most):
        logits_MGV = steps.logits(min_frames)
        codes_MG, rows_M = beams.grow(logits_MGV[:, : max_frames - step * steps.group], decoding.ar)
        if step + 1 == most or all_ended(beams.patient_B >= PATIENCE_FRAMES, step):
            break
        steps.replace(rows_M)
        steps.take(codes_MG)
    found_BT, lengths_B = (part.cpu().numpy() for part in beams.best())
    return [row[None, :length].astype(np.uint16) for row, length in zip(found_BT, lengths_B, strict=True)]


@dataclass(slots=True)
class Beams:
    """The sequences that go on, and the best one that has ended, of each response."""

    draws: Draws
    """The codes of those that go on, `[M, T]`."""
    sums_BW: Tensor
    """Their log-probabilities, float64."""
    best_BT: Tensor
    """The codes of the best that has ended."""
    best_B: Tensor
    """Its mean log-probability; -inf while there is none."""
    best_lengths_B: Tensor
    patient_B: Tensor
    """Frames since when it has been better than all that go on."""
    taken: int = 0
    """Frames of those that go on."""

    @classmethod
    def begin(cls, batch: int, width: int, max_frames: int, *, stop: int, device: torch.device) -> "Beams":
        """Returns empty sequences. The first alone counts at the start, since all are the same."""
        draws = Draws.allocate(batch * width, max_frames, stop=stop, state={}, device=device)
        sums_BW = torch.full((batch, width), -torch.inf, dtype=torch.float64, device=device)
        sums_BW[:, 0] = 0
        lengths_B = torch.zeros(batch, dtype=torch.int64, device=device)
        best_BT = torch.zeros(batch, max_frames, dtype=torch.int64, device=device)
        return cls(draws, sums_BW, best_BT, sums_BW.new_full((batch,), -torch.inf), lengths_B, lengths_B.clone())

    def grow(self, logits_MGV: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
        """Adds a group of codes.

        Returns:
            The group of each sequence, `[M, G]`, and the row that each goes on from, `[M]`.
        """
        start, frames = self.taken, logits_MGV.shape[1]
        rows_M = torch.arange(len(logits_MGV), device=logits_MGV.device)
        for frame in range(frames):
            rows_M = rows_M[self._add(logits_MGV[rows_M, frame], sampling)]
        return self.draws.codes_BT[:, start : start + frames], rows_M

    def _add(self, logits_MV: Tensor, sampling: Sampling) -> Tensor:
        """Adds a code to each sequence; returns the row that each goes on from, `[M]`."""
        draws, (batch, width), stop = self.draws, self.sums_BW.shape, logits_MV.shape[1] - 1
        logp_MV = penalised(logits_MV, sampling, draws).double().log_softmax(-1)
        sums_BWV = self.sums_BW[..., None] + logp_MV.view(batch, width, -1)
        self.taken += 1
        self._end(sums_BWV[..., stop] / self.taken, self.taken - 1)
        self.sums_BW, at_BW = sums_BWV[..., :stop].flatten(1).topk(width, dim=1)
        rows_BW = at_BW // stop + torch.arange(batch, device=at_BW.device)[:, None] * width
        draws.codes_BT.copy_(draws.codes_BT[rows_BW.flatten()])
        draws.add((at_BW % stop).view(-1, 1))
        ahead_B = self.best_B >= self.sums_BW[:, 0] / self.taken
        self.patient_B = (self.patient_B + 1).where(ahead_B, 0)
        return rows_BW.flatten()

    def _end(self, means_BW: Tensor, length: int) -> None:
        """Keeps the best of sequences that end with so many frames, if it is better than the best so far."""
        mean_B, beam_B = means_BW.max(1)
        batch, width = means_BW.shape
        codes_BT = self.draws.codes_BT.view(batch, width, -1)[torch.arange(batch, device=beam_B.device), beam_B]
        better_B = mean_B > self.best_B
        self.best_BT = codes_BT.where(better_B[:, None], self.best_BT)
        self.best_lengths_B = self.best_lengths_B.masked_fill(better_B, length)
        self.best_B = mean_B.where(better_B, self.best_B)

    def best(self) -> tuple[Tensor, Tensor]:
        """Returns the best sequence of each response, `[B, T]`, and its length, `[B]`; those that go on are cut."""
        self._end(self.sums_BW / self.taken, self.taken)
        return self.best_BT, self.best_lengths_B
