"""Takes: responses of a generator that only pretends, and of an untaught model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.decoding.asks import Ask, End, Response
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY
from model.decoding.watch import Watch
from model.inference.guards.choosing import Likelihood, Rate
from model.inference.guards.guard import OFF, Guard
from model.inference.guards.takes import Fault, Taken, seed_of, takes, watch_for
from model.inference.notes import notes
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.sequences.documents import Condition
from model.sequences.lengths import Lengths
from tests.model.inference.conftest import talk

LENGTHS = Lengths(100, 1000, 200, 4.0, 6.0, 9.0)
PHONEMES = "həlˈoʊ ðˈɛɹ."
"""12 symbols: 72 frames usually, 1 to 210 at the extremes."""
WATCH = Watch.at(75.0, (0,))


def ask(**values: Any) -> Ask:
    condition = Condition(PHONEMES, "en", np.zeros((2, 10), np.uint16))
    return replace(Ask(condition, 1000, Decoding(guidance=1.0), seed=7), **values)


def response(frames: int = 72, end: End = "stop", logprob: float = -3.0, seed: int = 0) -> Response:
    codes_KT = np.random.default_rng([frames, seed]).integers(1, 1000, (2, frames)).astype(np.uint16)
    return Response(codes_KT, end, logprob)


def loop(frames: int = 150, end: End = "loop") -> Response:
    """A response that says 30 frames again and again."""
    codes_KT = np.tile(response(30).codes_KT, frames // 30)
    return Response(codes_KT, end, -0.1)


def run(
    made: Sequence[Response], guard: Guard, *, asked: Ask | None = None, **given: Any
) -> tuple[Taken, list[list[Ask]]]:
    """Sends the responses in their order; returns what is used, and what was asked for each time."""
    waiting, rounds = [*made], []
    settings = {"phonemes": PHONEMES, "lengths": LENGTHS, "watch": WATCH, **given}
    generator = takes(asked or ask(), guard, **settings)
    sent = None
    try:
        while True:
            asks = next(generator) if sent is None else generator.send(sent)
            rounds.append([*asks])
            sent = [waiting.pop(0) for _ in asks]
    except StopIteration as end:
        assert not waiting, "all of them must have been asked for"
        assert isinstance(end.value, Taken)
        return end.value, rounds


def test_a_sound_response_is_used_as_it_is() -> None:
    sound = response()
    for guard in (Guard(), Guard(retries=20), OFF):
        taken, rounds = run([sound], guard)
        assert taken.response is sound
        assert (taken.takes, taken.faults, taken.discarded) == (1, (), ())
        assert [[one.seed for one in asks] for asks in rounds] == [[7]]
    _, [[guarded]] = run([sound], Guard())
    assert guarded.watch is WATCH
    assert guarded.most_frames == 210, "no more than the text can take"
    _, [[plain]] = run([sound], OFF)
    assert (plain.watch, plain.most_frames) == (None, 1000), "with retries 0 nothing is stopped"


FAULTY: dict[Fault, Response] = {
    "loop": loop(),
    "silence": Response(np.zeros((2, 150), np.uint16), "silence", -0.1),
    "long": response(210, "length"),
    "short": response(1, "stop"),
}
LONG = "ðə kwˈɪk bɹˈaʊn fˈɑːks dʒˈʌmps ˌoʊvɚ ðə lˈeɪzi dˈɑːɡ."
"""So long that a single frame is too little."""


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_response_is_drawn_again_with_another_seed(fault: Fault) -> None:
    phonemes = LONG if fault == "short" else PHONEMES
    bad, good = FAULTY[fault], response(len(phonemes) * 6, seed=1)
    taken, rounds = run([bad, good], Guard(), phonemes=phonemes)
    assert taken.response is good
    assert (taken.takes, taken.faults, taken.discarded) == (2, (), (fault,))
    seeds = [one.seed for asks in rounds for one in asks]
    assert seeds == [7, seed_of(7, 1)]
    assert taken.ask.seed == seeds[1]
    assert len(set(seeds)) == 2
    taken, rounds = run([bad], OFF, phonemes=phonemes)
    assert taken.response is bad
    assert taken.faults == (fault,), "with retries 0 it is still told"


def test_what_nobody_watched_while_it_was_made_is_looked_at_afterwards() -> None:
    silent = Response(np.zeros((2, 400), np.uint16), "stop", -0.1)
    masked = ask(decoding=Decoding("nar-len", guidance=1.0))
    for bad, fault in ((loop(end="stop"), "loop"), (silent, "silence")):
        taken, _ = run([bad], OFF)
        assert (taken.faults, taken.response) == ((fault,), bad)
        taken, _ = run([bad, response(72)], Guard(), asked=masked)
        assert taken.discarded == (fault,)


def test_if_all_are_faulty_the_one_of_the_likeliest_length_is_used() -> None:
    made = [response(210, "length"), response(90, "loop"), response(20, "silence")]
    taken, rounds = run(made, Guard(retries=2))
    assert len(rounds) == 3
    assert taken.response is made[1]
    assert (taken.faults, taken.discarded) == (("loop",), ("long", "silence"))


def test_a_limit_of_the_user_is_no_fault() -> None:
    asked = ask(most_frames=80)
    taken, [[given]] = run([response(80, "length")], Guard(), asked=asked)
    assert taken.faults == ()
    assert given.most_frames == 80
    fixed = ask(most_frames=900, least_frames=900)
    taken, [[given]] = run([response(900, "stop")], Guard(), asked=fixed)
    assert taken.faults == (), "a length that is given is the one wanted"
    assert given.most_frames == 900


def test_lengths_that_are_unknown_are_no_fault() -> None:
    taken, [[given]] = run([response(900)], Guard(), lengths=None)
    assert taken.faults == ()
    assert given.most_frames == 1000


def test_where_nothing_is_drawn_nothing_is_drawn_again() -> None:
    for decoding in (Decoding(ar=GREEDY, guidance=1.0), Decoding(beam_width=2, guidance=1.0)):
        taken, [[given]] = run([loop(300, "stop")], Guard(), asked=ask(decoding=decoding))
        assert taken.faults == ("loop",), "it is told"
        assert (given.watch, given.most_frames) == (None, 1000), "but not stopped, as nothing could take its place"
    masked = ask(decoding=Decoding("nar-len", guidance=1.0))
    taken, [[given]] = run([response(300)], Guard(), asked=masked)
    assert taken.faults == ("long",), "the length of nar-len isn't drawn"
    assert given.most_frames == 1000, "nor is its prediction changed"
    _, rounds = run([loop(end="stop"), response(72)], Guard(), asked=masked)
    assert len(rounds) == 2


class Known:
    """A judge that knows how good responses are."""

    def __init__(self, rates: dict[int, float], *, hears: bool = True) -> None:
        self.rates, self.hears = rates, hears

    def rate(self, responses: Sequence[Response], phonemes: str, language: str) -> list[Rate]:
        assert (phonemes, language) == (PHONEMES, "en")
        return [(self.rates[one.codes_KT.shape[1]], 0.0) for one in responses]


def test_the_best_of_several_is_chosen_among_the_sound() -> None:
    made = [response(70), loop(), response(71), response(72)]
    guard = Guard(best_of=4, best_by="stt")
    taken, rounds = run(made, guard, judge=Known({70: 0.5, 150: 0.0, 71: 0.1, 72: 0.2}))
    assert taken.response is made[2]
    assert (taken.takes, taken.faults, taken.discarded) == (4, (), ("loop",))
    assert [one.seed for one in rounds[0]] == [7, *(seed_of(7, number) for number in (1, 2, 3))]


def test_several_are_drawn_again_only_if_all_are_faulty() -> None:
    made = [loop(), loop(180), loop(210), response(70)]
    taken, rounds = run(made, Guard(best_of=2), judge=Likelihood())
    assert [len(asks) for asks in rounds] == [2, 2]
    assert taken.response is made[3]
    seeds = [one.seed for asks in rounds for one in asks]
    assert len(set(seeds)) == 4


def test_who_hears_words_also_judges_the_faulty_and_who_does_not_is_not_asked() -> None:
    made = [loop(150), loop(60 * 3)]
    guard = Guard(retries=0, best_of=2)
    taken, _ = run(made, guard, judge=Known({150: 0.9, 180: 0.3}))
    assert taken.response.codes_KT.shape[1] == 180
    taken, _ = run(made, guard, judge=Known({}, hears=False))
    assert taken.response.codes_KT.shape[1] == 150, "nearer to 72 frames"


def test_takes_have_seeds_of_their_own() -> None:
    assert seed_of(5, 0) == 5
    assert len({seed_of(seed, number) for seed in range(20) for number in range(20)}) == 400
    assert all(0 <= seed_of(seed, 1) < 1 << 63 for seed in range(20))


# with a model


@pytest.fixture(scope="module")
def paced(able: Synthesizer) -> Synthesizer:
    """The same model, as if its training set had been spoken at such a pace that most of its responses are faulty."""
    lengths = Lengths(10, 150, 40, 1.0, 1.5, 1.6)
    meta = replace(able.checkpoint.meta, lengths=lengths)
    return Synthesizer(replace(able.checkpoint, meta=meta), able.codec)


TEXT = "Hello there. I see you."


@pytest.fixture(scope="module")
def free(able: Synthesizer) -> Synthesizer:
    """The same model, as if nothing were known of its training set's pace: no length is a fault."""
    return Synthesizer(replace(able.checkpoint, meta=replace(able.checkpoint.meta, lengths=None)), able.codec)


