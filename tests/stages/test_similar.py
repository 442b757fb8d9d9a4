from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import audio
from stages.base import Context
from stages.config import load_config
from stages.errors import ConfigError
from stages.features import FEATURES
from stages.records import Encoded, Utterance
from stages.similar import Similar, SimilarConfig

RATE = 16_000


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoded]:
    voices = tmp_path_factory.mktemp("voices")
    wave = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    audio.write_wav(voices / "ann" / "one.wav", wave, RATE)
    utterance = Utterance("ann/one.wav", "ann/one.wav", "", "ann", "en", 0, RATE, RATE, "One.", "wʌn", frames=75)
    return voices, Encoded(utterance, np.zeros((8, 75), np.uint16))


def stage(item: tuple[Path, Encoded], **config: Any) -> Similar:
    return Similar(SimilarConfig(**config), Context(item[0], item[0] / "dataset"))


@pytest.mark.parametrize("name", [name for name, kind in FEATURES.items() if kind.reads == "wave"])
def test_every_feature_of_the_audio_makes_a_vector(name: str, item: tuple[Path, Encoded]) -> None:
    similar = stage(item, feature=name)
    assert similar.check([]) == []
    similar.setup()
    [[made], [same]] = similar.process([item[1], replace(item[1])])
    assert made.vector_D.dtype == np.float32
    assert np.isfinite(made.vector_D).all()
    np.testing.assert_array_equal(made.vector_D, same.vector_D)
    assert similar.parameters() == [name, similar.revision()]


def test_an_unknown_feature_is_refused_with_the_known_ones() -> None:
    from pipeline.config import PrepConfig

    with pytest.raises(ConfigError, match=r"similar\.feature.*mfcc, codec, model, speaker, but is 'pitch'"):
        load_config(PrepConfig, None, ["similar.feature=pitch"])


def test_what_a_feature_lacks_is_told_before_the_work(item: tuple[Path, Encoded], tmp_path: Path) -> None:
    [problem] = stage(item, feature="model").check([])
    assert "`similar.model`" in problem
    [problem] = stage(item, feature="model", model=str(tmp_path / "gone.safetensors")).check([])
    assert "isn't there" in problem
    (tmp_path / "other.safetensors").write_bytes(b"no")
    [problem] = stage(item, feature="model", model=str(tmp_path / "other.safetensors")).check([])
    assert "valle export" in problem
