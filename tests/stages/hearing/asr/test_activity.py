from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.audio.files import read_at
from stages.hearing.asr.activity import Region, gathered, silero
from stages.hearing.asr.windows import SAMPLE_RATE
from tests.conftest import SPEECH

PIECES = st.lists(
    st.tuples(st.integers(0, 3 * SAMPLE_RATE), st.integers(512, 9 * SAMPLE_RATE)), min_size=1, max_size=12
)


@given(PIECES, st.sampled_from([2.0, 5.0, 20.0]))
def test_all_speech_is_in_one_stretch_and_none_is_too_long(pieces, longest_s):
    regions, at = [], 0
    for pause, length in pieces:
        regions.append(Region(at + pause + 512, at + pause + 512 + length))
        at = regions[-1].end
    wave = np.zeros(at + 4000, np.float32)
    found = gathered(regions, wave, longest_s)
    assert all(one.end - one.start <= longest_s * SAMPLE_RATE for one in found)
    assert all(one.start <= one.speech[0].start and one.speech[-1].end <= one.end for one in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert found[0].start >= 0 and found[-1].end <= len(wave)
    inside = [piece for one in found for piece in one.speech]
    assert sum(end - start for start, end in inside) == sum(end - start for start, end in regions)
    assert inside[0].start == regions[0].start


def test_a_stretch_ends_at_the_longest_late_pause_and_never_spans_a_long_one():
    second = SAMPLE_RATE
    times = [(0, 4), (4.2, 6), (6.9, 8), (8.1, 11), (20, 21)]
    regions = [Region(round(a * second), round(b * second)) for a, b in times]
    found = gathered(regions, np.zeros(22 * second, np.float32), 10.0)
    assert [len(one.speech) for one in found] == [2, 2, 1]
    assert found[1].start - found[0].end == round(0.5 * second)


def test_speech_without_a_pause_is_divided_where_it_is_quietest():
    wave = np.ones(12 * SAMPLE_RATE, np.float32)
    wave[7 * SAMPLE_RATE : 7 * SAMPLE_RATE + 1600] = 0.01
    found = gathered([Region(0, len(wave))], wave, 10.0)
    assert len(found) == 2
    assert abs(found[0].speech[0].end - 7 * SAMPLE_RATE - 800) < 800


def test_a_word_that_fills_its_recording_is_found_and_a_click_is_not():
    digits = [SPEECH / "fsdd" / f"george/2_george_{number}.wav" for number in (15, 16, 17, 24, 28, 34)]
    if not digits[0].is_file():
        pytest.skip(f"no recordings in {SPEECH}")
    for path in digits:
        wave = np.array(read_at(path, SAMPLE_RATE))
        found = silero(wave)
        assert found, path
        assert all(0 <= start < end <= len(wave) for start, end in found)
    click, hum = np.zeros(SAMPLE_RATE // 2, np.float32), np.arange(SAMPLE_RATE // 2, dtype=np.float32) / SAMPLE_RATE
    click[4000:4040] = 0.8
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE // 2).astype(np.float32)
    for sound in (click, noise, np.sin(2 * np.pi * 440 * hum), np.sin(2 * np.pi * 50 * hum), np.zeros_like(hum)):
        assert silero(sound) == []
