"""Decoding by graphs, which are pretended (`tests.graphs`): what comes out is what comes out without."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.crew import First
from model.decoding.engine import graphs
from model.decoding.engine.graphs import CAPTURES, SWITCH, Graphs
from model.decoding.levels import generate_rest
from model.decoding.masked import generate_masked
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.whole import generate_whole
from model.network import feedforward
from model.network.decoder import Decoder
from tests.graphs import NotForGraphsError, Recording
from tests.model.decoding.test_autoregressive import (
    CONDITIONS,
    GUIDANCE,
    RNG,
    SAMPLINGS,
    SHAPES,
    TOKENIZER,
    decisive,
    vocabulary,
)
from tests.model.network.test_decoder import CPU

FRAMES = 24
WARM = Sampling(0.9, top_k=20)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """Graphs on the CPU, as they are recorded."""
    made: list[Recording] = []

    def capture(work: Callable[[], None], device: torch.device) -> Recording:
        made.append(Recording.of(work, device))
        return made[-1]

    monkeypatch.setitem(CAPTURES, "cpu", capture)
    monkeypatch.setattr(graphs, "_FAILED", set())
    monkeypatch.setitem(feedforward.AT_ONCE, "cpu", 32)
    return made


def draw(net: Decoder, decodings: list[Decoding]) -> list[list[int]]:
    """Draws responses of which some begin later than others, and all end on their own."""
    asks = [
        Ask(condition, FRAMES - place, decoding, 1, seed=place)
        for place, (condition, decoding) in enumerate(zip(CONDITIONS * 2, decodings * 6, strict=False))
    ]
    lane, found = Lane(net, vocabulary(net), like=asks[0]), []
    for some in (asks[:3], asks[3:]):
        found += lane.enter(some)
        for _ in range(8):
            lane.advance()
    lane.leave([one for one in found[4:5] if one.end is None])
    while len(lane):
        lane.advance()
    return [told(one) for one in found]


def told(one: First) -> list[Any]:
    mean = None if one.mean_logprob is None else round(one.mean_logprob, 4)
    return [one.end, one.passes, mean, *one.codes_T.tolist()]


@GUIDANCE
@SHAPES
@pytest.mark.parametrize(
    "sampling", [*([each] for each in SAMPLINGS), [GREEDY, WARM]], ids=("filters", "mirostat", "two settings")
)
def test_steps_by_graphs_draw_what_steps_draw(
    shape: dict[str, Any], guidance: float, sampling: list[Sampling], recordings: list[Recording]
) -> None:
    net = decisive(**shape)
    decodings = [Decoding(ar=each, guidance=guidance, refine_on_stop=True) for each in sampling]
    by_graphs = draw(net, decodings)
    assert sum(one.replays for one in recordings) > 0
    CAPTURES.pop("cpu")
    assert by_graphs == draw(net, decodings)


@GUIDANCE
def test_more_rows_than_experts_map_at_once_are_not_recorded(
    guidance: float, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the host must wait, which would fail while it is recorded, and end graphs for whatever comes after."""
    net, decodings = decisive(experts=4), [Decoding(ar=WARM, guidance=guidance)]
    monkeypatch.setitem(feedforward.AT_ONCE, "cpu", 4)
    by_graphs = draw(net, decodings)
    assert not graphs._FAILED
    assert sum(one.replays for one in recordings) > 0, "steps of four rows and fewer"
    CAPTURES.pop("cpu")
    assert by_graphs == draw(net, decodings)


def test_a_context_and_a_window_go_by_graphs(recordings: list[Recording]) -> None:
    for net, context in ((decisive(), 6), (decisive(window=8), None)):
        decodings = [Decoding(ar=WARM, max_ar_context=context)]
        by_graphs = draw(net, decodings)
        assert sum(one.replays for one in recordings) > 2
        capture = CAPTURES.pop("cpu")
        assert by_graphs == draw(net, decodings)
        CAPTURES["cpu"] = capture
        recordings.clear()


