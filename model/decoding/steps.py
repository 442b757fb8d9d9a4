"""Steps of the network over codebook 0 of a batch of responses, with a cache: groups of codes in, logits out.

Axes: B responses, A rows passed to the network (with guidance 2 B), C columns of codes, G frames of a group, V codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.decoding.engine.step import Step
from model.decoding.prefill import prefill
from model.decoding.samplers.guidance import guided
from model.network.cache import Cached, Window
from model.network.decoder import Decoder
from model.sequences.documents import ABSENT, Condition, document, group_columns
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError


class Steps:
    """A batch of responses whose conditions were read, and that grow by a group of codes at each step.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: What to say, in whose voice, and what the responses begin with.
        most: Most steps.
        guidance: Guidance scale (`samplers.guidance`). Above 1, each response has a second row in the batch, without
            text, prompt, input and tone.
        context: Frames of the response that a step may attend to, beside the condition; None for all.
        step: The network laid out for single steps; without it, or with a `context`, the network itself is called.

    Raises:
        UsageError: if `context` is given and the network has no attention.
    """

    def __init__(
        self,
        network: Decoder,
        tokenizer: Tokenizer,
        conditions: Sequence[Condition],
        *,
        most: int,
        guidance: float,
        context: int | None = None,
        step: Step | None = None,
    ) -> None:
        if context is not None and network.config.arch == "retnet":
            raise UsageError(
                f"`max_ar_context` must be left out (it is {context}): the model's `model.arch` is retnet, which has no"
                " attention over frames that could be limited."
            )
        stop, self.group = network.codebook_size, network.config.group
        asked = [*conditions, *(condition.dropped() for condition in conditions)] if guidance > 1 else conditions
        begun = [condition.begun() for condition in asked]
        pairs = zip(asked, begun, strict=True)
        documents = [document(tokenizer, *pair, 0, stop, group=self.group) for pair in pairs]
        self.network, self.guidance, self.stop = network, guidance, stop
        self.cache, self._last_AD = prefill(network, tokenizer, documents, room=most)
        self.device = self._last_AD.device
        self._shared = min(map(len, documents))
        self._step = step if context is None else None
        self._uniform = self._shared == max(map(len, documents))
        if self._step:
            self._step.arrange(self.cache)
        self._taken = 0
        begun_groups = [[known_KT.shape[1] // self.group] for known_KT in begun]
        self._begun_A1 = torch.tensor(begun_groups, device=self.device)
        self._window = None if context is None else Window(self.cache.lengths_B, -(-context // self.group))
        # A tensor, since a list would be copied to the device in each step, and the host would wait for it.
        self._columns = torch.tensor(group_columns(network.num_codebooks, self.group), device=self.device)
        self._level = tokenizer.level(0)

    def logits(self, min_frames: int) -> Tensor:
        """Returns the logits of the next group, `[B, G, V]`; the stop code is ruled out in the first `min_frames`."""
        logits_MV = (self._step.logits if self._step else self._head)(self._last_AD)
        if self.guidance > 1:
            with_MV, without_MV = logits_MV.chunk(2)
            logits_MV = guided(with_MV, without_MV, self.guidance)
        logits_BGV = logits_MV.view(-1, self.group, logits_MV.shape[-1])
        may_not_end = max(0, min_frames - self._taken * self.group)
        logits_BGV[:, :may_not_end, self.stop].fill_(-torch.inf)
        return logits_BGV

    def take(self, codes_BG: Tensor) -> None:
        """Appends a group to each response."""
        rows = len(self._last_AD)
        codes_A1C = codes_BG.new_full((rows, 1, self.network.num_codebooks + self.group - 1), ABSENT)
        codes_A1C[:, 0, self._columns] = codes_BG.where(codes_BG != self.stop, ABSENT).repeat(rows // len(codes_BG), 1)
        level_A1 = codes_BG.new_full((rows, 1), self._level)
        self._taken += 1
        position_A1 = self._begun_A1 + self._taken
        if self._step:
            embedded_AD = self.network.embed(level_A1, codes_A1C)[:, 0]
            self._last_AD = self._step.hidden(embedded_AD, position_A1[:, 0], self.cache, uniform=self._uniform)
        else:
            attend = Cached(self.cache, 1, window=self._window)
            self._last_AD = self.network.hidden(level_A1, codes_A1C, position_A1, attend)[:, 0]
        self.cache.advance(1, 1)

    def _head(self, hidden_AD: Tensor) -> Tensor:
        return self.network.logits(hidden_AD, 0)

    def widen(self, copies: int) -> None:
        """Copies each response, so that its copies can go on differently; before the first step."""
        rows_A = torch.arange(len(self._last_AD), device=self.device).repeat_interleave(copies)
        self.cache = self.cache.widened(rows_A)
        self._last_AD, self._begun_A1 = self._last_AD[rows_A], self._begun_A1[rows_A]
        if self._window:
            self._window = Window(self.cache.lengths_B, self._window.size)

    def replace(self, rows_B: Tensor) -> None:
        """Gives each response the past of another one (`rows_B`) of the same condition."""
        copies = len(self._last_AD) // len(rows_B)
        rows_A = torch.cat([rows_B + part * len(rows_B) for part in range(copies)])
        self.cache.replace(rows_A, self._shared)
        self._last_AD = self._last_AD[rows_A]
