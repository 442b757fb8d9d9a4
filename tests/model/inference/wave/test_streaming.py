"""Streams: what is heard early is what decoding the whole gives."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.decoding.options import FIRST_MODES, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import GREEDY
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from model.inference.wave.streaming import BLEND_S, GrowingWave
from stages.errors import TextError
from stages.records import Wave
from tests.model.inference.conftest import RATE, talk

TEXT = "Hello there. How are you today? I am well, and so is she."


class Smooth:
    """A codec whose samples depend on `reach` frames to each side: a moving average."""

    name, sample_rate = "smooth", 1000

    def __init__(self, reach: int) -> None:
        self.reach = reach

    def decode(self, codes_KT: Tensor) -> Tensor:
        width = 2 * self.reach + 1
        padded = torch.nn.functional.pad(codes_KT[0].float()[None, None], (self.reach, self.reach))
        return torch.nn.functional.avg_pool1d(padded, width, 1)[0, 0].repeat_interleave(10)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    table: dict[str, Any] = {}
    monkeypatch.setattr("stages.codecs.table.CODECS", table)
    return table


@pytest.mark.parametrize("reach", [0, 1, 7])
def test_no_sample_is_sent_before_it_is_final(reach: int, listed: dict[str, Any]) -> None:
    listed["smooth"] = SimpleNamespace(lookahead=reach)
    codes_KT, codec = np.random.default_rng(0).integers(0, 9, (2, 60)), Smooth(reach)
    growing, lengths = GrowingWave(codec), []  # type: ignore[arg-type]
    for frames in (1, 5, 20, 60):
        growing.add(codes_KT[:, :frames], final=frames == 60)
        lengths.append(len(growing.wave))
    np.testing.assert_array_equal(growing.wave, codec.decode(torch.from_numpy(codes_KT)).numpy())
    assert lengths == [max(0, frames - reach) * 10 for frames in (1, 5, 20)] + [600]


def test_decodings_that_differ_pass_into_each_other(listed: dict[str, Any]) -> None:
    listed["smooth"] = SimpleNamespace(lookahead=None)
    codec, levels = Smooth(0), iter((0.0, 1.0, 3.0))
    growing = GrowingWave(codec)  # type: ignore[arg-type]
    for frames, level in zip((10, 20, 30), levels, strict=True):
        growing.add(np.full((1, frames), int(level)), final=frames == 30)
    blend = round(BLEND_S * codec.sample_rate)
    assert len(growing.wave) == 300
    assert growing.wave[: 100 - blend].max() == 0
    np.testing.assert_array_equal(growing.wave[100:180], 1)
    assert growing.wave[-50:].min() == 3
    assert np.abs(np.diff(growing.wave)).max() <= 2 / blend + 1e-6, "no jump"


@pytest.mark.parametrize("mode", FIRST_MODES)
def test_a_stream_is_the_whole(mode: FirstMode, able: Synthesizer) -> None:
    decoding = Decoding(mode, GREEDY, Unmasking(3, sampling=GREEDY), guidance=1.0)
    request = Request("Hello there.", able.voice(talk(1.0)), seed=1, decoding=decoding)
    chunks = [*able.stream(request)]
    speech = able.batch([request])[0]
    found = np.concatenate(chunks)
    assert len(chunks) > 1 or mode == "all", "whose codebooks are all made at once"
    assert found.dtype == np.float32
    assert len(found) == len(speech.samples)


def test_what_is_streamed_is_what_all_its_codes_decode_to(able: Synthesizer) -> None:
    request = Request("Hello there.", able.voice(talk(1.0)), seed=1)
    ensemble = able.ensemble()
    performance = ensemble.join(request, streams=True)
    waves: list[Wave] = []
    while not performance.is_over:
        ensemble.advance()
        waves.append(performance.taken())
    assert performance.speech
    whole = able.codec.decode(torch.from_numpy(performance.speech.codes)).numpy()
    found = np.concatenate(waves)
    assert np.abs(found - whole).max() < 1e-3 * np.abs(whole).max()
    plain = able.batch([request])[0]
    np.testing.assert_array_equal(performance.speech.codes[0], plain.codes[0])


def test_sentences_are_streamed_with_their_pauses(able: Synthesizer) -> None:
    request = Request(f"[pause 0.3s] {TEXT} [pause 0.5s]", able.voice(talk(1.0)), seed=2)
    ensemble = able.ensemble()
    performance = ensemble.join(request, streams=True)
    waves: list[Wave] = []
    while not performance.is_over:
        ensemble.advance()
        waves.append(performance.taken())
    assert performance.speech
    found, whole = np.concatenate(waves), performance.speech.samples
    assert len(performance.speech.parts) > 1
    assert abs(len(found) - len(whole)) < 0.05 * RATE
    assert not found[: round(0.29 * RATE)].any()
    assert not found[-round(0.45 * RATE) :].any()


def test_a_stream_that_is_not_taken_costs_nothing(able: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Synthesizer, "ensemble", None)
    able.stream(Request("Hello.", Path("missing.wav")))


def test_what_cannot_be_spoken_is_told_with_the_first_chunk(able: Synthesizer) -> None:
    with pytest.raises(TextError):
        next(able.stream(Request(" ", able.voice(talk(1.0)))))
