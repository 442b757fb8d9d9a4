"""However texts are asked for, the same comes out."""

from typing import get_args

import numpy as np
import pytest

from model.evaluation.ways import Way, spoken
from model.inference.requests import Request
from model.inference.synthesizer import Synthesizer
from stages.audio.files import sixteen_bit
from stages.records import Wave
from tests.model.inference.conftest import able, able_run, talk

__all__ = ["able", "able_run"]


@pytest.fixture(scope="module")
def requests(able: Synthesizer) -> list[Request]:
    voice = able.voice(talk(1.0))
    return [Request(text, voice, seed=seed, max_s=0.3) for seed, text in enumerate(("One.", "Two.", "Three."))]


@pytest.mark.parametrize("way", get_args(Way))
def test_what_is_said_does_not_depend_on_the_way(able: Synthesizer, requests: list[Request], way: Way) -> None:
    alone: list[Wave] = [able.batch([request])[0].samples for request in requests]
    if way == "posted":
        pytest.importorskip("fastapi", reason="the server needs its packages: `make setup EXTRAS=dev,serve`")
        alone = [(sixteen_bit(wave) / np.float32(32_768)).astype(np.float32) for wave in alone]
    for wave, expected in zip(spoken(able, requests, way), alone, strict=True):
        np.testing.assert_array_equal(wave, expected)
