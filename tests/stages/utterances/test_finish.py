"""Borders in the middle of sound go on to the pause; others stay where they are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.records import Segment, Transcript
from stages.utterances.finish import finished

RATE = 8_000


def sound(seconds, seed=0):
    """Noise whose level moves as that of speech does, three times a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.1, len(time))
    return (noise * (0.3 + np.abs(np.sin(3 * np.pi * time)))).astype(np.float32)


def silence(seconds, level=1e-4):
    return np.random.default_rng(9).normal(0, level, round(seconds * RATE)).astype(np.float32)


def widened(wave, spans, others=(), *, reach=1.0, longest=20.0):
    """Returns the segments in seconds, as `finished` widens them."""
    pieces = [Segment(round(start * RATE), round(end * RATE), "a", "en") for start, end in spans]
    marks = [Segment(round(start * RATE), round(end * RATE), "", "") for start, end in others]
    told = Transcript("a.wav", "", "a", RATE, len(wave), "en", "srt", timed=True)
    found = finished(
        pieces,
        marks,
        told,
        lambda start, end: wave[start:end],
        reach=round(reach * RATE),
        longest=round(longest * RATE),
    )
    assert [replace(piece, start_samples=0, end_samples=0) for piece in found] == [
        replace(piece, start_samples=0, end_samples=0) for piece in pieces
    ]
    return [(piece.start_samples / RATE, piece.end_samples / RATE) for piece in found]


TALK = np.concatenate([silence(1), sound(3), silence(0.5), sound(3, 1), silence(1)])
"""Sound from 1 to 4 s and from 4.5 to 7.5 s."""


@pytest.mark.parametrize("early", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("late", [0.0, 0.3])
def test_a_border_in_sound_goes_on_to_the_pause(early, late):
    found = widened(TALK, [(1 + late, 4 - early), (4.5 + late, 7.5 - early)])
    assert found == [pytest.approx((1, 4), abs=0.06), pytest.approx((4.5, 7.5), abs=0.06)]


def test_borders_at_pauses_stay_to_the_sample():
    for spans in ([(1.0, 4.0), (4.5, 7.5)], [(0.8, 4.2), (4.3, 7.9)]):
        assert widened(TALK, spans) == spans


def test_sound_up_to_the_neighbour_may_be_the_neighbour_s():
    wave = np.concatenate([silence(1), sound(7), silence(1)])
    assert widened(wave, [(1.0, 4.0), (4.5, 8.0)]) == [(1.0, 4.0), (4.5, 8.0)]


def syllables(count, seed=0):
    """Loud noise, 0.25 s each, with 0.1 s of soft noise between."""
    noise = np.random.default_rng(seed).normal(0, 0.1, round((0.35 * count - 0.1) * RATE))
    loud = np.arange(len(noise)) % round(0.35 * RATE) < round(0.25 * RATE)
    return (noise * np.where(loud, 1, 0.05)).astype(np.float32)


CLOSE = np.concatenate([silence(1), syllables(9), silence(0.1), syllables(9, 1), silence(1)])
"""Sound from 1 to 4.05 s and from 4.15 to 7.2 s."""


@pytest.mark.parametrize(("early", "late"), [(0.1, 0.0), (0.0, 0.1), (0.1, 0.1)])
def test_of_near_neighbours_each_gets_the_sound_on_its_side_of_a_short_silence(early, late):
    spans = [(1.0, round(4.05 - early, 3)), (round(4.15 + late, 3), 7.2)]
    assert widened(CLOSE, spans) == [pytest.approx((1.0, 4.05), abs=0.05), pytest.approx((4.15, 7.2), abs=0.05)]
    assert widened(CLOSE, spans, [(4.1, 4.1)]) == spans, "what no cut may hold lies between them"
    assert widened(CLOSE, spans, reach=0.04) == spans


def test_of_neighbours_that_are_further_apart_a_short_silence_parts_nothing():
    spans = [(1.0, 3.6), (4.4, 7.2)]
    assert widened(CLOSE, spans) == spans


def test_what_lies_beyond_the_reach_or_belongs_to_others_is_left_alone():
    assert widened(TALK, [(1.0, 3.5)], reach=0.3) == [(1.0, 3.5)]
    assert widened(TALK, [(1.0, 3.5)], others=[(3.7, 3.7)]) == [(1.0, 3.5)]
    assert widened(TALK, [(1.0, 3.5)], longest=2.6) == [(1.0, 3.5)]
    assert widened(TALK, [(1.5, 4.0)], others=[(0.5, 1.2)]) == [(1.5, 4.0)]


def test_where_the_background_is_as_loud_as_speech_nothing_can_be_told():
    noisy = TALK + silence(len(TALK) / RATE, 0.05)
    assert widened(noisy, [(1.3, 3.7)]) == [(1.3, 3.7)]


def test_digital_silence_says_nothing_of_the_background():
    hall = np.concatenate([np.zeros(RATE // 10, np.float32), silence(0.9, 0.003), sound(3), silence(1, 0.003)])
    assert widened(hall, [(1.0, 4.0)]) == [(1.0, 4.0)]
    even = np.concatenate([np.zeros(RATE, np.float32), silence(3, 0.1), np.zeros(RATE, np.float32)])
    assert widened(even, [(1.3, 3.7)]) == [pytest.approx((1, 4), abs=0.06)]


def test_a_background_20_db_below_is_no_hindrance():
    noisy = TALK + silence(len(TALK) / RATE, 0.004)
    assert widened(noisy, [(1.3, 3.7)]) == [pytest.approx((1, 4), abs=0.06)]


@given(st.lists(st.floats(0, 8.4), min_size=2, max_size=8).map(sorted))
@settings(max_examples=30, deadline=None)
def test_segments_only_grow_and_never_overlap(times):
    spans = [(start, end) for start, end in zip(times[::2], times[1::2], strict=False) if end - start > 0.01]
    found = widened(TALK, spans)
    for (start, end), (first, last) in zip(spans, found, strict=True):
        assert first <= start + 1e-3
        assert last >= end - 1e-3
    assert all(left[1] <= right[0] + 1e-9 for left, right in pairwise(found))
