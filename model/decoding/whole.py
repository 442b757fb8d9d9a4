"""Generates all codebooks on one canvas (mode `all`): the first codebooks first, in a few passes.

About half of the passes unmask codebook 0, as in `model.decoding.masked`: each draws all masked frames at once and
keeps those that the network is surest of. The other passes fill in the codebooks above: one or more passes each where
there are enough, else several codebooks in a pass. Text, prompt and input are read once for all passes. With guidance,
the passes of codebook 0 read each canvas twice, with and without them; the codebooks above are drawn unguided.

Sources: SoundStorm, section 3.2, https://arxiv.org/abs/2305.09636 (codebook by codebook, most passes for the first);
OmniVoice, https://arxiv.org/abs/2604.00688 (one model unmasks the text's codes in all codebooks).

Axes: K codebooks, M frames of all canvases, B batch, T frames of a response, V codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch
from torch import Tensor

from model.decoding.masked import Ranking
from model.decoding.options import STEPS, Unmasking
from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.guidance import guide
from model.decoding.samplers.noise import first_place, keys_at
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.documents import ABSENT, Condition, Document, whole_canvas
from model.sequences.heads import frame_tokens, head_of_all
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass draws."""

    codebooks: range
    """Codebooks that get codes; all below them are known."""
    place: int = 0
    """Which of the passes of these codebooks it is, from 0."""
    places: int = 1
    """How many they have."""

    @property
    def left(self) -> float:
        """The share of the frames that are masked afterwards, by MaskGIT's cosine schedule."""
        return 0.0 if self.place + 1 == self.places else cos((self.place + 1) / self.places * pi / 2)


def plan(steps: int, num_codebooks: int) -> list[Pass]:
    """Returns what each of `steps` passes draws.

    Args:
        steps: At least 1.
        num_codebooks: K.
    """
    above = num_codebooks - 1
    if steps == 1:
        return [Pass(range(num_codebooks))]
    rest = steps // 2 if above else 0
    weights = [num_codebooks - codebook for codebook in range(1, num_codebooks)]
    if rest >= above:
        further = _shared_out(rest - above, weights)
        counts = [steps - rest, *(1 + more for more in further)]
        return [Pass(range(k, k + 1), place, count) for k, count in enumerate(counts) for place in range(count)]
    first = [Pass(range(1), place, steps - rest) for place in range(steps - rest)]
    return first + [Pass(group) for group in _grouped(rest, weights)]


def _shared_out(count: int, weights: Sequence[int]) -> list[int]:
    """Splits a count in proportion to weights, the largest remainders rounded up."""
    exact = [count * weight / sum(weights) for weight in weights] if count else [0.0] * len(weights)
    parts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (parts[place] - exact[place], place))
    for place in by_remainder[: count - sum(parts)]:
        parts[place] += 1
    return parts


def _grouped(groups: int, weights: Sequence[int]) -> list[range]:
    """Splits the codebooks above the first into groups of neighbours of about equal weight."""
    found: list[range] = []
    start, done = 0, 0
    for number in range(1, groups + 1):
        target, last = sum(weights) * number / groups, len(weights) - (groups - number)
        end = start + 1
        done += weights[start]
        while end < last and (number == groups or abs(done + weights[end] - target) < abs(done - target)):
            done += weights[end]
            end += 1
        found.append(range(1 + start, 1 + end))
        start = end
    return found


@torch.inference_mode()
def generate_whole(
    network: Decoder,
    tokenizer: Tokenizer,
    conditions: Sequence[Condition],
    frames: Sequence[int],
    *,
    unmasking: Unmasking,
    nar: Sampling = GREEDY,
    guidance: float = 1.0,
    seeds: Sequence[int] | None = None,
) -> list[Codes]:
    """Generates responses of known lengths.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, and in whose voice.
        frames: T of each response, at least 1.
        unmasking: Steps, sampling of codebook 0, and the rescaling of guided logits.
        nar: Sampling of the other codebooks.
        guidance: Guidance scale of codebook 0 (`samplers.guidance`); 1 is off.
        seeds: Of each condition's draws; 0 by default.

    Returns:
        One `[K, T]` array of uint16 per condition.
    """
    canvases = _Canvases(network, tokenizer, conditions, frames, guided=guidance > 1)
    given_seeds, new = seeds or [0] * len(frames), [np.arange(count) for count in frames]
    for number, one in enumerate(plan(unmasking.steps or STEPS["all"], network.num_codebooks)):
        if one.place == 0:
            canvases.begin(one.codebooks[0])
        if not canvases.gains(one.left):  # short canvases need fewer passes
            continue
        hidden = canvases.read()
        for codebook in one.codebooks:
            head = head_of_all(network.num_codebooks, codebook, one.codebooks[0])
            logits_MV = network.logits(hidden, head)
            if canvases.guided:
                with_MV, without_MV = logits_MV.chunk(2)
                logits_MV = guide(with_MV, without_MV, guidance, unmasking.rescale) if codebook == 0 else with_MV
            sampling = (unmasking.sampling if codebook == 0 else nar).cooled(1 - one.place / one.places)
            place = first_place("all", number * network.num_codebooks + codebook)
            keys = keys_at(given_seeds, place, new) if sampling.random else None
            drawn_M = sample(logits_MV, sampling, None if keys is None else to_device(keys, hidden.device))
            canvases.take(codebook, drawn_M, logits_MV, one.left)
    return canvases.codes()


