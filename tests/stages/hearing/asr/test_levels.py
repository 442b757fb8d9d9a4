import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio.silence import frame_power, level_of
from stages.hearing.asr.levels import even
from stages.hearing.asr.windows import SAMPLE_RATE

SECOND = SAMPLE_RATE


def spoken(*levels_db: float) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Returns a second of noise at each level, each after half a second of hum at -60 dB, and where they are."""
    wave = np.full(len(levels_db) * SECOND * 3 // 2, 10**-3, np.float32)
    regions = []
    for number, level in enumerate(levels_db):
        start = number * SECOND * 3 // 2 + SECOND // 2
        noise = np.random.default_rng(number).normal(0, 10 ** (level / 20), SECOND)
        wave[start : start + SECOND] = noise.astype(np.float32)
        regions.append((start, start + SECOND))
    return wave, regions


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10(level_of(frame_power(wave, SAMPLE_RATE)[0])))


def test_a_quiet_sentence_becomes_as_loud_as_those_beside_it():
    wave, regions = spoken(-18, -30, -20)
    even(wave, regions)
    levels = [level_db(wave[start:end]) for start, end in regions]
    assert max(levels) - min(levels) < 0.5
    pause = wave[regions[0][1] : regions[1][0]]
    assert pause[0] < 10**-3 < pause[-1], "the gain of a pause goes from one to the other"
    assert np.all(np.diff(pause) > 0)


def test_speech_far_behind_the_others_stays_behind_them():
    wave, regions = spoken(-20, -60)
    even(wave, regions)
    assert level_db(wave[slice(*regions[1])]) == pytest.approx(-45, abs=0.5)


@settings(max_examples=20)
@given(st.lists(st.floats(-70, -1), min_size=1, max_size=5))
def test_nothing_is_clipped(levels):
    wave, regions = spoken(*levels)
    before = wave.copy()
    even(wave, regions)
    assert np.abs(wave).max() <= max(1.0, np.abs(before).max())
    assert np.all(np.sign(wave) == np.sign(before))


def test_one_level_stays_as_it_is():
    wave, regions = spoken(-20)
    before = wave.copy()
    even(wave, regions)
    np.testing.assert_allclose(wave, before, rtol=1e-5)
    even(wave, [])
    np.testing.assert_allclose(wave, before, rtol=1e-5)
