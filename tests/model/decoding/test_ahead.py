"""Heads ahead: the codes of single steps in fewer passes, and nothing of a wrong proposal is left."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from model.decoding.ahead import looks_ahead
from model.decoding.asks import Ask
from model.decoding.autoregressive import Lane
from model.decoding.codes import respond
from model.decoding.continuous import Engine
from model.decoding.crew import Crew, First
from model.decoding.engine.step import Step, laid_out
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.decoding.samplers.mirostat import LIMIT
from model.network.decoder import Decoder
from model.sequences.documents import Condition
from model.training.trainer import Trainer
from stages.errors import UsageError
from tests.model.conftest import make_config, make_store
from tests.model.decoding.test_autoregressive import CONDITIONS, SAMPLINGS, TOKENIZER, decisive

MOST = 24
DRAWN = {
    **{"greedy": GREEDY, "plain": Sampling(), "penalty": Sampling(0.0, repetition_penalty=1.5, dry_multiplier=0.8)},
    **{"filters": SAMPLINGS[0], "mirostat": SAMPLINGS[1], "ras": Sampling(0.7, ras_window=6), "cut": Sampling(top_k=9)},
}


def guessing(**shape: Any) -> Decoder:
    """A network with heads ahead of which some proposals are right."""
    net = decisive(ahead=3, **shape)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in net.ahead.parameters():
            weight.normal_(0, 0.07, generator=generator)
    return net


def ask_of(number: int, *, most: int = MOST, least: int = 1, **values: Any) -> Ask:
    return Ask(CONDITIONS[number % 3], most, Decoding(**values), least, seed=number)


def lane_of(net: Decoder, ask: Ask, step: Step | None = None) -> tuple[Lane, First]:
    lane = Lane(net, TOKENIZER, like=ask, step=step)
    (one,) = lane.enter([ask])
    return lane, one


def spoken(net: Decoder, ask: Ask, step: Step | None = None, *, ahead: bool | None = None) -> First:
    """Draws codebook 0 of a response, with heads ahead unless that is False."""
    lane, one = lane_of(net, replace(ask, decoding=replace(ask.decoding, ahead=ahead)), step)
    while len(lane):
        lane.advance()
    return one


def both_ways(net: Decoder, ask: Ask) -> tuple[First, First]:
    return spoken(net, ask, ahead=False), spoken(net, ask)


def prompted(monkeypatch: pytest.MonkeyPatch, codes_T: Sequence[int], group: int) -> None:
    """Lets proposals be right in three of four groups, whatever the heads say."""

    def propose(crew: Any, logits_BNGV: Tensor) -> Tensor:
        start, (_, heads, _, stop) = crew._frames[0], logits_BNGV.shape
        right = torch.tensor([*codes_T, *[0] * heads * group])[start : start + heads * group].view(1, heads, group)
        wrong = (start // group + torch.arange(heads)) % 4 == 2
        return (right + wrong[:, None]) % (stop - 1)

    monkeypatch.setattr(Crew, "propose", propose)


CASES = [
    *(({}, sampling, guidance) for sampling in DRAWN for guidance in (1.0, 2.0)),
    *(
        (shape, sampling, 2.0)
        for shape in ({"kv_heads": 2, "group": 2}, {"group": 4})
        for sampling in ("filters", "ras")
    ),
]


@pytest.mark.parametrize("helped", [True, False])
@pytest.mark.parametrize(("shape", "drawn", "guidance"), CASES, ids=str)
def test_the_codes_are_those_of_single_steps(
    monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], drawn: str, guidance: float, helped: bool
) -> None:
    net = guessing(**shape)
    group, steps, saved = net.config.group, [None, laid_out(net, "none"), laid_out(net, "int8")], 0
    for number, more in enumerate([{"refine_on_stop": True}, {}, {"max_ar_context": 5}]):
        ask = ask_of(number, least=11 * (number % 2), ar=DRAWN[drawn], guidance=guidance, **more)
        plain = spoken(net, ask, steps[number], ahead=False)
        if helped:
            prompted(monkeypatch, spoken(net, replace(ask, most_frames=MOST + 9), None, ahead=False).codes_T, group)
        ahead = spoken(net, ask, steps[number])
        assert ahead.codes_T.tolist() == plain.codes_T.tolist()
        assert ahead.end == plain.end
        assert ahead.mean_logprob == pytest.approx(plain.mean_logprob, abs=1e-5)
        groups = -(-(len(plain.codes_T) + (plain.end == "stop")) // group)
        assert plain.passes == groups
        assert ahead.passes is not None
        saved += groups - ahead.passes
    assert saved > 0 or not helped


def test_many_seeds_are_many_responses_and_the_same_both_ways() -> None:
    net, responses = guessing(), []
    for seed in range(20):
        ask = replace(ask_of(0, ar=Sampling(1.2, length_penalty=1)), seed=seed)
        responses.append(both_ways(net, ask))
    assert all(plain.codes_T.tolist() == ahead.codes_T.tolist() for plain, ahead in responses)
    assert len({tuple(plain.codes_T) for plain, _ in responses}) > 15
    assert {plain.end for plain, _ in responses} == {"stop", "length"}
    assert sum(plain.passes or 0 for plain, _ in responses) > sum(ahead.passes or 0 for _, ahead in responses)


@pytest.mark.parametrize("begun", [0, 4])
def test_what_a_response_begins_with_is_gone_on_from(begun: int) -> None:
    net = guessing(group=2)
    known_KT = np.random.default_rng(3).integers(0, 64, (8, begun)).astype(np.uint16)
    ask = ask_of(0, ar=Sampling(0.8), least=MOST)
    ask = replace(ask, condition=replace(ask.condition, begun_KT=known_KT))
    plain, ahead = both_ways(net, ask)
    assert plain.codes_T.tolist() == ahead.codes_T.tolist()
    assert len(plain.codes_T) == MOST


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("group", [1, 2])
def test_the_longest_length_is_kept(most: int, group: int) -> None:
    net = guessing(group=group)
    plain, ahead = both_ways(net, ask_of(0, most=most, least=most))
    assert len(ahead.codes_T) == most
    assert ahead.codes_T.tolist() == plain.codes_T.tolist()


def test_no_state_and_no_cache_know_of_wrong_proposals() -> None:
    """After so many codes, samplers and cache are what they are after as many single steps."""
    net = guessing()
    ask = ask_of(1, ar=SAMPLINGS[1], least=MOST, guidance=2.0)
    lane, one = lane_of(net, ask)
    for _ in range(8):
        lane.advance()
    wrong = 8 * 3 + 9 - lane.frames(one)
    assert wrong > 0
    plain, other = lane_of(net, replace(ask, decoding=replace(ask.decoding, ahead=False)))
    while plain.frames(other) < lane.frames(one) - 1:
        plain.advance()
    (drawn,), (wanted,) = lane._crews, plain._crews
    cache, whole = lane._steps.cache, plain._steps.cache
    assert cache.lengths_B.tolist() == whole.lengths_B.tolist(), "the last code isn't read yet"
    assert cache.longest == whole.longest
    for row, length in enumerate(cache.lengths_B.tolist()):
        found, wanted_kv = (one.kv[:, :, row, :, :length] for one in (cache, whole))
        torch.testing.assert_close(found, wanted_kv, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        wanted.draw(plain._steps.logits(wanted.least_B))
        wanted.count()
    assert drawn._draws.lengths_B.tolist() == wanted._draws.lengths_B.tolist()
    assert lane.drawn(one).tolist() == plain.drawn(other).tolist()
    torch.testing.assert_close(drawn._draws.state[LIMIT], wanted._draws.state[LIMIT])


def test_proposing_changes_nothing() -> None:
    net = guessing()
    lane, one = lane_of(net, ask_of(1, ar=SAMPLINGS[1], least=MOST))
    lane.advance()
    (crew,) = lane._crews
    before = crew._draws.codes_BT.clone(), crew._draws.lengths_B.clone(), crew._draws.state[LIMIT].clone()
    with torch.inference_mode():
        crew.propose(lane._steps.logits_ahead(0))
    after = crew._draws.codes_BT, crew._draws.lengths_B, crew._draws.state[LIMIT]
    assert all(map(torch.equal, before, after))
    assert lane.frames(one) == len(lane.drawn(one))


def test_company_comes_and_goes() -> None:
    """Heads ahead are used while a response is alone; it comes out the same whenever others enter and leave."""
    net = guessing()
    asks = [ask_of(number, ar=Sampling(0.9), least=20) for number in range(3)]
    alone = [both_ways(net, ask)[0].codes_T.tolist() for ask in asks]
    read: list[int] = []
    engine, jobs = Engine(net, TOKENIZER), []
    honest = net.hidden

    def watched(tokens: Tensor, *more: Any) -> Tensor:
        read.append(tokens.shape[-1] if tokens.dim() == 2 else 0)
        return honest(tokens, *more)

    net.hidden = watched  # type: ignore[method-assign]
    for number, ask in enumerate(asks):
        jobs.append(engine.submit(ask))
        for _ in range(3 + number):
            engine.advance()
    engine.cancel(jobs.pop())
    while len(engine):
        engine.advance()
    found = [[int(code) for code in job.codes()[0]] for job in jobs]
    assert found == alone[:2]
    assert {1, 4} <= set(read), "steps together, passes alone"
    assert all(job.response and job.response.passes for job in jobs)


def codes_of(p_V: Tensor) -> Callable[[Tensor], Tensor]:
    """Returns a head that predicts the same whatever it is given."""
    return lambda hidden: p_V.log().expand(*hidden.shape[:-1], -1).clone()


@pytest.mark.parametrize("close", [True, False])
def test_draws_are_distributed_as_the_models(close: bool) -> None:
    """Chi-square over pairs of codes. Proposals are right as often as draws by the same numbers must be, at least."""
    net = decisive(ahead=3)
    p_V, q_V = torch.zeros(2, 65)
    p_V[:5] = torch.tensor([0.15, 0.25, 0.15, 0.2, 0.25])
    q_V[:5] = torch.tensor([0.2, 0.2, 0.2, 0.15, 0.25]) if close else torch.tensor([0.6, 0.1, 0.1, 0.1, 0.1])

    def head(hidden: Tensor) -> Tensor:
        return codes_of(q_V if bool((hidden == 7).all()) else p_V)(hidden)

    net.heads[0].forward = head  # type: ignore[method-assign]
    for one in net.ahead:
        one.forward = lambda x: torch.full_like(x, 7.0)
    frames = 600
    lane, one = lane_of(net, ask_of(0, most=frames, least=frames))
    while len(lane):
        lane.advance()
    pairs = one.codes_T.reshape(-1, 2)
    counts = np.zeros((5, 5))
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    p = p_V[:5].double().numpy()
    expected = np.outer(p, p).flatten()
    assert chisquare(counts.flatten(), expected * (len(pairs) / expected.sum())).pvalue > 1e-3
    # Source of the bound: Daliri, Musco and Suresh, theorem 1.
    apart = float((p_V - q_V).abs().sum()) / 2
    agreed = (1 - apart) / (1 + apart)
    least = sum(agreed**n for n in range(4))
    assert one.passes is not None
    assert frames / one.passes > 0.93 * least
    assert frames / one.passes < 3.9, "some were wrong"


@pytest.mark.parametrize(
    ("shape", "values", "told"),
    [
        ({}, {"ahead": True}, r"`ahead` must be left out: the model has no heads ahead\. Train it with `model.ahead`"),
        *(
            (
                {"arch": arch, "ahead": 1},
                {"ahead": True},
                f"`ahead` must be left out: the model's `model.arch` is {arch}",
            )
            for arch in ("retnet", "mamba")
        ),
    ],
    ids=str,
)
def test_a_model_that_cant_is_told(shape: dict[str, Any], values: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Engine(decisive(**shape), TOKENIZER).submit(ask_of(0, **values))


def test_where_heads_ahead_are_used() -> None:
    net = guessing()
    assert looks_ahead(net, Decoding())
    assert looks_ahead(net, Decoding(ahead=True))
    assert not looks_ahead(net, Decoding(ahead=False))
    assert not looks_ahead(decisive(), Decoding())
    assert not looks_ahead(net, Decoding("nar-len"))
    assert not looks_ahead(net, Decoding(beam_width=2))
    assert not any(looks_ahead(decisive(arch=arch, ahead=2), Decoding()) for arch in ("retnet", "mamba"))


@pytest.mark.parametrize("arch", ["llama", "retnet", "mamba"])
def test_responses_tell_their_passes(arch: str) -> None:
    net = decisive(ahead=2, arch=arch)
    response = respond(net, TOKENIZER, ask_of(0, least=12, most=12))
    assert response.passes is not None
    assert response.passes <= 12
    assert (response.passes == 12) == (arch != "llama")
    assert respond(net, TOKENIZER, ask_of(0, mode="nar-len", least=9, most=9)).passes is None


def test_conditions_differ() -> None:
    """The tests above would pass for a network that ignores what it is given."""
    net = guessing()
    asked = [
        replace(ask_of(0, least=MOST), condition=one)
        for one in (*CONDITIONS, Condition("x", "de", CONDITIONS[0].prompt_KP))
    ]
    assert len({tuple(both_ways(net, ask)[1].codes_T) for ask in asked}) == 4


@pytest.mark.parametrize("group", [1, 2])
def test_trained_heads_save_passes(tmp_path: Path, group: int) -> None:
    """Responses that go up and down: once that is learnt, most proposals are right, drawn or greedy."""
    store = make_store(rows=12, speakers=2)
    for row, codes_KT in enumerate(store.all_codes):
        codes_KT[:] = 20 + np.abs((np.arange(codes_KT.shape[1]) + row) % 12 - 6)
    shape = {"model__group": group, "model__ahead": 2, "data__modes": {"ar": 1.0}, "data__validation": 0.0}
    rate = {"optimizer__lr": 1e-2, "trainer__max_steps": 60, "optimizer__warmup_steps": 5}
    trainer = Trainer(make_config(**shape, **rate, trainer__out=str(tmp_path)), store, quiet=True)
    told = []
    for batch in islice(trainer.stream.batches(), 60):
        told.append(trainer.train_step([batch])[0].report("x"))
        trainer.progress.step += 1
    for name in ("x/loss_ahead_1", "x/loss_ahead_2"):
        assert told[-1][name] < 0.5 * told[0][name]
    net = trainer.raw_network.eval()
    condition = Condition(store.phonemes(0), "en", store.codes(0)[:, :20])
    for sampling in (Sampling(), GREEDY):
        asks = [Ask(condition, 40, Decoding(ar=sampling), 40, seed) for seed in range(4)]
        found = [both_ways(net, ask) for ask in asks]
        assert all(plain.codes_T.tolist() == ahead.codes_T.tolist() for plain, ahead in found)
        assert sum(ahead.passes or 0 for _, ahead in found) < 0.95 * 4 * (40 // group)
