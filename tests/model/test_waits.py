"""On a pretended GPU: nothing meets on two devices, and the host waits for the device as seldom as stated here."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from model.decoding.asks import Ask
from model.decoding.continuous import Engine
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY, Sampling
from model.network.decoder import Decoder
from tests.devices import PretendedCuda
from tests.model.decoding.firsts import generate_first
from tests.model.decoding.test_autoregressive import CONDITIONS, TOKENIZER, decisive

EVERY = Sampling(
    0.9,
    min_temperature=0.5,
    **{"top_k": 20, "top_p": 0.9, "min_p": 0.01, "top_n_sigma": 2.0, "repetition_penalty": 1.1, "length_penalty": 0.1},
    **{"dry_multiplier": 0.5, "ras_window": 10},
)
"""Every sampler but mirostat, which goes with few of the others."""

WINDOWED = Decoding(ar=EVERY, refine_on_stop=True, guidance=2.0, max_ar_context=5)
WAYS: dict[str, tuple[dict[str, Any], Decoding]] = {
    "greedy": ({}, Decoding(ar=GREEDY)),
    "every sampler": ({}, Decoding(ar=EVERY)),
    "mirostat": ({}, Decoding(ar=Sampling(mirostat_tau=3.0), guidance=2.0)),
    "window": ({}, WINDOWED),
    "groups": ({"group": 2}, WINDOWED),
    "retention": ({"arch": "retnet"}, Decoding(ar=EVERY)),
}


def waits(net: Decoder, act: Callable[[], object]) -> Counter[str]:
    with PretendedCuda() as cuda:
        cuda.put(net)
        act()
    return cuda.waits


@pytest.mark.parametrize("way", WAYS)
def test_a_step_of_ar_waits_for_nothing_but_the_check_every_16th(way: str) -> None:
    shape, decoding = WAYS[way]
    net = decisive(**shape)

    def taken(frames: int) -> Counter[str]:
        how: dict[str, Any] = {"max_frames": frames, "min_frames": frames, "decoding": decoding}
        return waits(net, lambda: generate_first(net, TOKENIZER, CONDITIONS, **how))

    group = net.config.group
    more = taken(18 * group) - taken(2 * group)
    assert more.total() == 1
    assert set(more) == {wait for wait in more if "Tensor.tolist at model/decoding/autoregressive.py" in wait}


def test_a_response_that_enters_beside_others_doesnt_make_each_step_wait() -> None:
    net = decisive()

    def act() -> None:
        engine = Engine(net, TOKENIZER, rows=3)
        for number, condition in enumerate(CONDITIONS):
            engine.submit(Ask(condition, 33 + number, Decoding(ar=EVERY), 33 + number, number))
            engine.advance()
        while len(engine):
            engine.advance()

    assert waits(net, act).total() < 36 + 3 * 30
