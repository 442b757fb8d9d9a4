from itertools import islice
from typing import Literal, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import DataConfig
from model.data.examples import Examples
from model.data.stream import BatchStream, every_mode, prefetched
from model.network.packing import Batch, Place
from model.sequences.tokenizer import Tokenizer
from tests.model.conftest import first_epoch, make_store

CONFIG = DataConfig(min_s=0.2, validation=0.0, prompt_s=0.5)
EXAMPLES = Examples(make_store(), Tokenizer.default(8), CONFIG, "train")
Sampler = Literal["packed", "buckets"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
EVERY_SAMPLER = pytest.mark.parametrize("sampler", SAMPLERS)


def examples(sampler: Sampler) -> Examples:
    return Examples(make_store(), Tokenizer.default(8), CONFIG.model_copy(update={"sampler": sampler}), "train")


BY_SAMPLER = {sampler: examples(sampler) for sampler in SAMPLERS}


def stream(budget: int = 600, rank: int = 0, world: int = 1, sampler: Sampler = "packed") -> BatchStream:
    return BatchStream(BY_SAMPLER[sampler], budget, seed=7, rank=rank, world=world)


def same(one: Batch, two: Batch) -> bool:
    pairs = [*zip(one.rows, two.rows, strict=True), *zip(one.targets, two.targets, strict=True)]
    pairs += [(one.tokens_L, two.tokens_L), (one.codes_LK, two.codes_LK), (one.positions_L, two.positions_L)]
    return all(torch.equal(a, b) for a, b in pairs) and (one.lengths, one.causal) == (two.lengths, two.causal)


@given(st.integers(64, 2000), st.sampled_from(SAMPLERS))
@settings(max_examples=30)
def test_an_epoch_holds_each_utterance_once_within_the_budget(budget: int, sampler: Sampler) -> None:
    batches = first_epoch(stream(budget, sampler=sampler))
    frames = sorted(len(targets) for batch in batches for targets in batch.targets)
    assert sum(len(batch.lengths) for batch in batches) == len(EXAMPLES)
    assert frames
    for batch in batches:
        assert batch.is_padded == (sampler == "buckets")
        computed = max(batch.lengths) * len(batch.lengths) if batch.is_padded else sum(batch.lengths)
        assert computed == batch.tokens_L.numel()
        assert computed <= budget or len(batch.lengths) == 1
    assert batches[-1].place == Place(1, 0)


@EVERY_SAMPLER
def test_epochs_differ_and_seeds_repeat(sampler: Sampler) -> None:
    one, two = (list(islice(stream(sampler=sampler).batches(), 20)) for _ in range(2))
    assert all(map(same, one, two))
    assert not same(one[0], next(stream(sampler=sampler).batches(Place(1, 0))))


@given(st.integers(0, 15), st.sampled_from([1, 2, 3]), st.sampled_from(SAMPLERS))
@settings(max_examples=30)
def test_a_stream_goes_on_from_any_place(at: int, world: int, sampler: Sampler) -> None:
    whole = list(islice(stream(sampler=sampler).batches(), at + 9))
    place = whole[at - 1].place if at else Place()
    ranks = [stream(rank=rank, world=world, sampler=sampler).batches(place) for rank in range(world)]
    resumed = [next(ranks[number % world]) for number in range(6)]
    assert all(map(same, whole[at : at + 6], resumed)), "ranks take turns, so together they see what one alone sees"
    for round_ in range(6 // world):
        places = {batch.place for batch in resumed[round_ * world : (round_ + 1) * world]}
        assert places == {whole[at + (round_ + 1) * world - 1].place}, "all ranks go on from the same place"


@given(st.integers(64, 900), st.sampled_from([2, 3]), st.sampled_from(SAMPLERS))
@settings(max_examples=30)
def test_ranks_share_nothing_and_miss_nothing(budget: int, world: int, sampler: Sampler) -> None:
    store = make_store()
    store.all_codes = [np.full_like(codes, row) for row, codes in enumerate(store.all_codes)]
    told = Examples(
        store, Tokenizer.default(8), CONFIG.model_copy(update={"modes": {"ar": 1.0}, "sampler": sampler}), "train"
    )
    ranks = [BatchStream(told, budget, seed=7, rank=rank, world=world).batches() for rank in range(world)]
    seen: list[int] = []
    while len(seen) < 3 * len(told):
        for batches in ranks:
            codes = next(batches).targets[0]  # each utterance's number, and its stop
            seen += [number for number, stop in zip(codes[:-1].tolist(), codes[1:].tolist(), strict=True) if stop == 64]
    for epoch in range(3):
        assert sorted(seen[epoch * len(told) : (epoch + 1) * len(told)]) == told.rows.tolist()


def test_validation_asks_for_every_mode_of_every_utterance() -> None:
    one, two = (list(every_mode(EXAMPLES, 600, seed=3)) for _ in range(2))
    assert all(map(same, one, two))
    counts = [sum(len(batch.targets[level]) for batch in one) for level in range(8)]
    assert counts[0] == counts[1] + len(EXAMPLES), "the stop codes"
    assert set(counts[1:]) == {counts[1]}
    assert sum(len(batch.lengths) for batch in one) == 8 * len(EXAMPLES)


def test_the_first_validation_batches_are_of_many_speakers() -> None:
    store = make_store(24, speakers=9)
    store.speakers = sorted(store.speakers)
    store.all_codes = [np.full_like(codes, row) for row, codes in enumerate(store.all_codes)]
    told = Examples(store, Tokenizer.default(8), CONFIG.model_copy(update={"modes": {"nar": 1.0}}), "train")
    few = islice(every_mode(told, 800, seed=3), 10)
    rows = {int(targets[0]) for batch in few for targets in batch.targets if len(targets)}
    assert len(rows) < 12, "not all"
    speakers = [len({store.speakers[row] for row in some}) for some in (rows, range(len(rows)))]
    assert speakers[0] > speakers[1] + 1


def test_rows_point_at_what_is_predicted() -> None:
    for batch in islice(stream().batches(), 5):
        starts = torch.tensor([0, *batch.lengths]).cumsum(0)
        for level, rows in enumerate(batch.rows):
            owners = torch.bucketize(rows, starts, right=True) - 1
            assert ((owners < batch.causal) == (level == 0)).all()
            if level:
                known = batch.codes_LK[rows]
                assert (known[:, :level] >= 0).all()
                assert (known[:, level:] < 0).all()


def test_prefetching_changes_nothing_and_passes_errors_on() -> None:
    assert all(map(same, islice(stream().batches(), 9), prefetched(islice(stream().batches(), 9))))

    def broken():
        yield from islice(stream().batches(), 1)
        raise OSError("gone")

    batches = prefetched(broken())
    next(batches)
    with pytest.raises(OSError, match="gone"):
        next(batches)
