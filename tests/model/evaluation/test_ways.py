"""However texts are asked for, the same comes out."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from model.config import DataConfig
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import Sampling
from model.evaluation.ways import Way, decodings_of, spoken
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from stages.audio.files import sixteen_bit
from stages.records import Wave
from tests.model.inference.conftest import able, able_run, talk

__all__ = ["able", "able_run"]


DECODINGS = (Decoding(ar=Sampling(top_k=5)), Decoding("nar-len", unmasking=Unmasking(3, sampling=Sampling(top_k=7))))
DECODINGS += (replace(DECODINGS[1], mode="all", nar=Sampling(0.5)),)


@pytest.fixture(scope="module", params=DECODINGS, ids=lambda decoding: decoding.mode)
def requests(able: Synthesizer, request: pytest.FixtureRequest) -> list[Request]:
    voice, texts = able.voice(talk(1.0)), ("One.", "Two.", "Three.")
    return [Request(text, voice, seed=seed, max_s=0.3, decoding=request.param) for seed, text in enumerate(texts)]


@pytest.mark.parametrize("way", get_args(Way))
def test_what_is_said_does_not_depend_on_the_way(able: Synthesizer, requests: list[Request], way: Way) -> None:
    alone: list[Wave] = [able.batch([request])[0].samples for request in requests]
    if way == "posted":
        pytest.importorskip("fastapi", reason="the server needs its packages: `make setup EXTRAS=dev,serve`")
        alone = [(sixteen_bit(wave) / np.float32(32_768)).astype(np.float32) for wave in alone]
    for wave, expected in zip(spoken(able, requests, way), alone, strict=True):
        np.testing.assert_array_equal(wave, expected)


def test_a_model_speaks_by_the_modes_that_it_learnt() -> None:
    for modes, names in (
        ({"ar": 1.0, "nar": 1.0, "len": 0.0}, ["AR+NAR"]),
        ({"nar-len": 1.0, "nar": 1.0, "all": 0.5, "len": 0.1}, ["NAR-len", "all"]),
        ({"stt": 1.0}, ["AR+NAR", "NAR-len", "all"]),
    ):
        assert [*decodings_of(DataConfig.model_validate({"modes": modes}), 8)] == names
