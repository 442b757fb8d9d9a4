"""The engine: whoever enters or leaves, a response is what it would be alone, and chunks join to the whole."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.decoding import continuous
from model.decoding.asks import Ask
from model.decoding.codes import generate, respond
from model.decoding.continuous import Engine, Job
from model.decoding.engine.matrices import quantized
from model.decoding.engine.step import Step
from model.decoding.levels import generate_rest
from model.decoding.options import Decoding, FirstMode, Unmasking
from model.decoding.prefill import Reading
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.watch import CHECK_FRAMES, Watch
from model.network.decoder import Decoder
from model.sequences.documents import document
from stages.errors import UsageError
from stages.records import Codes
from tests.model.decoding.test_autoregressive import (
    CONDITIONS,
    PACED,
    TOKENIZER,
    decisive,
    with_stop_in_place,
    without_cache,
)

NETS = {
    name: decisive(**shape)
    for name, shape in {
        **{"llama": {}, "retnet": {"arch": "retnet"}, "mamba": {"arch": "mamba"}},
        **{"group": {"group": 2}, "experts": {"experts": 4}},
    }.items()
}
MASKS = decisive()
MASKS.levels = "masks"
NETS_AND_MASKS = NETS | {"masks": MASKS}
DECODINGS = [
    Decoding(ar=GREEDY),
    Decoding(ar=Sampling(0.9, top_k=20), nar=Sampling(0.8)),
    Decoding(ar=Sampling(mirostat_tau=3.0, mirostat_eta=0.1)),
    Decoding(ar=Sampling(0.9, repetition_penalty=1.3, repetition_penalty_decay=0.5), guidance=2.0),
    Decoding(ar=Sampling(1.2, top_p=0.9), guidance=1.5, refine_on_stop=True),
    Decoding("nar-len", unmasking=Unmasking(3)),
    Decoding("all", unmasking=Unmasking(4), nar=Sampling(0.8)),
    Decoding(beam_width=2),
]


def alone(net: Decoder, ask: Ask, step: Step | None = None) -> Codes:
    (codes_KT,) = generate(
        *(net, TOKENIZER, [ask.condition]),
        **{"max_frames": ask.most_frames, "min_frames": ask.least_frames},
        decoding=ask.decoding,
        seeds=[ask.seed],
        step=step,
    )
    return codes_KT


def asks_of(numbers: list[int]) -> list[Ask]:
    """Asks that differ in all that can differ; equal numbers give equal ones."""
    return [
        Ask(
            CONDITIONS[number % 3],
            9 + 5 * (number % 4),
            DECODINGS[number % len(DECODINGS)],
            1 + 3 * (number % 3),
            seed=number % 5,
        )
        for number in numbers
    ]


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 104), st.integers(0, 4), st.none() | st.integers(0, 9)), min_size=1, max_size=9
)
"""Which ask, how many pieces of work after the one before, and after how many it is cancelled, if it is."""


@pytest.mark.parametrize("name", NETS_AND_MASKS)
@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 4), arrivals=ARRIVALS, aside=st.booleans())
def test_a_response_is_the_same_in_any_company(
    name: str, rows: int, arrivals: list[tuple[int, int, int | None]], aside: bool
) -> None:
    """Also where a second thread draws the other codebooks, whenever it is done."""
    net = NETS_AND_MASKS[name]
    engine = Engine(net, TOKENIZER, rows=rows)
    engine._aside.is_there = aside
    asks = asks_of([number for number, _, _ in arrivals])
    if name == "masks":
        asks = [replace(ask, decoding=replace(ask.decoding, unmasking=Unmasking(2))) for ask in asks]
    times = np.cumsum([wait for _, wait, _ in arrivals]).tolist()
    jobs: list[Job] = []
    for now in range(times[-1] + 200):
        while len(jobs) < len(asks) and times[len(jobs)] <= now:
            jobs.append(engine.submit(asks[len(jobs)]))
        for job, start, (_, _, patience) in zip(jobs, times, arrivals, strict=False):
            if patience is not None and now == start + patience and job.response is None:
                engine.cancel(job)
        engine.advance()
    assert not len(engine)
    for job, (_, _, patience) in zip(jobs, arrivals, strict=True):
        assert job.response is not None or patience is not None
        if job.response is not None:
            np.testing.assert_array_equal(job.response.codes_KT, alone(net, job.ask))


@pytest.mark.parametrize("decoding", DECODINGS[:5], ids=str)
def test_laid_out_steps_are_the_same_in_any_company(decoding: Decoding) -> None:
    net = NETS["llama"]
    step = Step(net)
    engine = Engine(net, TOKENIZER, step=step, rows=3)
    jobs = [engine.submit(replace(ask, decoding=decoding)) for ask in asks_of([0, 1, 2, 5, 7, 11])]
    while len(engine):
        engine.advance()
    for job in jobs:
        np.testing.assert_array_equal(job.codes(), alone(net, job.ask, step))


@settings(max_examples=10, deadline=None)
@given(numbers=st.lists(st.integers(0, 104), min_size=2, max_size=5), waits=st.lists(st.integers(0, 9), min_size=5))
def test_in_8_bits_a_response_is_the_same_in_any_company(numbers: list[int], waits: list[int]) -> None:
    """To the last code: rounding makes much of the smallest difference."""
    net = NETS["llama"]
    held, step = quantized(net, "int8"), Step(net, quantization="int8")
    engine = Engine(held, TOKENIZER, step=step, rows=4)
    jobs: list[Job] = []
    for ask, wait in zip(asks_of(numbers), waits, strict=False):
        jobs.append(engine.submit(replace(ask, most_frames=20, least_frames=20)))
        for _ in range(wait):
            engine.advance()
    while len(engine):
        engine.advance()
    for job in jobs:
        np.testing.assert_array_equal(job.codes(), alone(held, job.ask, step))


class Held:
    """Lets the other codebooks be drawn where and when a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.may_end = threading.Event()
        self.fails = False
        monkeypatch.setattr(continuous, "generate_rest", self)

    def __call__(self, *given: Any, **more: Any) -> list[Codes]:
        self.names.append(threading.current_thread().name.partition("_")[0])
        if self.names[-1] == "aside":
            assert self.may_end.wait(20)
            if self.fails:
                raise RuntimeError("out of memory")
        return generate_rest(*given, **more)


