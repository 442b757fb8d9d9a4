"""Generates codebook 0 step by step with a cache (mode `ar`): responses share the steps, and enter and leave between.

Axes: B batch, G frames of a group, S of them drawn at once, M = B * S codes, T response frames, V codes.
"""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.decoding.ahead import advance_ahead, looks_ahead
from model.decoding.asks import Ask
from model.decoding.crew import Crew, First, settings_of
from model.decoding.engine.graphs import Graphs
from model.decoding.engine.step import Step
from model.decoding.steps import Steps
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.tokenizer import Tokenizer

CHECK_EVERY = {"cpu": 1}
"""Steps between two checks which responses have ended, by kind of device; 16 on others."""
ROUNDED_TO = 256
"""Slots of the cache that a graph's step looks at: a multiple of so many. More cost less than another graph."""


class Lane:
    """Responses that share steps. While there is one alone, a model with heads ahead takes several groups at a time.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        like: Any of the responses: all must agree on whether they are guided, on `max_ar_context`, and on when steps
            end early.
        step: The network laid out for single steps, if there is one.
    """

    def __init__(self, network: Decoder, tokenizer: Tokenizer, *, like: Ask, step: Step | None = None) -> None:
        guidance, context = like.decoding.guidance or 1.0, like.decoding.max_ar_context
        exits = like.decoding.exits
        self._graphs = Graphs(network.token_embedding.weight.device, after=2)
        self.replays = self._graphs.are_there and step is None
        """Whether steps are done by graphs, or at least in their way where the host has to wait (`Steps.waits`)."""
        self._steps = Steps(
            network,
            tokenizer,
            guidance=guidance,
            context=context,
            step=step,
            exits=exits,
            rounded_to=ROUNDED_TO if self.replays else 1,
        )
        self._crews: list[Crew] = []
        self._places: dict[int, int] = {}
        """Where each response is in the batch, by the identity of its `First`."""
        self._taken = 0
        self._drawn_1G: Tensor | None = None
        """The group of the one response that was drawn, but not yet taken, by the way of heads ahead."""

    def __len__(self) -> int:
        """Number of responses that go on."""
        return len(self._places)

    @torch.inference_mode()
    def enter(self, asks: Sequence[Ask]) -> list[First]:
        """Reads what responses are made of; they take part in the next step."""
        steps, group = self._steps, self._steps.group
        most = -(-max(ask.most_frames for ask in asks) // group)
        guidance = [ask.decoding.guidance or 1.0 for ask in asks]
        if self._drawn_1G is not None:
            steps.take(self._drawn_1G)
            self._count_pass()
            self._drawn_1G = None
        steps.admit([ask.condition for ask in asks], most=most, guidance=guidance)
        entered = [First(ask, np.zeros(0, np.int64), passes=1) for ask in asks]
        for one in entered:
            self._places[id(one)] = len(self._places)
        for settings in dict.fromkeys(settings_of(ask) for ask in asks):
            theirs = [one for one in entered if settings_of(one.ask) == settings]
            crew = next((crew for crew in self._crews if crew.settings == settings), None)
            if crew is None:
                self._crews.append(crew := Crew(settings, steps))
            crew.enter(theirs)
        self._crews = [crew for crew in self._crews if crew.members]
        self._arrange()
        return entered

    @torch.inference_mode()
    def leave(self, gone: Sequence[First]) -> list[int]:
        """Takes responses out, whether they have ended or not; returns as `Steps.leave` does."""
        for crew in self._crews:
            crew.leave([one for one in crew.members if any(one is other for other in gone)])
        # One stays with its buffers, so that its graphs serve the next response, too.
        self._crews = [crew for crew in self._crews if crew.members] or self._crews[-1:]
        by_place = sorted(self._places, key=self._places.__getitem__)
        order = self._steps.leave([self._places[id(one)] for one in gone])
        self._places = {by_place[old]: place for place, old in enumerate(order)}
        if not self._places:
            self._drawn_1G = None
        self._arrange()
        return order

    def _arrange(self) -> None:
        for crew in self._crews:
            crew.arrange([self._places[id(one)] for one in crew.members])

    @torch.inference_mode()
    def advance(self) -> list[First]:
        """Draws a group of codes for each response, or several for one; returns those that have ended, which leave."""
        steps = self._steps
        if not len(self):
            return []
        if len(self) == 1 and looks_ahead(steps.network, self._crews[0].members[0].ask.decoding):
            return self._advance_ahead()
        if self.replays:
            if steps.waits:
                self._draw_and_take()
            else:
                self._graphs.run(self._layout, self._draw_and_take)
            steps.followed()
        else:
            codes_BG = self._draw()
        for crew in self._crews:
            crew.count()
        self._taken += 1
        checks = self._taken % CHECK_EVERY.get(steps.device.type, 16) == 0
        ended = [one for crew in self._crews for one in crew.ended(look=checks)]
        for one in ended:
            one.layers = steps.layers(self._places[id(one)], -(-self.frames(one) // steps.group) - 1)
        order = self.leave(ended) if ended else None
        if len(self) and not self.replays:
            if order is not None:
                codes_BG = codes_BG[to_device(torch.tensor(order, dtype=torch.int64), steps.device)]
            steps.take(codes_BG)
        self._count_pass()
        return ended

    def _draw(self) -> Tensor:
        """Draws a group of codes for each response, `[B, G]`, on the device alone."""
        logits_BGV = self._steps.logits(self._least())
        codes_BG = logits_BGV.new_empty(logits_BGV.shape[:2], dtype=torch.int64)
        for crew in self._crews:
            codes_BG[crew.places_B] = crew.draw(logits_BGV[crew.places_B])
        return codes_BG

    def _draw_and_take(self) -> None:
        """Draws and takes a group, on the device alone; those that end with it take it for nothing."""
        self._steps.follow(self._draw())

    @property
    def _layout(self) -> Hashable:
        """All that a step depends on, but for what is in tensors that stay where they are."""
        return self._steps.layout, tuple(crew.layout for crew in self._crews)

    def _advance_ahead(self) -> list[First]:
        (crew,) = self._crews
        if self._drawn_1G is None:
            self._drawn_1G = crew.draw(self._steps.logits(crew.least_B))
            crew.count()
        if crew.left:
            self._drawn_1G = advance_ahead(self._steps, crew, self._drawn_1G)
            self._count_pass()
        ended = crew.ended(look=True)
        if ended:
            self.leave(ended)
        return ended

    def _count_pass(self) -> None:
        for crew in self._crews:
            for one in crew.members:
                one.passes = (one.passes or 0) + 1

    def _least(self) -> Tensor:
        if len(self._crews) == 1 and self._crews[0].in_order:
            return self._crews[0].least_B
        least_B = torch.zeros(len(self), dtype=torch.int64, device=self._steps.device)
        for crew in self._crews:
            least_B[crew.places_B] = crew.least_B
        return least_B

    def frames(self, one: First) -> int:
        """Returns how many codes of a response were drawn; where the stop code is among them, fewer count."""
        return self._crew(one).frames(one)

    def drawn(self, one: First) -> npt.NDArray[np.int64]:
        """Returns the codes of a response so far, `[T]`; the host waits for the device."""
        return self._crew(one).drawn(one)

    def _crew(self, one: First) -> Crew:
        return next(crew for crew in self._crews if any(one is other for other in crew.members))


def all_ended(ended_B: Tensor, step: int) -> bool:
    """Returns whether all rows have ended; checks only every few steps, since on a GPU a check makes the host wait."""
    return step % CHECK_EVERY.get(ended_B.device.type, 16) == 0 and bool(ended_B.all())
