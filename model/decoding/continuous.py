"""The engine: generates many responses side by side, and lets new ones in between the steps of the others.

Each `advance` does one piece of work: it lets waiting responses in, draws a group of codes for all that are in progress
(`ar`), or makes the first codebook of a few others at once (`nar-len`, beam search; with `all`, and in `ar` with
`data.levels: delay`, every codebook), and then the other codebooks of what is ready; on a CPU these are made in a
second thread while others are in progress. A response comes out the same whoever is generated beside it.

A response may be made in chunks, so that its beginning can be heard early. The other codebooks of a chunk are then
drawn with the chunks before as the response's beginning, and without knowing what follows. Chunks double in length,
since each reads all that came before.

Sources: continuous batching, Orca, section 3.1, https://www.usenix.org/conference/osdi22/presentation/yu.

Axes: K codebooks, T response frames.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch

from model.decoding.ahead import looks_ahead
from model.decoding.asks import Ask, Response
from model.decoding.autoregressive import Lane
from model.decoding.beam import search
from model.decoding.crew import First
from model.decoding.engine.aside import Aside
from model.decoding.engine.exits import EarlyExit
from model.decoding.engine.step import Step
from model.decoding.levels import generate_delayed, generate_rest
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.whole import generate_whole
from model.network.decoder import Decoder
from model.sequences.documents import Condition, planned
from model.sequences.tokenizer import Tokenizer
from stages.records import Codes

ROWS = 16
"""Responses in progress at the same time, by default."""
_PACKED = 8
"""Responses whose other codebooks, or canvases, are computed in one pass."""
_CPU_FRAMES = 256
"""On a CPU, passes over the other codebooks are of at most so many frames, or of one response: it gains nothing from
larger ones."""


@dataclass(slots=True, eq=False)
class Job:
    """A response that the engine was asked for."""

    ask: Ask
    chunk_frames: int | None = None
    """Frames of its first chunk; None if it is made in one piece."""
    parts: list[Codes] = field(default_factory=list)
    """What is known of it, `[K, T]` each."""
    response: Response | None = None
    """The whole, once it has ended."""
    first: First | None = None
    """Its codebook 0, from when it is in progress."""

    @property
    def frames(self) -> int:
        """Frames of which all codebooks are known."""
        return sum(part.shape[1] for part in self.parts)

    def codes(self) -> Codes:
        """Returns the frames of which all codebooks are known, `[K, T]`."""
        return np.concatenate([self.ask.condition.begun()[:, :0].astype(np.uint16), *self.parts], axis=1)

    def next_chunk(self, known: int) -> int:
        """Returns the frames of the next chunk, given how many are `known` of codebook 0; 0 if it isn't complete."""
        if self.chunk_frames is None:
            return 0
        wanted = self.chunk_frames << len(self.parts)
        return wanted if known - self.frames >= wanted else 0


_Ready = tuple[Job, npt.NDArray[np.int64]]
"""A job, and frames of codebook 0 for which the other codebooks are wanted."""
_Made = list[tuple[Job, Codes]]
"""Jobs, and frames of all codebooks, `[K, T]` each."""


_LaneKey = tuple[bool, int | None, EarlyExit | None]
"""What responses must have in common to share a lane."""


