"""Speaks several texts side by side through one engine, each as if it were alone.

The parts of a text come one after the other, since each continues the one before; those of different texts share the
steps of the network. A text may be streamed: its wave is then handed out while it is made.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from model.decoding.asks import Ask
from model.decoding.continuous import Engine, Job
from model.inference.guards.choosing import Judge, judge_for
from model.inference.guards.guard import OFF
from model.inference.guards.takes import Taken, Takes, takes, watch_for
from model.inference.recital import Recital
from model.inference.requests import Request, check_guard
from model.inference.speech import Speech
from model.inference.speed import check_speed, frames_at, usual_frames
from model.inference.wave.joining import Joiner
from model.inference.wave.streaming import FIRST_S, GrowingWave
from stages.errors import ValleError
from stages.records import Wave
from stages.text.lexicon import lexicon_of

if TYPE_CHECKING:
    from model.inference.synthesizer import Synthesizer


@dataclass(slots=True, eq=False)
class Performance:
    """A text that is being spoken."""

    request: Request
    recital: Recital
    streams: bool
    started: float
    speech: Speech | None = None
    """All of it, once it is spoken."""
    error: ValleError | None = None
    """Why it can't be."""
    chunks: list[Wave] = field(default_factory=list)
    """Of a stream: what was made and not taken yet, `[samples]` float32 each."""
    jobs: list[Job] = field(default_factory=list)
    """What the engine makes for it."""
    takes: Takes | None = None
    growing: GrowingWave | None = None
    """Of a stream: the wave of the part that is being spoken."""
    joiner: Joiner | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is spoken or has failed."""
        return self.speech is not None or self.error is not None

    def taken(self) -> Wave:
        """Returns what was made since the last time, `[samples]` float32."""
        chunks, self.chunks = self.chunks, []
        return np.concatenate([np.zeros(0, np.float32), *chunks])


class Ensemble:
    """Speaks texts side by side.

    Args:
        synthesizer: The model.
        rows: Most responses in progress at the same time.
    """

    def __init__(self, synthesizer: "Synthesizer", *, rows: int) -> None:
        self._synthesizer = synthesizer
        self._engine = Engine(synthesizer.network, synthesizer.checkpoint.tokenizer, step=synthesizer.step, rows=rows)
        self._performances: list[Performance] = []

    def __len__(self) -> int:
        """Number of texts that are being spoken."""
        return len(self._performances)

    def join(self, request: Request, *, streams: bool = False) -> Performance:
        """Begins to speak a text.

        Args:
            request: What to speak, and how.
            streams: Whether its wave is wanted in chunks, as it is made.

        Raises:
            ValleError: as `Synthesizer.speak` does.
        """
        started = time.perf_counter()
        request = replace(request, decoding=self._synthesizer.settled(request.decoding))
        check_speed(request.speed, request.decoding.mode)
        if not streams:
            check_takes(self._synthesizer, request)
        recital = self._synthesizer.recital(request)
        performance = Performance(request, recital, streams, started)
        if streams:
            from stages.codecs.table import output_rate

            rate = output_rate(self._synthesizer.codec)
            performance.joiner = Joiner(rate, lead_s=recital.script.lead_s)
        self._go_on(performance)
        self._performances.append(performance)
        return performance

    def leave(self, performance: Performance) -> None:
        """Stops speaking a text; others take its place in the next step."""
        for job in performance.jobs:
            self._engine.cancel(job)
        if performance in self._performances:
            self._performances.remove(performance)

    def advance(self) -> list[Performance]:
        """Does the next piece of work; returns the texts that are over, or that have a new chunk."""
        news: list[Performance] = []
        fresh = self._engine.advance()
        for performance in [*self._performances]:
            theirs = [job for job in performance.jobs if job in fresh]
            if not theirs:
                continue
            try:
                self._hear(performance, theirs)
            except ValleError as error:
                performance.error = error
                self.leave(performance)
            if performance.is_over or performance.chunks:
                news.append(performance)
            if performance.is_over and performance in self._performances:
                self._performances.remove(performance)
        return news

    def _hear(self, performance: Performance, fresh: Sequence[Job]) -> None:
        """Takes what the engine made."""
        if performance.streams:
            (job,) = fresh
            self._play(performance, job)
        responses = [job.response for job in performance.jobs]
        if any(response is None for response in responses):
            return
        assert performance.takes
        try:
            asks = performance.takes.send([response for response in responses if response])
            performance.jobs = [self._engine.submit(ask) for ask in asks]
        except StopIteration as end:
            performance.recital.add(self._said(performance, end.value))
            self._go_on(performance)

    def _play(self, performance: Performance, job: Job) -> None:
        """Decodes what is known of a part, and hands out what is final."""
        assert performance.growing and performance.joiner
        final = job.response is not None
        performance.growing.add(job.codes(), final=final)
        chunk = performance.joiner.add(performance.growing.wave, final=final)
        if len(chunk):
            performance.chunks.append(chunk)

    def _go_on(self, performance: Performance) -> None:
        """Asks for the next part of a text, or ends it."""
        recital, request = performance.recital, performance.request
        turn = recital.turn()
        if turn is None:
            taken_s = time.perf_counter() - performance.started
            performance.jobs, performance.speech = [], replace(recital.speech(), compute_s=taken_s)
            return
        least, most = 1, turn.most_frames
        if request.speed != 1:
            held = replace(self._synthesizer.checkpoint, network=self._synthesizer.network)
            least = most = frames_at(request.speed, held, turn.condition, turn.phonemes, max_frames=most)
        usual = usual_frames(self._synthesizer.checkpoint, turn.phonemes)
        ask = Ask(turn.condition, most, request.decoding, least, turn.seed, usual_frames=usual)
        performance.takes = self._takes(performance, ask, turn.phonemes)
        chunk_frames = None
        if performance.streams:
            assert performance.joiner
            chunk_frames = max(1, round(FIRST_S * self._synthesizer.codec.frame_rate))
            performance.growing = GrowingWave(self._synthesizer.codec)
            performance.joiner.begin(pause_s=recital.pause_s, last=recital.is_last)
        performance.jobs = [self._engine.submit(one, chunk_frames=chunk_frames) for one in next(performance.takes)]

    def _takes(self, performance: Performance, ask: Ask, phonemes: str) -> Takes:
        """Returns what draws a part until it is sound; a stream is drawn once: what was heard can't be taken back."""
        if performance.streams:
            return takes(ask, OFF)
        request, lengths = performance.request, self._synthesizer.checkpoint.meta.lengths
        watch = watch_for(self._synthesizer.codec)
        judge = _judge(self._synthesizer, request)
        return takes(ask, request.guard, phonemes=phonemes, lengths=lengths, watch=watch, judge=judge)

    def _said(self, performance: Performance, taken: Taken) -> Speech:
        growing = performance.growing
        speech = self._synthesizer.said(taken.ask, taken.response, growing.wave if growing else None)
        return replace(speech, takes=taken.takes, faults=taken.faults, discarded=taken.discarded)


