"""Responses that are drawn with the same settings: their codes so far, and how they end.

Axes: B batch, G frames of a group, S of them drawn at once, M = B * S codes, T response frames, V codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.decoding.ahead import proposals
from model.decoding.asks import Ask, End
from model.decoding.engine.exits import Layers
from model.decoding.engine.rows import Rows
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import keys_of, seeds_of
from model.decoding.samplers.sampler import Draws
from model.decoding.steps import Steps
from model.decoding.watch import CHECK_FRAMES, Watch
from model.network.transfer import to_device


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


Settings = tuple[Sampling, bool]


def settings_of(ask: Ask) -> Settings:
    """Returns what responses must have in common to be drawn together."""
    return ask.decoding.ar, ask.decoding.refine_on_stop


class Crew:
    """Responses of a lane that are drawn with the same settings.

    Args:
        settings: What they have in common.
        steps: The steps of the lane.
    """

    _numbers = count()

    def __init__(self, settings: Settings, steps: Steps) -> None:
        self.members: list[First] = []
        self.settings = settings
        self._sampling, self._refines = settings
        self._number = next(self._numbers)
        self._stop, self._group, self._device = steps.stop, steps.group, steps.device
        self._rows = Rows(**self._begun(0, 0), least=self._zeros(0), seed=self._zeros(0), place=self._zeros(0))
        self._frames: list[int] = []
        """Codes drawn for each member, as the host counts them."""
        self._looked: list[int] = []
        """Frames of each member up to which its watch has looked at it."""
        self.in_order = True
        self._arranged()

    def _zeros(self, rows: int) -> Tensor:
        return torch.zeros(rows, dtype=torch.int64, device=self._device)

    def _begun(self, rows: int, capacity: int) -> dict[str, Tensor]:
        """Returns what is known of responses of which nothing is drawn yet."""
        state = self._sampling.begin(rows, self._device)
        draws = Draws.allocate(rows, capacity, stop=self._stop, state=state, device=self._device)
        begun = {"codes": draws.codes_BT, "length": draws.lengths_B, "counted": self._zeros(rows)}
        begun["logprob"] = torch.zeros(rows, dtype=torch.float64, device=self._device)
        begun["going"] = torch.ones(rows, dtype=torch.bool, device=self._device)
        if self._refines:
            begun["likeliest"] = draws.codes_BT
        return begun | {f"state {name}": held for name, held in state.items()}

    def _arranged(self) -> None:
        """Takes up what is known of the members, once some were added or taken out."""
        rows = self._rows
        state = {name.removeprefix("state "): rows[name] for name in self._rows.names if name.startswith("state ")}
        self._draws = Draws(rows["codes"], rows["length"], self._stop, state)
        self._likeliest_BT = rows["likeliest"] if self._refines else self._draws.codes_BT
        self._seeds_B, self.least_B, self.places_B = rows["seed"], rows["least"], rows["place"]
        self._logprob_B, self._counted_B, self._going_B = rows["logprob"], rows["counted"], rows["going"]

    def enter(self, members: Sequence[First]) -> None:
        """Adds responses of which nothing is drawn yet."""
        most = max(-(-one.ask.most_frames // self._group) * self._group for one in members)
        rows, device = len(members), self._device
        least_B = to_device(torch.tensor([one.ask.least_frames for one in members]), device)
        seeds_B = seeds_of([one.ask.seed for one in members], device)
        self._rows.add(**self._begun(rows, most), least=least_B, seed=seeds_B, place=self._zeros(rows))
        self._frames += [0] * rows
        self._looked += [0] * rows
        self.members += members
        self._arranged()

    def leave(self, gone: Sequence[First]) -> None:
        """Takes members out."""
        if not gone:
            return
        kept = [row for row, one in enumerate(self.members) if not any(one is other for other in gone)]
        self._rows.take(to_device(torch.tensor(kept, dtype=torch.int64), self._device))
        self._frames = [self._frames[row] for row in kept]
        self._looked = [self._looked[row] for row in kept]
        self.members = [self.members[row] for row in kept]
        self._arranged()

    def arrange(self, places: list[int]) -> None:
        """Takes the members' places in the batch."""
        self.places_B.copy_(to_device(torch.tensor(places, dtype=torch.int64), self._device))
        self.in_order = places == list(range(len(places)))

    @property
    def layout(self) -> tuple[int, ...]:
        """All that `draw` depends on, but for what is in tensors that stay where they are."""
        return self._number, len(self.members), self._rows.moves, self.in_order

    def draw(self, logits_BGV: Tensor) -> Tensor:
        """Draws a group for each member, `[B, G]`, on the device alone; then `count` must be called."""
        if self._refines:
            start_B1, places_G = self._draws.lengths_B[:, None], torch.arange(self._group, device=self._device)
            self._likeliest_BT.scatter_(1, start_B1 + places_G, logits_BGV[..., : self._stop].argmax(-1))
        codes_BG = draw_group(logits_BGV, self._sampling, self._seeds_B, self._draws)
        logprob_BG = logits_BGV.float().log_softmax(-1).gather(-1, codes_BG[..., None])[..., 0]
        for frame in range(self._group):
            self._logprob_B.add_(logprob_BG[:, frame].where(self._going_B, 0.0))
            self._counted_B.add_(self._going_B)
            self._going_B.logical_and_(codes_BG[:, frame] != self._stop)
        return codes_BG

    def count(self) -> None:
        """Counts a group that was drawn, on the host."""
        self._frames = [frames + self._group for frames in self._frames]

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
        return until(_on_host(self._draws.codes_BT[row, : self._frames[row]]), self._stop)[:most]

    def _codes(self, row: int, goes_on: bool) -> npt.NDArray[np.int64]:
        codes_T = self.drawn(self.members[row])
        if not self._refines or goes_on:
            return codes_T
        return _on_host(self._likeliest_BT[row, : len(codes_T)])


def _on_host(codes_T: Tensor) -> npt.NDArray[np.int64]:
    """Returns a copy: what is drawn later changes the tensor."""
    return codes_T.cpu().numpy().copy()


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


def until(ids_T: np.ndarray, stop: int) -> np.ndarray:
    """Returns the ids before the first `stop`."""
    ends = np.flatnonzero(ids_T == stop)
    return ids_T[: ends[0] if len(ends) else None]
