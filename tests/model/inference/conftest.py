"""An untaught model that can speak in every mode, and sounds like speech."""

from pathlib import Path

import numpy as np
import pytest

from model.inference.synthesizer import Synthesizer
from model.training.trainer import train
from stages.codecs.table import codec_identity
from stages.records import Wave
from tests.model.conftest import make_config, make_store

RATE = 24_000


@pytest.fixture(scope="session")
def able_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with prompts of 1 s, trained in every mode and on voice conversion."""
    folder = tmp_path_factory.mktemp("able") / "run"
    data = {
        **{
            "data__modes": dict.fromkeys(("ar", "nar", "nar-len", "all", "len"), 1.0),
            "data__tasks": {"tts": 1.0, "vc": 1.0},
        },
        **{"data__max_s": 2.0, "data__prompt_s": 1.0, "data__min_s": 0.4, "data__text_dropout": 0.5},
    }
    store = make_store(codec=codec_identity("embedded"))
    store.mix("shifted")
    train(make_config(trainer__out=str(folder), trainer__max_steps=2, **data), store, quiet=True)
    return folder


@pytest.fixture(scope="session")
def able(able_run: Path) -> Synthesizer:
    return Synthesizer.load(able_run)


def talk(seconds: float, pitch: float = 120.0, seed: int = 0) -> Wave:
    """A buzz that comes and goes as syllables do, with a pause now and then, and a little noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * pitch * (1 + 0.1 * np.sin(time_s)) * k * time_s) / k for k in range(1, 9))
    envelope = np.sin(np.pi * 3 * time_s) ** 2 * (time_s % 1.5 < 1.3)
    return (0.1 * buzz * envelope + 1e-4 * rng.standard_normal(len(time_s))).astype(np.float32)
