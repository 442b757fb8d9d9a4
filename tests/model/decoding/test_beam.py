"""Beam search: wide enough it finds what exhaustive search finds, and its score is the mean log-probability."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from model.architecture import ModelConfig
from model.decoding import beam
from model.decoding.beam import search
from model.decoding.codes import generate
from model.decoding.options import Decoding
from model.decoding.samplers.chain import PLAIN, Sampling
from model.network.attention import Packed
from model.network.decoder import Decoder
from model.sequences.documents import Condition, document
from tests.model.network.test_decoder import CPU, TOKENIZER

SIZE, MOST = 3, 4
RNG = np.random.default_rng(0)
CONDITIONS = [
    Condition(text, "en", RNG.integers(0, SIZE, (8, frames)).astype(np.uint16))
    for text, frames in (("həlˈoʊ", 9), ("h", 5), ("wɜːld əlˈoʊ", 0))
]


def tiny(seed: int = 0, scale: float = 8, **shape: Any) -> Decoder:
    """A network of three codes and the stop code, whose distributions differ from place to place."""
    made = Decoder(
        ModelConfig(**{"width": 16, "layers": 1, "heads": 2, "feedforward": 16, **shape}), len(TOKENIZER), 8, SIZE
    )
    made.initialise(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(scale if weight.dim() > 1 else 1)
    return made.eval()


Drawn = tuple[int, ...]


def logp(net: Decoder, condition: Condition, sequences: list[Drawn], guidance: float) -> list[torch.Tensor]:
    """Returns the logits of each place and of what follows, of each sequence, from one pass without a cache."""

    def logits(one: Condition) -> list[torch.Tensor]:
        items = []
        for codes in sequences:
            response = np.zeros((8, len(codes)), np.uint16)
            response[0] = codes
            items.append(document(TOKENIZER, one, response, 0, SIZE, group=net.config.group))
        parts = ([getattr(item, name) for item in items] for name in ("tokens_L", "codes_LK", "positions_L"))
        attend = Packed([len(item) for item in items], len(items), CPU)
        hidden_LD = net.hidden(*(torch.from_numpy(np.concatenate(part)) for part in parts), attend)
        each = hidden_LD.split([len(item) for item in items])
        return [net.logits(own[item.rows_M], 0) for own, item in zip(each, items, strict=True)]

    with torch.inference_mode():
        found = logits(condition)
        if guidance > 1:
            alone = logits(condition.dropped())
            found = [less + guidance * (more - less) for more, less in zip(found, alone, strict=True)]
    return [each.double() for each in found]


Score = Callable[[list[Drawn]], list[float]]


def scorer(net: Decoder, condition: Condition, guidance: float = 1.0, least: int = 1) -> Score:
    def score(sequences: list[Drawn]) -> list[float]:
        found = []
        for codes, logits in zip(sequences, logp(net, condition, sequences, guidance), strict=True):
            logits[:least, SIZE] = -torch.inf
            drawn = [*codes, SIZE] if len(codes) < MOST else list(codes)
            rows = logits.log_softmax(-1)[: len(drawn)]
            found.append(float(rows.gather(1, torch.tensor(drawn)[:, None]).mean()))
        return found

    return score


def exhaustive(score: Score, least: int = 1) -> tuple[Drawn, float]:
    every = [codes for length in range(least, MOST + 1) for codes in product(range(SIZE), repeat=length)]
    mean, best = max(zip(score(every), every, strict=True), key=lambda pair: pair[0])
    return best, mean


@pytest.mark.parametrize(
    ("shape", "guidance", "least"),
    [
        ({}, 1.0, 1),
        ({}, 1.0, 3),
        ({}, 2.0, 1),
        ({"arch": "retnet"}, 1.5, 1),
        ({"arch": "mamba"}, 1.5, 1),
        ({"group": 2}, 1.0, 1),
    ],
    ids=str,
)
def test_wide_enough_it_is_exhaustive(shape: dict[str, Any], guidance: float, least: int) -> None:
    lengths = set()
    for seed in (0, 2, 3):
        net = tiny(seed, **shape)
        decoding = Decoding(beam_width=SIZE**MOST, guidance=guidance)
        found = search(net, TOKENIZER, CONDITIONS, max_frames=MOST, min_frames=least, decoding=decoding)
        for condition, codes in zip(CONDITIONS, found, strict=True):
            best, _ = exhaustive(scorer(net, condition, guidance, least), least)
            assert codes[0].tolist() == list(best)
            lengths.add(len(best))
    assert len(lengths) > 1, "some end by themselves"


def test_a_wider_search_finds_no_worse_and_a_narrow_one_is_a_batch_too() -> None:
    for seed in range(4):
        net, means = tiny(seed, scale=6), []
        for width in (2, 5, 81):
            decoding = Decoding(beam_width=width)
            together = generate(net, TOKENIZER, CONDITIONS, max_frames=MOST, decoding=decoding)
            for condition, codes in zip(CONDITIONS, together, strict=True):
                (alone,) = generate(net, TOKENIZER, [condition], max_frames=MOST, decoding=decoding)
                np.testing.assert_array_equal(alone, codes)
            pairs = zip(CONDITIONS, together, strict=True)
            means.append([scorer(net, one)([tuple(codes[0].tolist())])[0] for one, codes in pairs])
        assert (np.array(means[2]) >= np.array(means[0]) - 1e-6).all()


def test_it_beats_taking_the_likeliest_each_time() -> None:
    better = 0
    for seed in range(6):
        net = tiny(seed)
        greedy, wide = (
            generate(net, TOKENIZER, CONDITIONS, max_frames=MOST, decoding=decoding)
            for decoding in (Decoding(ar=Sampling(0.0)), Decoding(beam_width=9))
        )
        for condition, one, other in zip(CONDITIONS, greedy, wide, strict=True):
            less, more = scorer(net, condition)([tuple(one[0].tolist()), tuple(other[0].tolist())])
            gained = more - less
            assert gained >= -1e-6
            better += gained > 1e-6
    assert better


def test_penalties_count() -> None:
    net = tiny(1)
    plain, penalised = (
        search(net, TOKENIZER, CONDITIONS, max_frames=12, min_frames=12, decoding=Decoding(ar=ar, beam_width=4))
        for ar in (PLAIN, Sampling(repetition_penalty=20, dry_multiplier=50, dry_allowed_length=1))
    )

    def repeats(codes: np.ndarray) -> int:
        pairs = list(zip(codes[0], codes[0, 1:], strict=False))
        return len(pairs) - len(set(pairs))

    assert sum(map(repeats, penalised)) < sum(map(repeats, plain))


def test_the_search_ends_before_the_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    net, taken = tiny(0), []
    monkeypatch.setattr(beam, "PATIENCE_FRAMES", 5)
    forward = net.heads[0].forward

    def head(hidden: torch.Tensor) -> torch.Tensor:
        taken.append(len(hidden))
        logits = forward(hidden)
        return torch.zeros_like(logits) + torch.tensor([0.0, 0.0, 0.0, 5.0 if len(taken) == 3 else -5.0])

    net.heads[0].forward = head  # type: ignore[method-assign]
    found = search(net, TOKENIZER, CONDITIONS, max_frames=200, decoding=Decoding(beam_width=2))
    assert [codes.shape for codes in found] == [(1, 2)] * 3
    assert len(taken) == 3 + 4
    assert set(taken[1:]) == {6}, "two beams for each response"