class Engine:
    """Generates responses.

    Args:
        network: In evaluation mode.
        tokenizer: The vocabulary it was trained with.
        step: The network laid out for single steps, which makes `ar` faster.
        rows: Most responses in progress at the same time.

    Example:
        >>> job = engine.submit(ask)
        >>> while job.response is None:
        ...     engine.advance()
    """

    def __init__(self, network: Decoder, tokenizer: Tokenizer, *, step: Step | None = None, rows: int = ROWS) -> None:
        self._network, self._tokenizer, self._step = network, tokenizer, step
        self.rows = rows
        self._waiting: deque[Job] = deque()
        self._lanes: dict[_LaneKey, Lane] = {}
        self._drawing: list[Job] = []
        """Those whose codebook 0 is being drawn."""
        self._drawn: list[Job] = []
        """Those whose codebook 0 is known, but not all of the others."""
        self._aside: Aside[_Made] = Aside(network.token_embedding.weight.device)
        self._made_aside: list[Job] = []
        """Those whose other codebooks are being drawn in the second thread."""

    def __len__(self) -> int:
        """Number of responses that wait or are in progress."""
        return len(self._waiting) + len(self._drawing) + len(self._drawn)

    def submit(self, ask: Ask, *, chunk_frames: int | None = None) -> Job:
        """Asks for a response.

        Args:
            ask: What to generate.
            chunk_frames: Frames of its first chunk, at least 1; each further one is twice as long. None: no chunks.
                With `data.levels: masks` there are none.

        Raises:
            UsageError: if the network can't decode so.
        """
        ask.decoding.check_levels(self._network.levels)
        looks_ahead(self._network, ask.decoding)
        self._lane(ask)
        if self._network.levels == "masks":  # a codebook of its own learns when things are said from the whole length
            chunk_frames = None
        # Of what was handed out nothing can be taken back, so a response in chunks isn't stopped.
        job = Job(ask if chunk_frames is None else replace(ask, watch=None), chunk_frames)
        self._waiting.append(job)
        return job

    def cancel(self, job: Job) -> None:
        """Takes a response out, wherever it is; nothing comes of it."""
        if job in self._waiting:
            self._waiting.remove(job)
        if job in self._drawing:
            self._drawing.remove(job)
            assert job.first
            self._lane(job.ask).leave([job.first])
        if job in self._drawn:
            self._drawn.remove(job)

    @torch.inference_mode()
    def advance(self) -> list[Job]:
        """Does the next piece of work; returns the jobs of which more frames are known than before."""
        with self._aside.beside():
            self._admit()
            for lane in self._lanes.values():
                ended = lane.advance() if len(lane) else []
                over = [job for job in self._drawing if any(job.first is one for one in ended)]
                self._drawing = [job for job in self._drawing if job not in over]
                self._drawn += over
            self._lanes = self._kept_lanes()
            return self._complete(self._ready())

    def _kept_lanes(self) -> dict[_LaneKey, Lane]:
        """Returns the lanes with responses: with an empty one its cache goes, as asks may differ in any number of ways.

        If all are empty, the last one stays where its graphs serve the next responses, too.
        """
        busy = {key: lane for key, lane in self._lanes.items() if len(lane)}
        return busy or {key: lane for key, lane in [*self._lanes.items()][-1:] if lane.replays}

    def _lane(self, ask: Ask) -> Lane:
        key = (ask.decoding.guidance or 1.0) > 1, ask.decoding.max_ar_context, ask.decoding.exits
        if key not in self._lanes:
            self._lanes[key] = Lane(self._network, self._tokenizer, like=ask, step=self._step)
        return self._lanes[key]

    def _admit(self) -> None:
        """Lets waiting jobs in, in order: those drawn step by step into their lanes, or a few others at once."""
        entering: list[Job] = []
        while self._waiting and len(self._drawing) + len(self._drawn) + len(entering) < self.rows:
            if not self._is_stepwise(self._waiting[0].ask):
                break
            entering.append(self._waiting.popleft())
        for lane in dict.fromkeys(self._lane(job.ask) for job in entering):
            theirs = [job for job in entering if self._lane(job.ask) is lane]
            for job, first in zip(theirs, lane.enter([job.ask for job in theirs]), strict=True):
                job.first = first
        self._drawing += entering
        if not entering and self._waiting and len(self._drawing) + len(self._drawn) < self.rows:
            self._make_at_once()

    def _make_at_once(self) -> None:
        """Makes codebook 0, or all codebooks, of the first waiting job, and of others that are decoded alike."""
        like = self._likeness(self._waiting[0].ask)
        jobs = [job for job in self._waiting if self._likeness(job.ask) == like][:_PACKED]
        self._waiting = deque(job for job in self._waiting if job not in jobs)
        if self._is_delayed(jobs[0].ask):
            made = generate_delayed(self._network, self._tokenizer, [job.ask for job in jobs])
            for job, (first, codes_KT) in zip(jobs, made, strict=True):
                job.first, job.parts = first, [codes_KT]
            self._drawn += jobs
            return
        for job, codes_JT in zip(jobs, self._first_at_once([job.ask for job in jobs]), strict=True):
            codes_T = codes_JT[0].astype(np.int64)
            is_long = len(codes_T) == job.ask.most_frames > job.ask.least_frames
            job.first = First(job.ask, codes_T, "length" if is_long else "stop")
            if len(codes_JT) == self._network.num_codebooks:
                job.parts = [codes_JT]
        self._drawn += jobs

    def _first_at_once(self, asks: Sequence[Ask]) -> list[Codes]:
        """Makes codebook 0 of responses, `[1, T]` each; every one, `[K, T]`, where the mode or the levels do so."""
        asked = self._network, self._tokenizer, [ask.condition for ask in asks]
        decoding, least, most = asks[0].decoding, asks[0].least_frames, asks[0].most_frames
        if decoding.mode == "ar":
            return search(*asked, max_frames=most, min_frames=least, decoding=decoding)
        lengths = [most] * len(asks) if least == most else predict_frames(*asked, max_frames=most)
        counts = [ask.frames(length) for ask, length in zip(asks, lengths, strict=True)]
        guidance, seeds = decoding.guidance or 1.0, [ask.seed for ask in asks]
        unmasking = decoding.unmasking
        if decoding.mode == "all":
            nar = decoding.nar
            return generate_whole(*asked, counts, unmasking=unmasking, nar=nar, guidance=guidance, seeds=seeds)
        levels = range(self._network.num_codebooks) if self._network.levels == "masks" else (0,)
        return generate_masked(
            *asked, counts, unmasking=unmasking, guidance=guidance, seeds=seeds, levels=levels, nar=decoding.nar
        )

    def _is_delayed(self, ask: Ask) -> bool:
        return ask.decoding.mode == "ar" and self._network.levels == "delay"

    def _is_stepwise(self, ask: Ask) -> bool:
        return ask.decoding.mode == "ar" and ask.decoding.beam_width == 1 and not self._is_delayed(ask)

    def _likeness(self, ask: Ask) -> tuple[object, ...]:
        """Returns what asks that are made at once must have in common."""
        return self._is_stepwise(ask), ask.decoding, ask.least_frames, ask.most_frames

    def _ready(self) -> list[_Ready]:
        """Returns jobs with the frames of codebook 0 for which the other codebooks are wanted now."""
        ready: list[_Ready] = []
        for job in self._drawn:
            assert job.first
            rest_T = job.first.codes_T[job.frames :]
            frames = job.next_chunk(len(job.first.codes_T)) or len(rest_T)
            ready.append((job, rest_T[:frames]))
        for job in self._drawing:
            assert job.first
            lane = self._lane(job.ask)
            if frames := job.next_chunk(lane.frames(job.first)):
                codes_T = lane.drawn(job.first)[job.frames :][:frames]
                if len(codes_T) == frames:
                    ready.append((job, codes_T))
        return [(job, codes_T) for job, codes_T in ready if job not in self._made_aside]

    def _complete(self, ready: Sequence[_Ready]) -> list[Job]:
        """Draws the other codebooks, or begins to; returns the jobs of which more is known, or that have ended."""
        known = [job for job, codes_T in ready if not len(codes_T)]  # its last chunk ended where it ended itself
        for job in known:
            self._finish(job)
        some = self._packed([(job, codes_T) for job, codes_T in ready if len(codes_T)])
        if self._aside.is_done or (self._aside.is_busy and not some and not self._lanes):
            known += self._keep(self._take_aside())
        if some and self._lanes and len(self) > 1 and self._aside.is_there:
            if not self._aside.is_busy:
                self._made_aside = [job for job, _ in some]
                self._aside.begin(partial(self._rest_of, some))
        elif some:
            known += self._keep(self._rest_of(some))
        return known

    def _packed(self, ready: Sequence[_Ready]) -> list[_Ready]:
        """Returns the first ones, as many as are worth being computed in one pass."""
        if self._network.token_embedding.weight.device.type != "cpu":
            return [*ready[:_PACKED]]
        totals = accumulate(len(codes_T) for _, codes_T in ready[:_PACKED])
        return [
            one
            for place, (one, total) in enumerate(zip(ready, totals, strict=False))
            if not place or total <= _CPU_FRAMES
        ]

    def _rest_of(self, ready: Sequence[_Ready]) -> _Made:
        """Draws the other codebooks; changes nothing, since a second thread may do it."""
        if self._network.levels == "masks" and self._network.num_codebooks > 1:
            return self._unmasked(ready)
        made: _Made = []
        for nar in dict.fromkeys(job.ask.decoding.nar for job, _ in ready):
            some = [(job, codes_T) for job, codes_T in ready if job.ask.decoding.nar == nar]
            conditions = [self._laid_out(job) for job, _ in some]
            spoken = [
                replace(condition, begun_KT=np.concatenate([condition.begun(), job.codes()], axis=1))
                if job.parts
                else condition
                for (job, _), condition in zip(some, conditions, strict=True)
            ]
            found = generate_rest(
                self._network,
                self._tokenizer,
                spoken,
                [codes_T[None].astype(np.uint16) for _, codes_T in some],
                sampling=nar,
                seeds=[job.ask.seed for job, _ in some],
                starts=[job.frames for job, _ in some],
            )
            made += [(job, codes_KT) for (job, _), codes_KT in zip(some, found, strict=True)]
        return made

    def _laid_out(self, job: Job) -> Condition:
        """Returns what a response is made of; one drawn step by step keeps the times by which it was begun."""
        condition, is_drawn = job.ask.condition, job.ask.decoding.mode == "ar"
        if not is_drawn or not (self._tokenizer.names_said or job.chunk_frames):
            return condition
        return replace(condition, times=planned(self._tokenizer, condition), goes_on=True)

    def _unmasked(self, ready: Sequence[_Ready]) -> _Made:
        """Draws the other codebooks of whole responses, each by itself."""
        made: _Made = []
        for decoding in dict.fromkeys(job.ask.decoding for job, _ in ready):
            some = [(job, codes_T[None].astype(np.uint16)) for job, codes_T in ready if job.ask.decoding == decoding]
            found = generate_masked(
                self._network,
                self._tokenizer,
                [self._laid_out(job) for job, _ in some],
                [first_JT.shape[1] for _, first_JT in some],
                unmasking=decoding.unmasking,
                guidance=decoding.guidance or 1.0,
                seeds=[job.ask.seed for job, _ in some],
                levels=range(1, self._network.num_codebooks),
                nar=decoding.nar,
            )
            pairs = zip(some, found, strict=True)
            made += [(job, np.concatenate([first_JT, rest_JT])) for (job, first_JT), rest_JT in pairs]
        return made

    def _take_aside(self) -> _Made:
        self._made_aside = []
        return self._aside.take()

    def _keep(self, made: _Made) -> list[Job]:
        """Gives jobs their codes, but for those that were cancelled meanwhile; returns the others."""
        kept = [(job, codes_KT) for job, codes_KT in made if job in self._drawn or job in self._drawing]
        for job, codes_KT in kept:
            job.parts.append(codes_KT)
            self._finish(job)
        return [job for job, _ in kept]

    def _finish(self, job: Job) -> None:
        """Ends a job of which all is known."""
        first = job.first
        assert first
        if first.end is not None and job.frames == len(first.codes_T):
            job.response = Response(job.codes(), first.end, first.mean_logprob, first.layers, first.passes)
            self._drawn.remove(job)
