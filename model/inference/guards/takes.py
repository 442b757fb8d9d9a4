"""Draws responses until one is sound, and uses the best.

A response is faulty if it repeats itself, is silent for too long (`model.decoding.watch`), or has more or fewer frames
than its text can take by the training set's own pace (`Lengths.possible_frames`). Then words are likely to be said
twice, to be missing, or to be followed by noise.

How responses are generated is the caller's affair: `takes` yields what to generate, side by side, and is sent what came
of it.
"""

import hashlib
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch

from model.decoding.asks import Ask, Response
from model.decoding.watch import Watch
from model.inference.guards.choosing import Judge
from model.inference.guards.guard import Guard, draws
from model.sequences.lengths import Lengths
from stages.records import CodecIdentity

if TYPE_CHECKING:
    from stages.codecs.table import Codec

Fault = Literal["loop", "silence", "long", "short"]
"""It repeats itself; it is silent, or a steady sound, for too long; it has more frames than its text can take, or no
end within them; it has fewer."""

_ROOM = 1.25
"""A response that reaches its longest length is only faulty if that was this many times its expected length."""


@dataclass(frozen=True, slots=True)
class Take:
    """A response with its fault."""

    ask: Ask
    response: Response
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Taken:
    """The response to use, and how it was come by."""

    ask: Ask
    response: Response
    takes: int = 1
    """Responses that were generated."""
    faults: tuple[Fault, ...] = ()
    """What is wrong with it, if none was sound."""
    discarded: tuple[Fault, ...] = ()
    """What was wrong with others."""


Takes = Generator[Sequence[Ask], Sequence[Response], Taken]
"""Yields what to generate, is sent what came of it, and at the end returns what to use."""


def takes(
    ask: Ask,
    guard: Guard,
    *,
    phonemes: str = "",
    lengths: Lengths | None = None,
    watch: Watch | None = None,
    judge: Judge | None = None,
) -> Takes:
    """Draws a response, and others if it is faulty or the best of several is wanted.

    The first is drawn with the ask's own seed: if it is sound and the only one wanted, it is what there would be
    without a guard. Others are drawn only while all are faulty, `guard.retries` times at most, `guard.best_of` side by
    side each time. Where no draw is random they would be the same, so there are none; nor for a length
    that is predicted.

    Args:
        ask: What to say.
        guard: How often, and how many.
        phonemes: Of what is to be said, without what it continues.
        lengths: How long the training utterances are; None if unknown: no length is a fault then.
        watch: What sees repeats and silence; None: nobody does. Of responses that are made frame by frame it is part of
            what is asked for, others are looked at afterwards.
        judge: Chooses among sound responses, and, if it hears words, among faulty ones; None: the first is used, or
            of faulty ones the one whose length is nearest to the usual one.

    Returns:
        What to use.
    """
    bounds = None if lengths is None or ask.least_frames == ask.most_frames else lengths.possible_frames(len(phonemes))
    usual = lengths.expected_frames(len(phonemes)) if lengths else 0.0
    asked = _limited(ask, bounds, watch) if guard.stops and ask.decoding.mode == "ar" and draws(ask.decoding) else ask
    made: list[Take] = []
    for _ in range(1 + guard.retries):
        asks = [replace(asked, seed=seed_of(ask.seed, len(made) + place)) for place in range(guard.best_of)]
        responses = yield asks
        for one, response in zip(asks, responses, strict=True):
            fault = _seen_fault(one, response, watch) or _length_fault(one, response, bounds, usual)
            made.append(Take(one, response, fault))
        if any(take.fault is None for take in made) or not _may_differ(ask, made):
            break
    best = _best(made, phonemes, judge, usual)
    others = tuple(take.fault for take in made if take is not best and take.fault)
    return Taken(best.ask, best.response, len(made), (best.fault,) if best.fault else (), others)


def watch_for(codec: "Codec") -> Watch:
    """Returns what sees repeats and silence in a codec's codes; found out once for each codec."""
    from stages.codecs.silence import silent_codes
    from stages.codecs.table import identity_of

    identity = identity_of(codec)
    if identity not in _WATCHES:
        _WATCHES[identity] = Watch.at(codec.frame_rate, silent_codes(codec))
    return _WATCHES[identity]


_WATCHES: dict[CodecIdentity, Watch] = {}


def seed_of(seed: int, number: int) -> int:
    """Returns the seed of a take: the given one for the first."""
    if not number:
        return seed
    return int.from_bytes(hashlib.sha256(f"take {seed} {number}".encode()).digest()[:7], "big")


def _limited(ask: Ask, bounds: tuple[int, int] | None, watch: Watch | None) -> Ask:
    """Returns an ask that is stopped where a fault shows: only if its response is drawn frame by frame."""
    most = ask.most_frames if bounds is None else min(ask.most_frames, max(ask.least_frames, bounds[1]))
    return replace(ask, watch=watch, most_frames=most)


def _seen_fault(ask: Ask, response: Response, watch: Watch | None) -> Fault | None:
    if response.end in {"loop", "silence"}:
        return "loop" if response.end == "loop" else "silence"
    if watch is None or ask.watch:  # it was looked at while it was made
        return None
    seen = watch.first(torch.from_numpy(response.codes_KT[0].astype("int64")))
    return seen[0] if seen else None


def _length_fault(ask: Ask, response: Response, bounds: tuple[int, int] | None, usual: float) -> Fault | None:
    if bounds is None:
        return None
    frames = response.codes_KT.shape[1]
    if response.end == "length":
        return "long" if ask.most_frames >= _ROOM * usual else None  # else too little was allowed
    fewest, most = bounds
    return "short" if frames < fewest else "long" if frames > most else None


def _may_differ(ask: Ask, made: Sequence[Take]) -> bool:
    """Returns whether other draws may have other faults."""
    if not draws(ask.decoding):
        return False
    return ask.decoding.mode == "ar" or any(take.fault in {"loop", "silence"} for take in made)


def _best(made: Sequence[Take], phonemes: str, judge: Judge | None, usual: float) -> Take:
    sound = [take for take in made if take.fault is None]
    some = sound or made
    if judge and len(some) > 1 and (sound or judge.hears):
        rates = judge.rate([take.response for take in some], phonemes, some[0].ask.condition.language)
        return min(zip(rates, some, strict=True), key=lambda pair: pair[0])[1]
    if sound or not usual:
        return some[0]
    return min(some, key=lambda take: abs(math.log(take.response.codes_KT.shape[1] / usual)))
