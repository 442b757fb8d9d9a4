"""Who speaks very quietly is heard as well as who doesn't."""

from pathlib import Path

import numpy as np
import pytest

from stages.audio.files import read_at
from stages.listeners.silero import SAMPLE_RATE, voiced


@pytest.mark.parametrize("level_db", [-40, -60])
def test_very_quiet_speech_is_found(english: list[Path], level_db: float) -> None:
    pytest.importorskip("faster_whisper")
    for path in english[:3]:
        wave = read_at(path, SAMPLE_RATE)[: 8 * SAMPLE_RATE]
        loud = voiced(wave, pause_ms=300)
        quiet = voiced((wave * 10 ** (level_db / 20)).astype(np.float32), pause_ms=300)
        assert loud
        np.testing.assert_allclose(quiet, loud, atol=0.1 * SAMPLE_RATE)


@pytest.mark.parametrize("samples", [0, 100, 32_000])
def test_silence_and_faint_noise_are_no_voice(samples: int) -> None:
    pytest.importorskip("faster_whisper")
    noise = np.random.default_rng(0).normal(0, 1e-4, samples).astype(np.float32)
    for wave in (np.zeros(samples, np.float32), noise):
        assert voiced(wave, pause_ms=300) == []