def two_of_which_one_is_over(held: Held, *, aside: bool = True) -> tuple[Engine, list[Job]]:
    engine = Engine(NETS["llama"], TOKENIZER)
    engine._aside.is_there = aside
    jobs = [engine.submit(Ask(CONDITIONS[0], frames, DECODINGS[0], frames)) for frames in (3, 12)]
    while not held.names:
        engine.advance()
    return engine, jobs


@pytest.mark.parametrize("cancels", [False, True])
def test_steps_go_on_while_other_codebooks_are_drawn(monkeypatch: pytest.MonkeyPatch, cancels: bool) -> None:
    held = Held(monkeypatch)
    engine, (short, long) = two_of_which_one_is_over(held)
    assert long.first
    before = engine._lane(long.ask).frames(long.first)
    for _ in range(4):
        assert engine.advance() == []
    assert engine._lane(long.ask).frames(long.first) == before + 4
    assert short.response is None
    if cancels:
        engine.cancel(short)
    held.may_end.set()
    while len(engine):
        engine.advance()
    assert (short.response is None) == cancels
    assert held.names == ["aside", "MainThread"], "what is left at the end has all cores"
    if not cancels:
        np.testing.assert_array_equal(short.codes(), alone(NETS["llama"], short.ask))
    np.testing.assert_array_equal(long.codes(), alone(NETS["llama"], long.ask))


def test_what_fails_in_the_second_thread_is_raised_in_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    held.fails = True
    held.may_end.set()
    engine, _ = two_of_which_one_is_over(held)
    with pytest.raises(RuntimeError, match="out of memory"):
        while len(engine):
            engine.advance()


def test_a_single_thread_draws_all_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    engine, _ = two_of_which_one_is_over(held, aside=False)
    while len(engine):
        engine.advance()
    assert held.names == ["MainThread"] * 2


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("decoding", [one for one in DECODINGS if one.mode != "all"], ids=str)
def test_chunks_are_drawn_after_those_before_them(name: str, decoding: Decoding) -> None:
    net, ask = NETS[name], Ask(CONDITIONS[0], 40, decoding, 30, seed=3)
    engine = Engine(net, TOKENIZER)
    job, seen = engine.submit(ask, chunk_frames=4), list[int]()
    engine.submit(replace(ask, seed=9))
    while len(engine):
        if job in engine.advance():
            seen.append(job.frames)
    whole_KT, found_KT = alone(net, ask), job.codes()
    np.testing.assert_array_equal(found_KT[0], whole_KT[0])
    assert seen[:3] == [4, 12, 28]
    assert seen[-1] == found_KT.shape[1]
    known_KT = found_KT[:, :0]
    for start, end in zip([0, *seen], seen, strict=False):
        condition = replace(ask.condition, begun_KT=known_KT) if start else ask.condition
        with torch.inference_mode():
            (chunk_KT,) = generate_rest(
                *(net, TOKENIZER, [condition], [found_KT[:1, start:end]]),
                **{"sampling": decoding.nar, "seeds": [3], "starts": [start]},
            )
        known_KT = np.concatenate([known_KT, chunk_KT], axis=1)
    np.testing.assert_array_equal(known_KT, found_KT)


