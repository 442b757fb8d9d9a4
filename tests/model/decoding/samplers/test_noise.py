"""The noise: splitmix64 to the bit, exponential by its statistics, and no place used twice."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import stats

from model.decoding.samplers.noise import again, exponential, first_place, keys_at, keys_of, mixed, seeds_of

CPU = torch.device("cpu")
MASK = (1 << 64) - 1


def splitmix64(state: int) -> Iterator[int]:
    """The generator as published, on Python's integers."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def unsigned(x: torch.Tensor) -> list[int]:
    return [int(value) & MASK for value in x.flatten()]


def test_the_plain_generator_gives_its_published_numbers() -> None:
    numbers = splitmix64(1234567)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [next(numbers) for _ in published] == published


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**63, 2**64 - 1])
def test_the_noise_is_splitmix64_to_the_bit(seed: int) -> None:
    keys_B = seeds_of([seed, seed ^ 1], CPU)
    found = exponential(keys_B, 40)
    for row, key in zip(found, unsigned(keys_B), strict=True):
        numbers = splitmix64(key)
        wanted = [-math.log(((next(numbers) >> 41) + 0.5) / 2**23) for _ in range(40)]
        torch.testing.assert_close(row, torch.tensor(wanted))
    step = 0x9E3779B97F4A7C15
    mixed_seed = next(splitmix64((seed - step) & MASK))
    assert unsigned(mixed(seeds_of([seed], CPU))) == [mixed_seed]
    assert unsigned(keys_of(seeds_of([seed], CPU), torch.tensor([5]))) == [
        next(splitmix64((mixed_seed + 4 * step) & MASK))
    ]


def test_it_is_exponential_and_independent_between_codes_rows_and_draws() -> None:
    keys_B = keys_of(torch.zeros(600, dtype=torch.int64), torch.arange(600))
    noise = exponential(keys_B, 500)
    assert noise.dtype == torch.float32
    assert (noise > 0).all()
    assert noise.isfinite().all()
    assert stats.kstest(noise.flatten().double().numpy(), "expon").pvalue > 1e-3
    second = exponential(again(keys_B), 500)
    seeds = exponential(keys_of(torch.arange(600), torch.zeros(600, dtype=torch.int64)), 500)
    pairs = [(noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]), (noise, second), (noise, seeds)]
    for one, other in pairs:
        correlation = np.corrcoef(one.flatten().numpy(), other.flatten().numpy())[0, 1]
        assert abs(correlation) < 4.5 / math.sqrt(one.numel())
    counts = np.bincount(noise.argmin(1).numpy(), minlength=500)
    assert stats.chisquare(counts).pvalue > 1e-3, "each code wins as often"


def test_no_place_is_used_twice() -> None:
    passes = [("ar", 0), *(("nar", level) for level in range(1, 32)), *(("nar-len", step) for step in range(200))]
    passes += [("all", number) for number in range(200 * 32)]
    places = [
        first_place(part, number) + frame for part, number in [*passes, ("stt", 0)] for frame in (0, 1, 2**32 - 1)
    ]  # type: ignore[arg-type]
    assert len(set(places)) == len(places)
    assert all(0 <= place < 2**63 for place in places)
    assert first_place("ar") == 0, "the place of codebook 0 is the frame's number"
    keys = keys_of(torch.tensor([3]), torch.tensor(places))
    assert len(set(keys.tolist())) == len(places)


def test_keys_of_a_pass_are_those_of_its_responses() -> None:
    frames = [np.arange(3), np.array([], np.int64), np.array([2, 9])]
    found = keys_at([5, 6, 7], first_place("nar", 2), frames)
    wanted = [(5, 0), (5, 1), (5, 2), (7, 2), (7, 9)]
    for key, (seed, frame) in zip(found, wanted, strict=True):
        assert key == keys_of(torch.tensor([seed]), torch.tensor([first_place("nar", 2) + frame]))[0]
