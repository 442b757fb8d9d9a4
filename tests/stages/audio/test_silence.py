"""Real recordings begin and end at pauses; copies of them that lack some of their speech don't."""

from pathlib import Path

import numpy as np
import pytest

from stages.audio import files as audio
from stages.audio.silence import edge_levels, sound_edges
from stages.records import Wave

RATE = 16_000
BOUND_DB = -20.0


@pytest.fixture(scope="module")
def clips(english: list[Path]) -> list[Wave]:
    return [audio.read_at(path, RATE) for path in english[:: max(1, len(english) // 40)]]


def loud(wave: Wave) -> tuple[bool, bool]:
    begins, ends = edge_levels(wave, RATE)
    return (begins is not None and begins > BOUND_DB, ends is not None and ends > BOUND_DB)


@pytest.mark.parametrize("lost_s", [0.2, 0.3, 0.4])
def test_real_speech_that_is_cut_off_is_told_at_that_end(clips: list[Wave], lost_s: float) -> None:
    lost = round(lost_s * RATE)
    spans = [(wave, sound_edges(wave, RATE, silence_db=25.0)) for wave in clips]
    cut = [(wave[span[0] + lost :], wave[: span[1] - lost]) for wave, span in spans if span]
    found = np.array([(loud(late)[0], loud(early)[1]) for late, early in cut])
    kept = np.array([loud(wave) for wave in clips])
    assert len(cut) >= 15
    print(f"found {found.mean(axis=0)}, of uncut ones {kept.mean(axis=0)}")
    assert (found.mean(axis=0) >= 0.6).all()
    assert (kept.mean(axis=0) <= 0.15).all()


def test_the_other_end_isn_t_blamed() -> None:
    wave = np.zeros(RATE, np.float32)
    wave[:8000] = 0.3 * np.random.default_rng(0).standard_normal(8000)
    begins, ends = edge_levels(wave, RATE)
    assert begins is not None
    assert begins == pytest.approx(0, abs=2)
    assert ends is None
    assert edge_levels(wave[::-1], RATE) == (None, pytest.approx(begins))


@pytest.mark.parametrize("samples", [1, 159, 160, 800, 4_799])
def test_too_short_a_cut_tells_nothing(samples: int) -> None:
    assert edge_levels(np.full(samples, 0.5, np.float32), RATE) == (None, None)


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_silence_and_steady_sound_tell_nothing(level: float) -> None:
    assert edge_levels(np.full(RATE, level, np.float32), RATE) == (None, None)
