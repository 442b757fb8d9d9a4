"""Generates codebook 0 step by step with a cache (mode `ar`): responses share the steps, and enter and leave between.

Axes: B batch, G frames of a group, S of them drawn at once, M = B * S codes, T response frames, V codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.decoding.ahead import advance_ahead, looks_ahead, proposals
from model.decoding.asks import Ask, End
from model.decoding.engine.step import Step
from model.decoding.exits import Layers
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import keys_of, seeds_of
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.decoding.watch import CHECK_FRAMES, Watch
from model.network.decoder import Decoder
from model.network.transfer import to_device
from model.sequences.tokenizer import Tokenizer

CHECK_EVERY = {"cpu": 1}
"""Steps between two checks which responses have ended, by kind of device; 16 on others."""


@dataclass(slots=True)
class First:
    """Codebook 0 of a response, while it is drawn and after."""

    ask: Ask
    codes_T: npt.NDArray[np.int64]
    """The codes drawn, without a stop code."""
    end: End | None = None
    """How it ended; None while it goes on."""
    mean_logprob: float | None = None
    """As in `Response`, once it has ended."""
    layers: Layers | None = None
    """As in `Response`, once it has ended."""
    passes: int | None = None
    """As in `Response`, so far."""


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
        self._steps = Steps(network, tokenizer, guidance=guidance, context=context, step=step, exits=exits)
        self._crews: list[_Crew] = []
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
        for settings in dict.fromkeys(_settings(ask) for ask in asks):
            theirs = [one for one in entered if _settings(one.ask) == settings]
            crew = next((crew for crew in self._crews if _settings(crew.members[0].ask) == settings), None)
            if crew is None:
                self._crews.append(crew := _Crew(theirs[0].ask, steps))
            crew.enter(theirs)
        self._arrange()
        return entered

    @torch.inference_mode()
    def leave(self, gone: Sequence[First]) -> list[int]:
        """Takes responses out, whether they have ended or not; returns as `Steps.leave` does."""
        for crew in self._crews:
            crew.leave([one for one in crew.members if any(one is other for other in gone)])
        self._crews = [crew for crew in self._crews if crew.members]
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
        if len(self) == 1 and looks_ahead(steps.network, self._crews[0].members[0].ask.decoding):
            return self._advance_ahead()
        logits_BGV = steps.logits(self._least())
        codes_BG = logits_BGV.new_empty(logits_BGV.shape[:2], dtype=torch.int64)
        for crew in self._crews:
            codes_BG[crew.places_B] = crew.draw(logits_BGV[crew.places_B])
        self._taken += 1
        checks = self._taken % CHECK_EVERY.get(steps.device.type, 16) == 0
        ended = [one for crew in self._crews for one in crew.ended(look=checks)]
        for one in ended:
            one.layers = steps.layers(self._places[id(one)], -(-self.frames(one) // steps.group) - 1)
        if ended:
            order = self.leave(ended)
            codes_BG = codes_BG[to_device(torch.tensor(order, dtype=torch.int64), steps.device)]
        if len(self):
            steps.take(codes_BG)
            self._count_pass()
        return ended

    def _advance_ahead(self) -> list[First]:
        (crew,) = self._crews
        if self._drawn_1G is None:
            self._drawn_1G = crew.draw(self._steps.logits(crew.least_B))
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

    def _crew(self, one: First) -> "_Crew":
        return next(crew for crew in self._crews if any(one is other for other in crew.members))


_Settings = tuple[Sampling, bool]


def _settings(ask: Ask) -> _Settings:
    """Returns what responses must have in common to be drawn together."""
    return ask.decoding.ar, ask.decoding.refine_on_stop


class _Crew:
    """Responses of a lane that are drawn with the same settings.

    Args:
        like: Any of them.
        steps: The steps of the lane.
    """

    def __init__(self, like: Ask, steps: Steps) -> None:
        self.members: list[First] = []
        self._sampling, self._refines = _settings(like)
        self._stop, self._group, self._device = steps.stop, steps.group, steps.device
        self._draws = self._empty(0, 0)
        self._likeliest_BT = self._draws.codes_BT
        self._seeds_B = self._draws.lengths_B
        self.least_B = self._draws.lengths_B
        self._logprob_B = torch.zeros(0, dtype=torch.float64, device=self._device)
        self._going_B = torch.zeros(0, dtype=torch.bool, device=self._device)
        self._counted_B = self._draws.lengths_B
        self._frames: list[int] = []
        """Codes drawn for each member, as the host counts them."""
        self._looked: list[int] = []
        """Frames of each member up to which its watch has looked at it."""
        self.places_B = self._draws.lengths_B
        self.in_order = True

    def _empty(self, rows: int, capacity: int) -> Draws:
        state = self._sampling.begin(rows, self._device)
        return Draws.allocate(rows, capacity, stop=self._stop, state=state, device=self._device)

    def enter(self, members: Sequence[First]) -> None:
        """Adds responses of which nothing is drawn yet."""
        most = max(-(-one.ask.most_frames // self._group) * self._group for one in members)
        capacity, rows, device = max(self._draws.codes_BT.shape[1], most), len(members), self._device
        new = self._empty(rows, capacity)
        self._draws = Draws(
            torch.cat((_lengthened(self._draws.codes_BT, capacity), new.codes_BT)),
            torch.cat((self._draws.lengths_B, new.lengths_B)),
            self._stop,
            {name: torch.cat((old, new.state[name])) for name, old in self._draws.state.items()},
        )
        if self._refines:
            self._likeliest_BT = torch.cat((_lengthened(self._likeliest_BT, capacity), new.codes_BT))
        self._seeds_B = torch.cat((self._seeds_B, seeds_of([one.ask.seed for one in members], device)))
        least = [one.ask.least_frames for one in members]
        self.least_B = torch.cat((self.least_B, to_device(torch.tensor(least), device)))
        self._logprob_B = torch.cat((self._logprob_B, self._logprob_B.new_zeros(rows)))
        self._counted_B = torch.cat((self._counted_B, new.lengths_B))
        self._going_B = torch.cat((self._going_B, self._going_B.new_ones(rows)))
        self._frames += [0] * rows
        self._looked += [0] * rows
        self.members += members

    def leave(self, gone: Sequence[First]) -> None:
        """Takes members out."""
        if not gone:
            return
        kept = [row for row, one in enumerate(self.members) if not any(one is other for other in gone)]
        rows_B = to_device(torch.tensor(kept, dtype=torch.int64), self._device)
        draws = self._draws
        state = {name: held[rows_B] for name, held in draws.state.items()}
        self._draws = Draws(draws.codes_BT[rows_B], draws.lengths_B[rows_B], self._stop, state)
        if self._refines:
            self._likeliest_BT = self._likeliest_BT[rows_B]
        self._seeds_B, self.least_B = self._seeds_B[rows_B], self.least_B[rows_B]
        self._logprob_B, self._counted_B = self._logprob_B[rows_B], self._counted_B[rows_B]
        self._going_B = self._going_B[rows_B]
        self._frames = [self._frames[row] for row in kept]
        self._looked = [self._looked[row] for row in kept]
        self.members = [self.members[row] for row in kept]

    def arrange(self, places: list[int]) -> None:
        """Takes the members' places in the batch."""
        self.places_B = to_device(torch.tensor(places, dtype=torch.int64), self._device)
        self.in_order = places == list(range(len(places)))

    def draw(self, logits_BGV: Tensor) -> Tensor:
        """Draws a group for each member, `[B, G]`."""
        if self._refines:
            start_B1, places_G = self._draws.lengths_B[:, None], torch.arange(self._group, device=self._device)
            self._likeliest_BT.scatter_(1, start_B1 + places_G, logits_BGV[..., : self._stop].argmax(-1))
        codes_BG = draw_group(logits_BGV, self._sampling, self._seeds_B, self._draws)
        logprob_BG = logits_BGV.float().log_softmax(-1).gather(-1, codes_BG[..., None])[..., 0]
        for frame in range(self._group):
            self._logprob_B = self._logprob_B + logprob_BG[:, frame].where(self._going_B, 0.0)
            self._counted_B = self._counted_B + self._going_B
            self._going_B = self._going_B & (codes_BG[:, frame] != self._stop)
        self._frames = [frames + self._group for frames in self._frames]
        return codes_BG

    def propose(self, logits_BNGV: Tensor) -> Tensor:
        """Draws proposals for the one member, for the groups after the next one; see `proposals`."""
        return proposals(logits_BNGV, self._sampling, self._seeds_B, self._draws)

    @property
    def left(self) -> int:
        """Groups that may still be drawn for the one member; 0 once it has ended."""
        left = -(-self.members[0].ask.most_frames // self._group) - self._frames[0] // self._group
        return left if bool(self._going_B.all()) else 0

    def ended(self, *, look: bool) -> list[First]:
        """Returns the members that have ended, finished.

        Args:
            look: Whether to look for stop codes, for which the host waits for the device; else only those that are as
                long as they may be have ended.
        """
        full = [frames >= one.ask.most_frames for frames, one in zip(self._frames, self.members, strict=True)]
        looks = look or any(full)
        going = self._going_B.tolist() if looks else [True] * len(full)
        stopped = self._stopped(going) if looks else {}
        over = [row for row, goes_on in enumerate(going) if full[row] or not goes_on or row in stopped]
        if not over:
            return []
        counts, logprobs = self._counted_B.tolist(), self._logprob_B.tolist()
        for row in over:
            one = self.members[row]
            one.codes_T = self._codes(row, going[row])
            most = one.ask.most_frames
            one.end = "stop" if len(one.codes_T) < most or (not going[row] and counts[row] == most + 1) else "length"
            if row in stopped:
                one.end, kept = stopped[row]
                one.codes_T = one.codes_T[: max(kept, one.ask.least_frames)]
            one.mean_logprob = logprobs[row] / counts[row]
        return [self.members[row] for row in over]

    def _stopped(self, going: Sequence[bool]) -> dict[int, tuple[End, int]]:
        """Returns the members that their watch stops: how, and the frames before what it sees.

        Each is looked at after every so many frames of its own, so that nothing depends on the others.
        """
        if not any(one.ask.watch for one in self.members):
            return {}
        counts = [] if all(going) else self._counted_B.tolist()
        due: dict[Watch, list[tuple[int, int]]] = {}
        for row, one in enumerate(self.members):
            frames = min(self._frames[row] if going[row] else counts[row] - 1, one.ask.most_frames)
            if one.ask.watch:
                lengths = range(self._looked[row] + CHECK_FRAMES, frames + 1, CHECK_FRAMES)
                due.setdefault(one.ask.watch, []).extend((row, length) for length in lengths)
            self._looked[row] = frames - frames % CHECK_FRAMES
        stopped: dict[int, tuple[End, int]] = {}
        for watch, places in due.items():
            if not places:
                continue
            rows_B, lengths_B = to_device(torch.tensor(places), self._device).unbind(1)
            seen = watch.look(self._draws.codes_BT[rows_B], lengths_B)
            flags = torch.stack([seen.loops_B.long(), seen.silent_B.long(), seen.kept_B]).tolist()
            for (row, _), loops, silent, kept in zip(places, *flags, strict=True):
                if loops or silent:
                    stopped.setdefault(row, ("loop" if loops else "silence", kept))
        return stopped

    def _row(self, one: First) -> int:
        return next(row for row, member in enumerate(self.members) if member is one)

    def frames(self, one: First) -> int:
        """Returns how many codes of a member were drawn, a stop code and what follows it included."""
        return self._frames[self._row(one)]

    def drawn(self, one: First) -> npt.NDArray[np.int64]:
        """Returns the codes of a member so far, without a stop code."""
        row, most = self._row(one), one.ask.most_frames
        return until(self._draws.codes_BT[row, : self._frames[row]].cpu().numpy(), self._stop)[:most]

    def _codes(self, row: int, goes_on: bool) -> npt.NDArray[np.int64]:
        codes_T = self.drawn(self.members[row])
        if not self._refines or goes_on:
            return codes_T
        refined_T: npt.NDArray[np.int64] = self._likeliest_BT[row, : len(codes_T)].cpu().numpy()
        return refined_T


def _lengthened(x_BT: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(x_BT, (0, length - x_BT.shape[1]))


def draw_group(logits_BGV: Tensor, sampling: Sampling, seeds_B: Tensor, draws: Draws) -> Tensor:
    """Draws a group, `[B, G]`, and appends it to the draws; samplers that look back see the group's earlier codes."""
    at_once = 1 if sampling.looks_back else logits_BGV.shape[1]
    drawn = []
    for logits_BSV in torch.split(logits_BGV, at_once, 1):
        places_BS = draws.lengths_B[:, None] + torch.arange(at_once, device=seeds_B.device)
        keys_M = keys_of(seeds_B[:, None], places_BS).flatten() if sampling.random else None
        drawn.append(sample(logits_BSV.flatten(0, 1), sampling, keys_M, draws).view(-1, at_once))
        draws.add(drawn[-1])
    return torch.cat(drawn, 1)


def all_ended(ended_B: Tensor, step: int) -> bool:
    """Returns whether all rows have ended; checks only every few steps, since on a GPU a check makes the host wait."""
    return step % CHECK_EVERY.get(ended_B.device.type, 16) == 0 and bool(ended_B.all())


def until(ids_T: np.ndarray, stop: int) -> np.ndarray:
    """Returns the ids before the first `stop`."""
    ends = np.flatnonzero(ids_T == stop)
    return ids_T[: ends[0] if len(ends) else None]