def test_a_graph_serves_for_all_steps_of_as_many_responses(recordings: list[Recording]) -> None:
    ask = Ask(CONDITIONS[0], 20, Decoding(ar=GREEDY), 20)
    lane = Lane(decisive(), TOKENIZER, like=ask)
    for _ in range(2):
        lane.enter([ask])
        while len(lane):
            lane.advance()
    assert [one.replays for one in recordings] == [18 + 20], "a lane in which all have ended keeps its buffers"


@SHAPES
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_passes_by_graphs_make_what_passes_make(
    shape: dict[str, Any], guidance: float, recordings: list[Recording]
) -> None:
    if "group" in shape:
        shape = {key: value for key, value in shape.items() if key != "group"}
    net, frames = decisive(**shape), [12, 7, 9]
    first = [RNG.integers(0, 64, (1, count)).astype(np.uint16) for count in frames]
    seeds = [4, 5, 6]
    begun = [replace(one, begun_KT=RNG.integers(0, 64, (8, 3)).astype(np.uint16)) for one in CONDITIONS]
    unmasking = Unmasking(steps=12, sampling=WARM)
    asked = net, vocabulary(net), begun
    ways = [
        partial(generate_rest, *asked, first, sampling=WARM, seeds=seeds),
        partial(generate_masked, *asked, frames, unmasking=unmasking, guidance=guidance, seeds=seeds),
        partial(generate_whole, *asked, frames, unmasking=unmasking, nar=WARM, guidance=guidance, seeds=seeds),
    ]
    capture = CAPTURES["cpu"]
    for way in ways:
        recordings.clear()
        CAPTURES["cpu"] = capture
        by_graphs = way()
        assert (sum(one.replays for one in recordings) > 2) == ("experts" not in shape)
        CAPTURES.pop("cpu")
        assert all(map(np.array_equal, by_graphs, way()))


def test_what_cannot_be_recorded_is_done_as_it_is(
    recordings: list[Recording], caplog: pytest.LogCaptureFixture
) -> None:
    count, total = torch.tensor([0]), 0

    def work() -> None:
        nonlocal total
        count.add_(1)
        total = int(count)  # reads a value

    own = Graphs(CPU)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            own.run("work", work)
        assert total == 4
        assert not recordings
        other = Graphs(CPU)
        for _ in range(4):
            other.run("work", work)
    assert total == 8
    assert not other.are_there, "what failed once isn't tried for each response"
    assert len(caplog.messages) == 1
    assert "goes on without CUDA graphs" in caplog.messages[0]


def test_recordings_refuse_what_comes_from_the_host_and_what_waits() -> None:
    x = torch.arange(4)
    for work in (lambda: torch.tensor([1.0]), x.nonzero, lambda: x[x > 2], lambda: x.sum().item()):
        with pytest.raises(NotForGraphsError):
            Recording.of(work, CPU)  # type: ignore[arg-type]
    once = Recording.of(lambda: x.add_(torch.ones_like(x)), CPU)  # type: ignore[arg-type]
    assert x.tolist() == [0, 1, 2, 3], "it is recorded, not done"
    once()
    once()
    assert x.tolist() == [2, 3, 4, 5]


def test_few_graphs_are_kept(recordings: list[Recording], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_KEPT", 2)
    own, count = Graphs(CPU), torch.zeros(1)
    for key in (1, 2, 1, 2, 1, 2, 3, 3, 3, 1, 1):
        own.run(key, lambda: count.add_(1))  # type: ignore[arg-type, return-value]
    assert [one.replays for one in recordings] == [2, 2, 2, 1]
    assert count.item() == 11


@pytest.mark.parametrize(("value", "there"), [("0", False), ("1", True)])
def test_a_variable_turns_graphs_off(
    value: str, there: bool, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, value)
    own = Graphs(CPU)
    assert own.are_there == there
    for _ in range(3):
        own.run("work", lambda: None)
    assert len(recordings) == there