@pytest.mark.parametrize("chunk_frames", [4, None])
def test_other_codebooks_are_drawn_by_the_times_of_the_first(
    chunk_frames: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many frames are known: a text isn't squeezed into the chunk that is there."""
    net, said = decisive(text_spacing="aligned"), list[list[int]]()
    condition = replace(CONDITIONS[0], begun_KT=CONDITIONS[0].prompt_KP[:, :3], unsaid="lˈoʊ")
    hidden = Reading.hidden

    def watched(self: Reading) -> torch.Tensor:
        said.append(self.batch.codes_LK[self.batch.rows[1], 8].tolist())
        return hidden(self)

    monkeypatch.setattr(Reading, "hidden", watched)
    job = (engine := Engine(net, PACED)).submit(Ask(condition, 40, Decoding(), 40), chunk_frames=chunk_frames)
    while len(engine):
        engine.advance()
    drawn = document(PACED, condition, condition.begun(), 0, 64).said_T.tolist() + [PACED.end] * 43
    assert [len(one) - 3 for one in said[::7]] == ([4, 12, 28, 40] if chunk_frames else [40])
    assert all(one == drawn[: len(one)] for one in said)
    assert job.codes().shape == (8, 40)


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "all") for name in NETS), *(("masks", mode) for mode in ("ar", "nar-len", "all"))]
)
def test_a_canvas_of_all_codebooks_comes_whole(name: str, mode: FirstMode) -> None:
    net, ask = NETS_AND_MASKS[name], Ask(CONDITIONS[0], 40, Decoding(mode, unmasking=Unmasking(4)), 30, seed=3)
    engine, seen = Engine(net, TOKENIZER), list[int]()
    job = engine.submit(ask, chunk_frames=4)
    engine.submit(replace(ask, decoding=Decoding(), seed=9))
    while len(engine):
        if job in engine.advance():
            seen.append(job.frames)
    assert len(seen) == 1
    np.testing.assert_array_equal(job.codes(), alone(net, ask))


def test_a_chunk_is_known_before_the_response_has_ended() -> None:
    engine = Engine(NETS["llama"], TOKENIZER)
    job = engine.submit(Ask(CONDITIONS[0], 40, DECODINGS[0], 40), chunk_frames=4)
    for _ in range(4):
        assert job.frames == 0
        engine.advance()
    assert job.frames == 4
    assert job.response is None


def test_a_response_may_end_where_a_chunk_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _ = with_stop_in_place(1, 0, after=4)
    engine = Engine(net, TOKENIZER)
    job, packed = engine.submit(Ask(CONDITIONS[0], 40, DECODINGS[0]), chunk_frames=4), list[int]()

    def rest(*given: Any, **_: Any) -> list[Codes]:
        packed.append(given[3][0].shape[1])
        return [np.zeros((8, packed[-1]), np.uint16)]

    monkeypatch.setattr("model.decoding.continuous.generate_rest", rest)
    told = 0
    while len(engine):
        told += job in engine.advance()
    assert job.response
    assert job.response.codes_KT.shape == (8, 4)
    assert packed == [4]
    assert told == 2, "the chunk, and that there is no more"


def test_equal_conditions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    prefill = "model.decoding.steps.prefill"
    from model.decoding.prefill import prefill as real

    monkeypatch.setattr(prefill, lambda *given, **how: read.append(len(given[2])) or real(*given, **how))
    engine = Engine(NETS["llama"], TOKENIZER)
    for seed in range(4):
        engine.submit(Ask(CONDITIONS[seed % 2], 5, DECODINGS[1], seed=seed))
    while len(engine):
        engine.advance()
    assert read == [2]


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_the_mean_log_probability_is_the_models_own(guidance: float) -> None:
    net = decisive()
    decoding = Decoding(ar=Sampling(1.5, length_penalty=2), guidance=guidance)
    engine = Engine(net, TOKENIZER)
    jobs = [
        engine.submit(Ask(one, 60 if seed % 2 else 2, decoding, seed=seed)) for seed in range(6) for one in CONDITIONS
    ]
    while len(engine):
        engine.advance()
    ends = set()
    for job in jobs:
        assert job.response and job.response.mean_logprob is not None
        codes_T = job.codes()[0].astype(np.int64)
        logits = without_cache(net, job.ask.condition, codes_T.tolist()).clone()
        if guidance > 1:
            dropped = without_cache(net, job.ask.condition.dropped(), codes_T.tolist())
            logits = dropped + guidance * (logits - dropped)
        logits[0, 64] = -torch.inf
        drawn = [*codes_T.tolist(), 64] if job.response.end == "stop" else codes_T.tolist()
        wanted = logits[: len(drawn)].log_softmax(-1)[torch.arange(len(drawn)), drawn].mean()
        assert job.response.mean_logprob == pytest.approx(float(wanted), abs=1e-3)
        ends.add(job.response.end)
    assert ends == {"stop", "length"}


