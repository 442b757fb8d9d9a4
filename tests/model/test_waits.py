"""On a pretended GPU: nothing meets on two devices, and the host waits for the device as seldom as stated here."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from model.decoding.asks import Ask
from model.decoding.codes import generate
from model.decoding.continuous import Engine
from model.decoding.hearing import hear
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY, Sampling
from model.network.attention import sdpa
from model.network.decoder import Decoder
from model.sequences.documents import MODES
from model.training.trainer import Trainer
from tests.devices import CUDA, PretendedCuda
from tests.model.conftest import Configure, MemoryStore, first_epoch
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
    "state space": ({"arch": "mamba"}, Decoding(ar=EVERY)),
    "experts": ({"experts": 4}, Decoding(ar=EVERY)),
    "ring": ({"window": 5}, Decoding(ar=EVERY, guidance=2.0)),
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
    assert set(more) == {wait for wait in more if "Tensor.tolist at model/decoding/crew.py" in wait}


def test_a_pass_over_many_positions_waits_once_a_layer_to_see_which_expert_has_how_many() -> None:
    net = decisive(experts=4)
    how: dict[str, Any] = {"max_frames": 20, "min_frames": 20, "decoding": Decoding("all", unmasking=Unmasking(3))}
    found = waits(net, lambda: generate(net, TOKENIZER, CONDITIONS, **how))
    places = Counter(wait.rpartition(":")[0] for wait in found.elements())
    assert places == {
        "Tensor.to at model/decoding/whole.py": 1,
        "Tensor.tolist at model/network/feedforward.py": (1 + 3) * net.config.layers,
    }


def test_a_response_that_enters_beside_others_doesnt_make_each_step_wait() -> None:
    """What enters and leaves is told to the device and read from it: about twenty waits each, whatever its length."""
    net = decisive()

    def act() -> None:
        engine = Engine(net, TOKENIZER, rows=3)
        for number, condition in enumerate(CONDITIONS):
            engine.submit(Ask(condition, 17 + number, Decoding(ar=EVERY), 17 + number, number))
            engine.advance()
        while len(engine):
            engine.advance()

    assert waits(net, act).total() <= len(CONDITIONS) * 21 + 19 // 16


@pytest.mark.parametrize("shape", [{}, {"arch": "retnet"}, {"arch": "mamba"}], ids=str)
@pytest.mark.parametrize("nar", [GREEDY, Sampling(0.7, top_k=20)], ids=str)
@pytest.mark.parametrize("steps", [2, 5])
def test_nar_len_and_the_other_codebooks_wait_once_each(shape: dict[str, Any], nar: Sampling, steps: int) -> None:
    """At their end, whatever the number of steps and codebooks; the length is read digit by digit."""
    net = decisive(**shape)
    unmasking = Unmasking(steps, sampling=Sampling(0.9, top_k=20))
    asked = [replace(CONDITIONS[0], begun_KT=CONDITIONS[1].prompt_KP[:, :4]), *CONDITIONS[1:]]
    how: dict[str, Any] = {
        "max_frames": 20,
        "decoding": Decoding("nar-len", guidance=2.5, unmasking=unmasking, nar=nar),
    }
    known = waits(net, lambda: generate(net, TOKENIZER, asked, **how, min_frames=20))
    at_the_end = [f"Tensor.to at model/decoding/{name}.py" for name in ("levels", "masked")]
    assert sorted(wait.rpartition(":")[0] for wait in known if "steps.py" not in wait) == at_the_end
    predicted = waits(net, lambda: generate(net, TOKENIZER, asked, **how)) - known
    assert {wait.rpartition(":")[0] for wait in predicted} == {"Tensor.tolist at model/decoding/masked.py"}
    assert predicted.total() == len("24")


def test_codebooks_that_are_unmasked_beside_each_other_wait_once() -> None:
    net, warm = decisive(), Sampling(0.9, top_k=20)
    net.levels = "masks"
    decoding = Decoding("nar-len", guidance=2.5, unmasking=Unmasking(3, sampling=warm), nar=warm)
    known = waits(net, lambda: generate(net, TOKENIZER, CONDITIONS, max_frames=9, min_frames=9, decoding=decoding))
    assert [wait.rpartition(":")[0] for wait in known.elements()] == ["Tensor.to at model/decoding/masked.py"]


@pytest.mark.parametrize("shape", [{}, {"arch": "retnet"}, {"arch": "mamba"}], ids=str)
@pytest.mark.parametrize("steps", [2, 9])
def test_a_canvas_of_all_codebooks_waits_once(shape: dict[str, Any], steps: int) -> None:
    """At its end, whatever the number of steps."""
    net, warm = decisive(**shape), Sampling(0.9, top_k=20)
    asked = [replace(CONDITIONS[0], begun_KT=CONDITIONS[1].prompt_KP[:, :4]), *CONDITIONS[1:]]
    decoding = Decoding("all", guidance=2.5, unmasking=Unmasking(steps, sampling=warm), nar=warm)
    known = waits(net, lambda: generate(net, TOKENIZER, asked, max_frames=20, min_frames=20, decoding=decoding))
    assert [wait.rpartition(":")[0] for wait in known.elements()] == ["Tensor.to at model/decoding/whole.py"]


def test_beam_search_waits_for_nothing_but_the_check_every_16th() -> None:
    net = decisive()

    def taken(frames: int) -> Counter[str]:
        how: dict[str, Any] = {"max_frames": frames, "min_frames": frames, "decoding": Decoding(beam_width=2)}
        return waits(net, lambda: generate(net, TOKENIZER, CONDITIONS, **how))

    assert (taken(18) - taken(2)).total() == 1


def test_speech_to_text_waits_for_nothing_but_the_check_every_16th() -> None:
    net = decisive()
    with torch.no_grad():
        net.heads[-1].weight[TOKENIZER.end] = 0  # it never ends by itself
    speech = [condition.prompt_KP for condition in CONDITIONS[:2]]

    def taken(tokens: int) -> Counter[str]:
        return waits(net, lambda: hear(net, TOKENIZER, speech, max_tokens=tokens))

    assert (taken(18) - taken(2)).total() == 1


TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averages, Muon": {"trainer__ema_decay": 0.9, "optimizer__matrices": "muon"},
    "retention": {"model__arch": "retnet", "model__kv_heads": None},
    "state space": {"model__arch": "mamba", "model__kv_heads": None},
}


def _at_once(work: Callable[..., Tensor], *given: object, causal: bool, **_: object) -> Tensor:
    return work(*given, causal=causal)


@pytest.mark.parametrize("which", TRAININGS)
def test_a_training_step_waits_once_to_see_whether_its_gradient_is_finite(
    which: str, store: MemoryStore, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Functions called while gradients are computed see the CPU, so nothing is computed again there.
    monkeypatch.setattr("model.network.attention.checkpoint", _at_once)
    modes = dict.fromkeys(MODES, 1.0)
    trainer = Trainer(configure(data__modes=modes, **TRAININGS[which]), store, quiet=True)
    for wait in _waits_of_updates(trainer, PretendedCuda()):
        assert wait.startswith("Tensor.to at model/training/parallel/state.py")


def test_packed_flash_attention_stays_there_too(
    store: MemoryStore, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU that has it; here a stand-in computes it."""
    called: list[int] = []

    def varlen(q: Tensor, k: Tensor, v: Tensor, starts: Tensor, *_: object, window_size: tuple[int, int]) -> Tensor:
        assert starts.device == CUDA
        with _disable_current_modes():
            sizes = starts.diff().tolist()
        called.append(len(sizes))
        split = zip(*(torch.split(x, sizes) for x in (q, k, v)), strict=True)
        causal = window_size == (-1, 0)
        return torch.cat([sdpa(q_i[None], k_i[None], v_i[None], causal=causal)[0] for q_i, k_i, v_i in split])

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen)
    trainer = Trainer(configure(trainer__precision="bf16-mixed"), store, quiet=True)
    _waits_of_updates(trainer, PretendedCuda(capability=(8, 0)))
    assert called


def _waits_of_updates(trainer: Trainer, pretended: PretendedCuda) -> list[str]:
    """Makes two updates, of which the second makes no new tensors; returns what the host waited for: once each."""
    batches = first_epoch(trainer.stream)[:2]
    with pretended as cuda, patch.object(type(trainer.fabric), "device", CUDA):
        cuda.put(trainer.raw_network)
        if trainer.average:
            cuda.put(*trainer.average.weights.values())
        for batch in batches:
            scores, _ = trainer.train_step([batch])
            assert scores.loss_H.device == CUDA
    assert cuda.waits.total() == 2
    return list(cuda.waits)
