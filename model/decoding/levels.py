"""Generates the codebooks above the first: after it, one pass each, or with it, step by step (`data.levels`).

`sums`: codebooks 1 ... K-1 are drawn in one pass each (mode `nar`).

`masks`: they are unmasked beside each other, in `model.decoding.masked`.

`delay`: the mode `ar` draws all codebooks with a cache. Each step draws a code of every codebook, codebook k for the
frame k steps before (`model.sequences.delayed`). Codebook 0 ends a response by its stop code; K - 1 more steps then
draw the last codes of those above. Responses that are asked for together share the steps, and each comes out as it
would alone. With guidance the logits of all codebooks are guided, as in MusicGen's release.

Axes: B responses, A rows passed to the network (with guidance two for each response, side by side), K codebooks, T
response frames, J steps, D width, V codes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.decoding.asks import Ask, End
from model.decoding.autoregressive import all_ended
from model.decoding.crew import First, draw_group
from model.decoding.prefill import Reading, prefill, told_at, told_to
from model.decoding.samplers.chain import GREEDY, Sampling, sample
from model.decoding.samplers.guidance import guided
from model.decoding.samplers.noise import first_place, keys_at, keys_of, seeds_of
from model.decoding.samplers.sampler import Draws
from model.decoding.watch import CHECK_FRAMES
from model.network.cache import Cached, Window
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.delayed import begun_document, delayed
from model.sequences.documents import ABSENT, Condition, document
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


@torch.inference_mode()
def generate_delayed(network: Decoder, tokenizer: Tokenizer, asks: Sequence[Ask]) -> list[tuple[First, Codes]]:
    """Generates responses.

    Args:
        network: In evaluation mode, trained with `data.levels: delay`.
        tokenizer: The vocabulary it was trained with.
        asks: What to generate, all with the same `decoding`.

    Returns:
        For each what is told of codebook 0, and the codes, `[K, T]` uint16.
    """
    steps = _Steps(network, tokenizer, asks)
    last = steps.most + network.num_codebooks - 2
    for step in range(last + 1):
        shown_BK = steps.draw(step)
        if step % CHECK_FRAMES == CHECK_FRAMES - 1:
            steps.watch(step + 1)
        if step == last or all_ended(steps.over(step), step):
            break
        steps.read(shown_BK, step)
    return steps.responses(step + 1)


class _Steps:
    """Responses while they are drawn.

    Args:
        network: As for `generate_delayed`.
        tokenizer: As for `generate_delayed`.
        asks: As for `generate_delayed`.
    """

    def __init__(self, network: Decoder, tokenizer: Tokenizer, asks: Sequence[Ask]) -> None:
        self._network, self._asks, self._stop = network, asks, network.codebook_size
        self._decoding = asks[0].decoding
        self._copies = 2 if (self._decoding.guidance or 1.0) > 1 else 1
        self.most = max(ask.most_frames for ask in asks)
        device = self._device = network.token_embedding.weight.device
        rows = [row for ask in asks for row in (ask.condition, ask.condition.dropped())[: self._copies]]
        documents = [begun_document(tokenizer, row) for row in rows]
        books, count = network.num_codebooks, len(asks)
        self._cache, self._last_AD = prefill(network, tokenizer, documents, room=max(1, self.most + books - 2))
        self._window = None
        if network.config.window_positions is not None:
            before_A = to_device(torch.tensor([item.before for item in documents]), device)
            self._window = Window(before_A, network.config.window_positions, network.config.ring)
        self._level = tokenizer.level(0)
        self._told = told_to(documents, tokenizer.end, device) if network.config.names_said else None
        self._position_A1 = self._on_device([[row.begun().shape[1] + 1] for row in rows])
        self._least_B = self._on_device([ask.least_frames for ask in asks])
        self._most_B = self._on_device([ask.most_frames for ask in asks])
        self._seeds_B = seeds_of([ask.seed for ask in asks], device)
        self._begun_BKJ = self._on_device(np.stack([_begun(ask) for ask in asks]).tolist())
        self._codes_BKT = torch.zeros(count, books, self.most, dtype=torch.int64, device=device)
        self._frames_B = self._most_B.clone()
        """T of each response, or the most while it goes on."""
        self._going_B = torch.ones(count, dtype=torch.bool, device=device)
        self._logprob_B = torch.zeros(count, dtype=torch.float64, device=device)
        self._counted_B = torch.zeros(count, dtype=torch.int64, device=device)
        state = self._decoding.ar.begin(count, device)
        self._draws = Draws.allocate(count, self.most, stop=self._stop, state=state, device=device)
        self._stopped: dict[int, End] = {}

    def _on_device(self, values: list[object]) -> Tensor:
        return to_device(torch.tensor(values, dtype=torch.int64), self._device)

    def draw(self, step: int) -> Tensor:
        """Draws the codes of a step; returns what of them the next one is shown, `[B, K]`, on the device alone."""
        shown = []
        for codebook in range(self._network.num_codebooks):
            frame = step - codebook
            if frame < 0:  # of what the response begins with
                shown.append(self._begun_BKJ[:, codebook, step])
                continue
            if frame >= self.most:
                shown.append(torch.full_like(self._frames_B, ABSENT))
                continue
            logits_BV = self._logits(codebook)
            codes_B = self._first(logits_BV, frame) if codebook == 0 else self._other(logits_BV, codebook, frame)
            self._codes_BKT[:, codebook, frame] = codes_B
            shown.append(codes_B.where(frame < self._frames_B, ABSENT))
        return torch.stack(shown, 1)

    def _logits(self, codebook: int) -> Tensor:
        logits_AV = self._network.logits(self._last_AD, codebook)
        if self._copies == 1:
            return logits_AV
        with_BV, without_BV = logits_AV.view(-1, 2, logits_AV.shape[-1]).unbind(1)
        return guided(with_BV, without_BV, self._decoding.guidance or 1.0)

    def _first(self, logits_BV: Tensor, frame: int) -> Tensor:
        """Draws codebook 0 of a frame, and ends responses at the stop code and at their longest."""
        logits_BV[:, self._stop].masked_fill_(frame < self._least_B, -torch.inf)
        codes_B = draw_group(logits_BV[:, None], self._decoding.ar, self._seeds_B, self._draws)[:, 0]
        logprob_B = logits_BV.float().log_softmax(-1).gather(-1, codes_B[:, None])[:, 0]
        self._logprob_B.add_(logprob_B.where(self._going_B, 0.0))
        self._counted_B.add_(self._going_B)
        stops_B = self._going_B & (codes_B == self._stop)
        self._frames_B.masked_fill_(stops_B, frame)
        self._going_B.logical_and_(~stops_B & (frame + 1 < self._most_B))
        return codes_B

    def _other(self, logits_BV: Tensor, codebook: int, frame: int) -> Tensor:
        """Draws a codebook above the first of a frame."""
        sampling, place = self._decoding.nar, first_place("nar", codebook) + frame
        keys_B = keys_of(self._seeds_B, torch.full_like(self._seeds_B, place)) if sampling.random else None
        return sample(logits_BV, sampling, keys_B)

    def watch(self, frames: int) -> None:
        """Ends responses whose watch stops them, where codebook 0 is known up to so many frames."""
        lengths_B = self._on_device([frames])
        known = frames - self._network.num_codebooks + 1  # of the last frames, not all codebooks
        for row, ask in enumerate(self._asks):
            if ask.watch is None or known < ask.least_frames or not bool(self._going_B[row]):
                continue
            seen = ask.watch.look(self._draws.codes_BT[row : row + 1], lengths_B)
            if not bool(seen.loops_B | seen.silent_B):
                continue
            kept = min(known, max(int(seen.kept_B), ask.least_frames))
            self._stopped[row] = "loop" if bool(seen.loops_B) else "silence"
            self._frames_B[row], self._going_B[row] = kept, False

    def over(self, step: int) -> Tensor:
        """Returns of which responses all codes are known, `[B]` bool."""
        return ~self._going_B & (step >= self._frames_B + self._network.num_codebooks - 2)

    def read(self, shown_BK: Tensor, step: int) -> None:
        """Reads a step."""
        codes_A1K = shown_BK.repeat_interleave(self._copies, 0)[:, None]
        tokens_A1, position_A1 = torch.full_like(self._position_A1, self._level), self._position_A1 + step
        attend = Cached(self._cache, 1, window=self._window)
        if self._told:
            said_A1 = told_at(self._told["said"], self._told["end"], position_A1)
            codes_A1K = torch.cat((codes_A1K, said_A1[..., None]), -1)
        self._last_AD = self._network.hidden(tokens_A1, codes_A1K, position_A1, attend)[:, 0]
        self._cache.advance(1, 1)

    def responses(self, passes: int) -> list[tuple[First, Codes]]:
        """Returns what was drawn in so many passes."""
        counts, logprobs, lengths = self._counted_B.tolist(), self._logprob_B.tolist(), self._frames_B.tolist()
        codes_BKT = self._codes_BKT.cpu().numpy()
        found = []
        for row, (ask, frames) in enumerate(zip(self._asks, lengths, strict=True)):
            codes_KT = codes_BKT[row, :, :frames]
            end: End = self._stopped.get(row, "stop" if frames < ask.most_frames else "length")
            mean = logprobs[row] / counts[row]
            first = First(ask, codes_KT[0].copy(), end, mean, passes=min(passes, frames + codes_BKT.shape[1] - 1))
            found.append((first, codes_KT.astype(np.uint16)))
        return found


def _begun(ask: Ask) -> np.ndarray:
    """Returns the codes that the first steps show of what a response begins with, `[K, max(1, K - 1)]`."""
    begun_KT = ask.condition.begun()
    books, frames = begun_KT.shape
    shown_KJ = np.full((books, max(1, books - 1)), ABSENT, np.int64)
    late_KJ = delayed(begun_KT)[:, frames:]
    shown_KJ[:, : late_KJ.shape[1]] = late_KJ
    return shown_KJ