def test_settings_that_nobody_uses_any_more_keep_no_cache() -> None:
    engine = Engine(NETS["llama"], TOKENIZER)
    for context in range(1, 5):
        engine.submit(Ask(CONDITIONS[0], 5, Decoding(ar=GREEDY, max_ar_context=context), 5))
    engine.advance()
    assert len(engine._lanes) == 4
    while len(engine):
        engine.advance()
    assert not engine._lanes


def test_what_a_network_cannot_do_is_refused_when_asked_for() -> None:
    engine = Engine(NETS["retnet"], TOKENIZER)
    with pytest.raises(UsageError, match="max_ar_context"):
        engine.submit(Ask(CONDITIONS[0], 9, Decoding(max_ar_context=4)))
    assert not len(engine)


def test_a_cancelled_response_leaves_the_batch() -> None:
    shown: list[int] = []
    net = decisive()
    hidden = net.hidden

    def watched(*given: Any) -> Any:
        shown.append(len(given[0]))
        return hidden(*given)

    net.hidden = watched  # type: ignore[method-assign]
    engine = Engine(net, TOKENIZER)
    jobs = [engine.submit(Ask(one, 30, DECODINGS[0], 30)) for one in CONDITIONS]
    engine.advance()
    engine.cancel(jobs[0])
    engine.advance()
    assert shown == [1, 1, 1, 3, 2]
    assert len(engine) == 2


WATCH = Watch((), longest_period=4, repeated_frames=4, silence_frames=8, near=1, alike=1.0)
"""A watch that sees in a few frames what greedy responses of small models end up in."""


@pytest.mark.parametrize("name", NETS)
def test_a_response_that_repeats_itself_is_stopped_and_the_others_are_not(name: str) -> None:
    net = NETS[name]
    decoding = Decoding(ar=Sampling(0.1 if name == "mamba" else 0.5, top_k=2))  # so that some repeat themselves
    free = [Ask(condition, 120, decoding, 100, seed) for condition in CONDITIONS[:3] for seed in (3, 4)]
    watched = [replace(ask, watch=WATCH) for ask in free]
    plain = [respond(net, TOKENIZER, ask) for ask in free]
    single = [respond(net, TOKENIZER, ask) for ask in [replace(ask, least_frames=1) for ask in watched]]
    engine = Engine(net, TOKENIZER, rows=4)
    jobs = [engine.submit(replace(ask, least_frames=1)) for ask in watched]
    unwatched = engine.submit(free[0])
    chunked = engine.submit(watched[0], chunk_frames=5)
    while len(engine):
        engine.advance()
    assert chunked.response is not None
    assert chunked.response.codes_KT.shape == plain[0].codes_KT.shape, "what was heard can't be taken back"
    assert unwatched.response is not None
    assert np.array_equal(unwatched.response.codes_KT, plain[0].codes_KT)
    for job, one in zip(jobs, single, strict=True):
        assert job.response is not None
        assert job.response.end == one.end
        assert np.array_equal(job.response.codes_KT, one.codes_KT), "whoever else is generated"
    for response, ask in zip(single, watched, strict=True):
        whole = respond(net, TOKENIZER, replace(ask, watch=None, least_frames=1))
        codes_T = torch.from_numpy(whole.codes_KT[0].astype(np.int64))
        places = torch.tensor([*range(CHECK_FRAMES, len(codes_T) + 1, CHECK_FRAMES)], dtype=torch.int64)
        seen = WATCH.look(codes_T.expand(len(places), -1), places)
        flagged = (seen.loops_B | seen.silent_B).nonzero().flatten().tolist()
        if not flagged:
            assert response.end == whole.end
            assert np.array_equal(response.codes_KT, whole.codes_KT)
            continue
        assert response.end == ("loop" if seen.loops_B[flagged[0]] else "silence")
        kept = int(seen.kept_B[flagged[0]])
        assert np.array_equal(response.codes_KT[0], whole.codes_KT[0, :kept])
    assert {response.end for response in single} & {"loop", "silence"}, "none of them was worth a test"
