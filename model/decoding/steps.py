"""Steps of the network over codebook 0 of a batch of responses, with a cache: groups of codes in, logits out.

Responses enter and leave between steps. Their rows lie in one cache that grows as needed; the rows in use are its first
ones, so that a step reads no others. A row that moves into the place of one that left takes its past along.

Axes: B responses, A rows passed to the network (with guidance two for each response, side by side), L groups of a
response, N heads ahead, C columns of codes, D width, G frames of a group, V codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.decoding.engine.exits import EarlyExit, Layers
from model.decoding.engine.rows import Rows
from model.decoding.engine.step import Step
from model.decoding.prefill import prefill, told_at, told_to
from model.decoding.samplers.guidance import guided
from model.network.cache import Cached, KVCache, Window
from model.network.decoder import Decoder
from model.network.feedforward import waits
from model.network.transfer import to_device
from model.sequences.documents import ABSENT, Condition, Document, document
from model.sequences.heads import group_columns
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError

_ROUNDED_TO = 64
"""The cache grows to a multiple of so many positions."""


class Steps:
    """A batch of responses whose conditions were read, and that grow by a group of codes at each step.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        conditions: The responses to begin with: what to say, in whose voice, and what the responses begin with.
        most: Most steps of these.
        guidance: Guidance scale of these (`samplers.guidance`). If it is above 1, each response, also one that enters
            later, has a second row in the batch, without text, prompt, input and tone.
        context: Frames of the response that a step may attend to, beside the condition; None for all.
        step: The network laid out for single steps; without it, or with a `context`, the network itself is called.
        exits: When a step ends early; None: never. It needs a `step`.
        rounded_to: A step looks at a multiple of so many slots of the cache, so that many steps are alike to a graph.

    Raises:
        UsageError: if `context` is given and the network has no attention, or `exits` without a `step` or with no layer
            to leave out.
    """

    def __init__(
        self,
        network: Decoder,
        tokenizer: Tokenizer,
        conditions: Sequence[Condition] = (),
        *,
        most: int = 0,
        guidance: float = 1.0,
        context: int | None = None,
        step: Step | None = None,
        exits: EarlyExit | None = None,
        rounded_to: int = 1,
    ) -> None:
        if context is not None and network.config.is_recurrent:
            raise UsageError(
                f"`max_ar_context` must be left out (it is {context}): the model's `model.arch` is"
                f" {network.config.arch}, which has no attention over frames that could be limited."
            )
        self.network, self.stop, self.group = network, network.codebook_size, network.config.group
        weight = network.token_embedding.weight
        self.device = weight.device
        self._tokenizer = tokenizer
        self._copies = 2 if guidance > 1 else 1
        self._step = step if context is None else None
        self._exits, self._rounded_to = exits, rounded_to
        if exits is not None:
            if self._step is None:
                raise UsageError(
                    "`layer_skip` must be left out: it is for models with `model.arch: llama` on a CPU. On a GPU the"
                    " host would have to wait after each layer."
                )
            self._first_exit = exits.first(network.config.layers)
        self._ring = network.config.ring
        limits = network.config.window_positions, None if context is None else -(-context // self.group)
        self._context = min((limit for limit in limits if limit is not None), default=None)
        self._store = KVCache.allocate(network.config, 0, 0, device=self.device, dtype=weight.dtype)
        self.cache = self._store
        self._lengths: list[int] = []
        """Positions of each row, as the cache has them on the device."""
        self._given: list[int] = []
        """How many of these were there before the first step; with a ring, before the response."""
        none = torch.zeros(0, dtype=torch.int64, device=self.device)
        told = {"said": none[:, None], "end": none} if network.config.names_said else {}
        self._rows_A = Rows(
            last=weight.new_empty(0, network.config.width), position=none, length=none, given=none, **told
        )
        self._each_B = Rows(drawn=none, guidance=torch.zeros(0, 1, 1, device=self.device), saved=none)
        self._stores = 0
        """How often the store was replaced."""
        # A tensor, since a list would be copied to the device in each step, and the host would wait for it.
        self._columns = to_device(torch.tensor(group_columns(network.num_codebooks, self.group)), self.device)
        self._level = tokenizer.level(0)
        self._arranged()
        if conditions:
            self.admit(conditions, most=most, guidance=[guidance] * len(conditions))

    def __len__(self) -> int:
        """Number of responses."""
        return len(self._lengths) // self._copies

    def admit(self, conditions: Sequence[Condition], *, most: int, guidance: Sequence[float]) -> None:
        """Reads conditions; their responses are the last ones of the batch. What is equal is read once.

        Args:
            conditions: What to say, in whose voice, and what the responses begin with.
            most: Most steps.
            guidance: Guidance scale of each.
        """
        asked = [row for one in conditions for row in (one, one.dropped())[: self._copies]]
        documents = [document(self._tokenizer, one, one.begun(), 0, self.stop, group=self.group) for one in asked]
        distinct, which = _distinct(documents)
        read, hidden_AD = prefill(self.network, self._tokenizer, distinct, room=0)
        if self._step:
            self._step.arrange(read)
        lengths = [len(item) for item in documents]
        first, rows_A = len(self._lengths), to_device(torch.tensor(which), self.device)
        given = lengths if self._ring is None else [item.before for item in documents]
        positions = max(lengths) + most
        if self._ring is not None:
            positions = min(positions, max(given) + self._ring)
        self._make_room(first + len(lengths), positions)
        self._store.copy_rows(read, rows_A, first, max(lengths))
        begun = [one.begun().shape[1] // self.group for one in asked]
        self._lengths += lengths
        self._given += given
        read_A, given_A, begun_A = (to_device(torch.tensor(each), self.device) for each in (lengths, given, begun))
        told = told_to(documents, self._tokenizer.end, self.device) if self.network.config.names_said else {}
        self._rows_A.add(last=hidden_AD[rows_A], position=begun_A, length=read_A, given=given_A, **told)
        scales_B11 = to_device(torch.tensor(guidance, dtype=torch.float32), self.device)[:, None, None]
        new_B = torch.zeros(len(conditions), dtype=torch.int64, device=self.device)
        self._each_B.add(drawn=new_B, guidance=scales_B11, saved=new_B)
        self._arranged()

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Takes responses out; the last ones move into their places.

        Args:
            gone: Their places.

        Returns:
            Where the response now in each place was before.
        """
        left = len(self) - len(gone)
        order = list(range(left))
        free = sorted(place for place in gone if place < left)
        moving = sorted(set(range(left, len(self))) - set(gone))
        for place, old in zip(free, moving, strict=True):
            order[place] = old
            for copy in range(self._copies):
                row, old_row = place * self._copies + copy, old * self._copies + copy
                self._store.copy_row(old_row, row, self._lengths[old_row])
        self._reorder(order)
        return order

    def logits(self, least: int | Tensor) -> Tensor:
        """Returns the logits of the next group, `[B, G, V]`; the stop code is ruled out in the first frames.

        Args:
            least: Fewest frames: one number, or `[B]`.
        """
        return self.logits_after(self._last_AD[:, None], least)[:, 0]

    def logits_after(self, hidden_ALD: Tensor, least: int | Tensor, *, first: int = 0) -> Tensor:
        """Returns the logits of the group after each of several that lie one after the other, `[B, L, G, V]`.

        Args:
            hidden_ALD: The hidden states of the groups, as `read` returns them.
            least: As for `logits`.
            first: Groups between the last one taken and the one that is predicted first.
        """
        rows, length, _ = hidden_ALD.shape
        logits_MV = (self._step.logits if self._step else self._head)(hidden_ALD.flatten(0, 1))
        logits_BLGV = logits_MV.view(rows, length, self.group, logits_MV.shape[-1])
        if self._copies == 2:
            with_BLGV, without_BLGV = logits_BLGV.view(-1, 2, *logits_BLGV.shape[1:]).unbind(1)
            logits_BLGV = guided(with_BLGV, without_BLGV, self._guidance_B11[..., None])
        start, frames = first * self.group, length * self.group
        places_BF = self._drawn_B[:, None] + torch.arange(start, start + frames, device=self.device)
        may_not_end_BF = places_BF < (least[:, None] if isinstance(least, Tensor) else least)
        logits_BLGV[..., self.stop].masked_fill_(may_not_end_BF.view(-1, length, self.group), -torch.inf)
        return logits_BLGV

    def logits_ahead(self, least: int | Tensor) -> Tensor:
        """Returns the logits of the heads ahead after the last group taken, `[B, N, G, V]`.

        Head n of them, counted from 1, predicts what comes n groups after the next one.

        Args:
            least: As for `logits`.
        """
        last_AD = self._last_AD
        heads = self._step.ahead if self._step else self.network.ahead
        hidden_AND = torch.stack([head(last_AD) for head in heads], 1)
        return self.logits_after(hidden_AND, least, first=1)

    def take(self, codes_BG: Tensor) -> None:
        """Appends a group to each response."""
        if self._step and self._exits:
            self._take_early(self._step, codes_BG)
        else:
            self.keep(self.read(codes_BG[:, None]), 1)

    def _take_early(self, step: Step, codes_BG: Tensor) -> None:
        """Takes a group by a step that ends early for rows sure of the next code; both of a guided response."""
        position_A = self._position_A + 1
        embedded_AD = self.network.embed(*self._shown(codes_BG[:, None], position_A[:, None]))[:, 0]
        read = embedded_AD, position_A, self.cache
        last_AD, layers_A = step.early(*read, first=self._first_exit, sure=self._sure, window=self._window)
        saved_A = self.network.config.layers - layers_A
        self._saved_B.add_(saved_A.view(-1, self._copies).sum(1))
        self.keep(last_AD[:, None], 1)

    def _sure(self, logits_MV: Tensor, rows_A: Tensor) -> Tensor:
        """Returns which of the rows may end, `[A]` bool, given their logits, `[A * G, V]`."""
        assert self._exits
        logits_AGV = logits_MV.view(len(rows_A), self.group, -1)
        if self._copies == 2:
            with_BGV, without_BGV = logits_AGV.view(-1, 2, *logits_AGV.shape[1:]).unbind(1)
            logits_AGV = guided(with_BGV, without_BGV, self._guidance_B11[rows_A[::2] // 2])
        return self._exits.sure(logits_AGV).all(1).repeat_interleave(self._copies, output_size=len(rows_A))

    def layers(self, place: int, taken: int) -> Layers | None:
        """Returns how many layers a response was spared in so many steps; None without early exit."""
        if self._exits is None:
            return None
        return Layers(int(self._saved_B[place]), taken * self._copies * self.network.config.layers)

    def read(self, codes_BLG: Tensor) -> Tensor:
        """Reads groups after those taken, without taking them; returns their hidden states, `[A, L, D]`.

        What is read next overwrites what wasn't taken (`keep`). Only the first can be taken by a model with a state,
        which can't go back.
        """
        length = codes_BLG.shape[1]
        later_L = 1 if length == 1 else torch.arange(1, length + 1, device=self.device)
        position_AL = self._position_A[:, None] + later_L
        level_AL, codes_ALC = self._shown(codes_BLG, position_AL)
        if self._step:
            embedded_ALD = self.network.embed(level_AL, codes_ALC)
            return self._step.hidden(embedded_ALD, position_AL, self.cache, window=self._window)
        attend = Cached(self.cache, length, window=self._window, rounded_to=self._rounded_to)
        return self.network.hidden(level_AL, codes_ALC, position_AL, attend)

    def _shown(self, codes_BLG: Tensor, position_AL: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the tokens `[A, L]` and codes `[A, L, C]` that the network is shown of groups at these positions."""
        rows, length = len(self._last_AD), codes_BLG.shape[1]
        tells = self.network.config.names_said
        codes_ALC = codes_BLG.new_full((rows, length, self.network.num_codebooks + self.group - 1 + tells), ABSENT)
        shown_BLG = codes_BLG.where(codes_BLG != self.stop, ABSENT)
        codes_ALC[..., self._columns] = shown_BLG.repeat_interleave(self._copies, 0, output_size=rows)
        if tells:
            codes_ALC[..., -1] = told_at(self._rows_A["said"], self._rows_A["end"], position_AL)
        return codes_BLG.new_full((rows, length), self._level), codes_ALC

    def keep(self, hidden_ALD: Tensor, groups: int) -> None:
        """Takes the first ones of the groups read last: appends them to the responses.

        Args:
            hidden_ALD: What `read` returned.
            groups: How many, at least 1.
        """
        self._keep(hidden_ALD, groups)
        self._count(groups)

    def _keep(self, hidden_ALD: Tensor, groups: int) -> None:
        """Does what `keep` does on the device."""
        self._last_AD.copy_(hidden_ALD[:, groups - 1])
        self._move(groups)

    def _move(self, groups: int) -> None:
        """Moves the place where the next group is read."""
        self._drawn_B.add_(groups * self.group)
        self._position_A.add_(groups)
        self.cache.lengths_B.add_(groups)

    def _count(self, groups: int) -> None:
        """Does what `keep` does on the host."""
        self.cache.longest += groups
        self._lengths = [length + groups for length in self._lengths]

    def back(self, groups: int) -> None:
        """Goes back by groups taken, whose places the next ones take; states and the last logits stay as they are."""
        self._move(-groups)
        self._count(-groups)

    def follow(self, codes_BG: Tensor) -> None:
        """Appends a group to each response on the device alone, as a graph does it; then `followed` must be called."""
        self._keep(self.read(codes_BG[:, None]), 1)

    def followed(self) -> None:
        """Counts a group that was appended by `follow`, or by a graph of it."""
        self._count(1)

    @property
    def waits(self) -> bool:
        """Whether the host waits for the device within a step, so that no graph can do it."""
        return waits(self.network.config.experts, len(self._lengths), self.device)

    @property
    def layout(self) -> tuple[int, ...]:
        """All that `logits` and `follow` depend on, but for what is in tensors that stay where they are."""
        moves = self._stores, self._rows_A.moves, self._each_B.moves
        return len(self._lengths), self.cache.reach(1, self._rounded_to), *moves

    def _head(self, hidden_MD: Tensor) -> Tensor:
        return self.network.logits(hidden_MD, 0)

    def widen(self, copies: int) -> None:
        """Copies each response, so that its copies can go on differently; before the first step."""
        order = [place for place in range(len(self)) for _ in range(copies)]
        self._store = self.cache.widened(self._rows(to_device(torch.tensor(order), self.device)))
        self._stores += 1
        self._reorder(order)

    def _reorder(self, order: Sequence[int]) -> None:
        """Lets what is known of responses, but for the store, follow them; `order` is what `leave` returns."""
        order_B = to_device(torch.tensor(order, dtype=torch.int64), self.device)
        order_A = self._rows(order_B)
        rows = [place * self._copies + copy for place in order for copy in range(self._copies)]
        self._lengths, self._given = [self._lengths[row] for row in rows], [self._given[row] for row in rows]
        self._rows_A.take(order_A)
        self._each_B.take(order_B)
        self._arranged()

    def replace(self, rows_B: Tensor) -> None:
        """Gives each response the past of another one (`rows_B`) of the same condition."""
        rows_A = self._rows(rows_B)
        self.cache.replace(rows_A, min(self._given))
        self._last_AD.copy_(self._last_AD[rows_A])

    def _rows(self, places_B: Tensor) -> Tensor:
        """Returns the rows of responses."""
        return (places_B[:, None] * self._copies + torch.arange(self._copies, device=self.device)).flatten()

    def _make_room(self, rows: int, positions: int) -> None:
        """Makes the store large enough; with rows in use it at least doubles, so that it seldom has to be copied."""
        held = self._store.rows
        capacity = self._store.capacity
        if rows <= held and (capacity is None or positions <= capacity):
            return
        wanted = max(rows, held if rows <= held else 2 * held)
        long = 0 if capacity is None else max(capacity, -(-positions // _ROUNDED_TO) * _ROUNDED_TO)
        larger = KVCache.allocate(
            self.network.config, wanted, long, device=self.device, dtype=self.network.token_embedding.weight.dtype
        )
        if self._lengths:
            used_A = torch.arange(len(self._lengths), device=self.device)
            larger.copy_rows(self._store, used_A, 0, max(self._lengths))
        self._store = larger
        self._stores += 1

    def _arranged(self) -> None:
        """Takes the first rows of the store as the cache, once responses have entered or left."""
        rows_A, each_B = self._rows_A, self._each_B
        self._last_AD, self._position_A = rows_A["last"], rows_A["position"]
        self._drawn_B, self._guidance_B11 = each_B["drawn"], each_B["guidance"]
        self._saved_B = each_B["saved"]
        """Layers that early exit left out, of each response and its second row."""
        self.cache = self._store.part(0, len(rows_A), rows_A["length"], max(self._lengths, default=0))
        self._window = None
        if self._context is not None:
            self._window = Window(rows_A["given"], self._context, self._ring)


def _distinct(documents: Sequence[Document]) -> tuple[list[Document], list[int]]:
    """Returns the documents that differ, and which of them each one is."""
    found: dict[tuple[bytes, ...], int] = {}
    distinct: list[Document] = []
    which: list[int] = []
    for item in documents:
        mixed = (part for weight, codes_KP in item.mixed for part in (str(weight).encode(), codes_KP.tobytes()))
        key = item.tokens_L.tobytes(), item.codes_LK.tobytes(), item.positions_L.tobytes(), *mixed
        if key not in found:
            found[key] = len(distinct)
            distinct.append(item)
        which.append(found[key])
    return distinct, which
