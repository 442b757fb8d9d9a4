"""Steps of the network over codebook 0 of a batch of responses, with a cache: groups of codes in, logits out.

Axes: B responses, A rows passed to the network (with guidance 2 B), L groups of a response, N heads ahead, C columns of
codes, D width, G frames of a group, V codes.
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
        self.taken = 0
        """Groups appended so far."""
        begun_groups = [[known_KT.shape[1] // self.group] for known_KT in begun]
        self._begun_A1 = torch.tensor(begun_groups, device=self.device)
        self._window = None if context is None else Window(self.cache.lengths_B, -(-context // self.group))
        # A tensor, since a list would be copied to the device in each step, and the host would wait for it.
        self._columns = torch.tensor(group_columns(network.num_codebooks, self.group), device=self.device)
        self._level = tokenizer.level(0)

    def logits(self, min_frames: int) -> Tensor:
        """Returns the logits of the next group, `[B, G, V]`; the stop code is ruled out in the first `min_frames`."""
        return self.logits_after(self._last_AD[:, None], min_frames)[:, 0]

    def logits_after(self, hidden_ALD: Tensor, min_frames: int, *, first: int = 0) -> Tensor:
        """Returns the logits of the group after each of several that lie one after the other, `[B, L, G, V]`.

        Args:
            hidden_ALD: The hidden states of the groups, as `read` returns them.
            min_frames: Frames in which the stop code is ruled out.
            first: Groups that lie between the last one taken and the one that is predicted first.
        """
        rows, length, _ = hidden_ALD.shape
        logits_MV = (self._step.logits if self._step else self._head)(hidden_ALD.flatten(0, 1))
        if self.guidance > 1:
            with_MV, without_MV = logits_MV.chunk(2)
            logits_MV, rows = guided(with_MV, without_MV, self.guidance), rows // 2
        logits_BLGV = logits_MV.view(rows, length, self.group, logits_MV.shape[-1])
        may_not_end = max(0, min_frames - (self.taken + first) * self.group)
        logits_BLGV.flatten(1, 2)[:, :may_not_end, self.stop].fill_(-torch.inf)
        return logits_BLGV

    def logits_ahead(self, min_frames: int) -> Tensor:
        """Returns the logits of the heads ahead after the last group taken, `[B, N, G, V]`.

        Head n of them, counted from 1, predicts what comes n groups after the next one.
        """
        if self._step:
            hidden = self._step.ahead(self._last_AD)
        else:
            hidden = torch.cat([head(self._last_AD) for head in self.network.ahead])
        hidden_AND = hidden.view(-1, *self._last_AD.shape).transpose(0, 1)
        return self.logits_after(hidden_AND, min_frames, first=1)

    def take(self, codes_BG: Tensor) -> None:
        """Appends a group to each response."""
        self.keep(self.read(codes_BG[:, None]), 1)

    def read(self, codes_BLG: Tensor) -> Tensor:
        """Reads groups after those taken, without taking them; returns their hidden states, `[A, L, D]`.

        What is read next overwrites what wasn't taken (`keep`). Not for retention, whose state can't go back.
        """
        rows, (copies, length, _) = len(self._last_AD), codes_BLG.shape
        codes_ALC = codes_BLG.new_full((rows, length, self.network.num_codebooks + self.group - 1), ABSENT)
        codes_ALC[..., self._columns] = codes_BLG.where(codes_BLG != self.stop, ABSENT).repeat(rows // copies, 1, 1)
        level_AL = codes_BLG.new_full((rows, length), self._level)
        position_AL = self._begun_A1 + torch.arange(self.taken + 1, self.taken + 1 + length, device=self.device)
        if self._step:
            embedded_ALD = self.network.embed(level_AL, codes_ALC)
            return self._step.hidden(embedded_ALD, position_AL, self.cache, uniform=self._uniform)
        attend = Cached(self.cache, length, window=self._window)
        return self.network.hidden(level_AL, codes_ALC, position_AL, attend)

    def keep(self, hidden_ALD: Tensor, groups: int) -> None:
        """Appends the first ones of the groups read last to the responses.

        Args:
            hidden_ALD: What `read` returned.
            groups: How many to append, at least 1.
        """
        self._last_AD = hidden_ALD[:, groups - 1]
        self.taken += groups
        self.cache.advance(groups, groups)

    def _head(self, hidden_MD: Tensor) -> Tensor:
        return self.network.logits(hidden_MD, 0)

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