class _Canvases:
    """The canvases of several responses, laid end to end, and what is known of them.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, in whose voice, and what the responses begin with.
        frames: T of each response.
        guided: Whether codebook 0 is also read without the conditions.
    """

    def __init__(
        self,
        network: Decoder,
        tokenizer: Tokenizer,
        conditions: Sequence[Condition],
        frames: Sequence[int],
        *,
        guided: bool,
    ) -> None:
        device = network.token_embedding.weight.device
        begun = [condition.begun().astype(np.int64) for condition in conditions]
        empty = [np.zeros((network.num_codebooks, count), np.int64) for count in frames]
        whole = [np.concatenate(pair, axis=1) for pair in zip(begun, empty, strict=True)]
        asked = [*conditions, *(condition.dropped() for condition in conditions)] if guided else [*conditions]
        documents = [_masked(tokenizer, *pair) for pair in zip(asked, whole * (1 + guided), strict=True)]
        self._reading = Reading(network, documents)
        self._rows_M = self._reading.batch.rows[head_of_all(network.num_codebooks, 0, 0)]
        is_new = np.concatenate([np.arange(c.shape[1]) >= b.shape[1] for c, b in zip(whole, begun, strict=True)])
        self._is_new_M = to_device(torch.from_numpy(is_new), device)
        self._new_M = to_device(torch.from_numpy(np.flatnonzero(is_new)), device)
        # All stays on the device, so that the host never waits between the passes.
        self._codes_KM = to_device(torch.from_numpy(np.concatenate(whole, axis=1)), device)
        self._masked_M = self._is_new_M.clone()
        self._tokens = to_device(torch.from_numpy(frame_tokens(tokenizer, network.num_codebooks)), device)
        self._rank, self._frames, self._conditions = Ranking(frames, device), frames, len(conditions)
        self._left_B = [*frames]
        self._ends = np.cumsum(frames)[:-1]
        self._level = 0
        self.guided = guided

    def begin(self, codebook: int) -> None:
        """Goes on to a codebook, of which all new frames are masked."""
        if codebook and self.guided:
            self.guided = False
            self._reading = self._reading.first(self._conditions)
            self._rows_M = self._rows_M[: len(self._is_new_M)]
        for below in range(self._level, codebook):
            self._show(below, self._codes_KM[below])
        self._level, self._masked_M, self._left_B = codebook, self._is_new_M.clone(), [*self._frames]

    def gains(self, left: float) -> bool:
        """Returns whether a code of the codebook becomes known if this share of the frames is left masked."""
        return self._counts(left) != self._left_B

    def _counts(self, left: float) -> list[int]:
        return [int(left * count) for count in self._frames]

    def read(self) -> Tensor:
        """Runs the network; returns the hidden states of the new frames, `[M, D]`; guided ones twice."""
        self._show(self._level, self._codes_KM[self._level].masked_fill(self._masked_M, ABSENT))
        known_M = self._level + (~self._masked_M).long()
        self._reading.batch.tokens_L[self._rows_M] = self._tokens[known_M].repeat(1 + self.guided)
        hidden_LD = self._reading.hidden()
        return torch.cat([hidden_LD[rows_M[self._new_M]] for rows_M in self._rows_M.chunk(1 + self.guided)])

    def _show(self, codebook: int, codes_M: Tensor) -> None:
        self._reading.batch.codes_LK[self._rows_M, codebook] = codes_M.repeat(1 + self.guided)

    def take(self, codebook: int, drawn_M: Tensor, logits_MV: Tensor, left: float) -> None:
        """Takes drawn codes of the masked frames, and masks those again that the network is least sure of.

        Args:
            codebook: Which one they are of.
            drawn_M: A code for each new frame.
            logits_MV: The logits they were drawn from.
            left: The share of each response's frames to mask again.
        """
        masked_M = (
            self._masked_M[self._new_M] if codebook == self._level else torch.ones_like(drawn_M, dtype=torch.bool)
        )
        known_M = self._codes_KM[codebook, self._new_M]
        self._codes_KM[codebook, self._new_M] = torch.where(masked_M, drawn_M, known_M)
        self._left_B = self._counts(left)
        self._masked_M = torch.zeros_like(self._masked_M)
        if not any(self._left_B):
            return
        sure_M = logits_MV.log_softmax(-1).gather(-1, drawn_M[:, None])[:, 0].masked_fill(~masked_M, torch.inf)
        left_B = to_device(torch.tensor(self._left_B), drawn_M.device)
        self._masked_M[self._new_M] = self._rank(sure_M) < left_B.repeat_interleave(
            self._rank.frames_B, output_size=len(drawn_M)
        )

    def codes(self) -> list[Codes]:
        """Returns the codes of the new frames of each response, `[K, T]`."""
        codes_KM = self._codes_KM[:, self._new_M].cpu().numpy().astype(np.uint16)
        return np.split(codes_KM, self._ends, axis=1)


def _masked(tokenizer: Tokenizer, condition: Condition, codes_KT: np.ndarray) -> Document:
    """Lays out a canvas of which nothing is known yet, and all frames of codebook 0 are asked for."""
    masked_KT = np.ones(codes_KT.shape, bool)
    asked_KT = masked_KT & (np.arange(len(codes_KT)) == 0)[:, None]
    return whole_canvas(tokenizer, condition, codes_KT.astype(np.uint16), masked_KT, asked_KT)