def check_takes(synthesizer: "Synthesizer", request: Request) -> None:
    """Checks that a model can draw, and choose among, as many takes as a request asks for.

    Raises:
        UsageError: if it can't.
        WeightsError: if the whisper model that is to choose isn't there.
    """
    trained = synthesizer.checkpoint
    check_guard(request.guard, request.decoding, trained.config.data, trained.folder)
    _judge(synthesizer, request)


def _judge(synthesizer: "Synthesizer", request: Request) -> Judge | None:
    checkpoint = synthesizer.checkpoint
    lexicon = lexicon_of(checkpoint.meta.lexicon)
    given = synthesizer.network, checkpoint.tokenizer, synthesizer.codec, lexicon
    return judge_for(request.guard, *given, characters=checkpoint.config.data.text == "characters")


def perform(ensemble: Ensemble, requests: Iterable[Request], *, at_once: int) -> Iterator[Speech | ValleError]:
    """Speaks texts; yields the speech of each, or why it can't be spoken, in order.

    Args:
        ensemble: Speaks nothing else.
        requests: What to speak; taken one by one, as there is room.
        at_once: Most texts that are being spoken.
    """
    waiting = iter(requests)
    begun: deque[Performance | ValleError] = deque()
    while True:
        while len(ensemble) < at_once and (request := next(waiting, None)) is not None:
            try:
                begun.append(ensemble.join(request))
            except ValleError as error:
                begun.append(error)
        while begun and (isinstance(begun[0], ValleError) or begun[0].is_over):
            first = begun.popleft()
            found = first if isinstance(first, ValleError) else first.error or first.speech
            assert found is not None
            yield found
        if not len(ensemble):
            return
        ensemble.advance()