def test_the_default_changes_nothing_for_sound_speech(free: Synthesizer) -> None:
    for decoding in (Decoding(), *(Decoding(mode, unmasking=Unmasking(3)) for mode in ("nar-len", "all"))):
        guarded, off = (
            free.speak("Hello.", prompt=talk(2.0), seed=3, decoding=decoding, guard=guard) for guard in (Guard(), OFF)
        )
        assert guarded.faults == ()
        assert np.array_equal(guarded.samples, off.samples)
        assert guarded.takes == off.takes == 1


def test_faulty_parts_are_drawn_again_and_it_is_told(paced: Synthesizer) -> None:
    asked = {"prompt": talk(2.0), "seed": 3}
    off = paced.speak(TEXT, **asked, guard=OFF)
    assert off.faults, "untaught models speak without an end"
    assert off.takes == len(off.parts)
    guarded = paced.speak(TEXT, **asked, guard=Guard(retries=3))
    assert guarded.takes > len(guarded.parts)
    assert len(guarded.faults) + len(guarded.discarded) >= guarded.takes - len(guarded.parts)
    assert sum(said.takes for said in guarded.parts) == guarded.takes
    longest = [paced.checkpoint.lengths.possible_frames(len(said.phonemes))[1] for said in guarded.parts]
    assert all(said.frames <= most for said, most in zip(guarded.parts, longest, strict=True))
    again = paced.batch([Request("Another text.", talk(2.0)), Request(TEXT, **asked, guard=Guard(retries=3))])[1]
    assert np.array_equal(again.samples, guarded.samples), "one seed, one speech, in any company"
    told = notes(guarded, limited=False)
    assert any("takes had a fault" in line for line in told)
    assert any("try another --seed" in line for line in told) == bool(guarded.faults)


def test_the_best_of_several_is_spoken(free: Synthesizer) -> None:
    asked = {"prompt": talk(2.0), "max_s": 0.4}
    best = free.speak("Hello.", **asked, guard=Guard(best_of=4))
    assert best.takes == 4
    alone = [free.speak("Hello.", **asked, seed=seed_of(0, number), guard=OFF) for number in range(4)]
    assert any(np.array_equal(best.codes, one.codes) for one in alone)
    assert len({one.codes.tobytes() for one in alone}) == 4


def test_a_watch_is_made_once_for_a_codec(able: Synthesizer) -> None:
    watch = watch_for(able.codec)
    assert watch_for(Synthesizer(able.checkpoint, able.codec).codec) is watch
    assert watch.silence_frames == 375
