from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.hearing.asr.activity import Region, Stretch
from stages.hearing.asr.windows import SAMPLE_RATE
from stages.hearing.placing import to_pauses, without, without_words


def stretch(*times: tuple[float, float]) -> Stretch:
    speech = tuple(Region(round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in times)
    return Stretch(speech[0].start, speech[-1].end, speech)


def test_a_pause_gets_the_border_of_words_that_is_nearest():
    words = [(0.0, 0.5), (0.5, 1.15), (1.15, 1.9), (1.9, 2.4)]
    assert to_pauses(words, [(0.1, 1.0), (1.4, 2.5)]) == [(0.1, 0.5), (0.5, 1.0), (1.4, 1.9), (1.9, 2.5)]


def test_a_short_pause_moves_nothing():
    words = [(0.1, 0.5), (0.5, 1.0)]
    assert to_pauses(words, [(0.1, 0.45), (0.6, 1.0)]) == words


@given(
    st.lists(st.floats(0, 20), min_size=2, max_size=30),
    st.lists(st.floats(0, 20), min_size=2, max_size=12, unique=True),
)
def test_words_stay_in_order_and_no_pause_lies_within_its_words(times, edges):
    words = list(pairwise(sorted(times)))
    borders = sorted(edges)[: len(edges) // 2 * 2]
    speech = list(zip(borders[::2], borders[1::2], strict=True))
    found = to_pauses(words, speech)
    flat = [time for span in found for time in span]
    assert len(found) == len(words)
    assert flat == sorted(flat)
    assert speech[0][0] <= flat[0]
    assert flat[-1] <= speech[-1][1]


@pytest.mark.parametrize(
    ("spans", "lost"),
    [
        ([(0.0, 0.4), (0.5, 1.9), (3.0, 3.6)], []),
        ([(0.0, 0.4), (0.5, 1.9)], [(3.0, 4.0)]),
        ([(3.0, 3.3), None, (3.4, 3.8)], [(0.0, 2.0)]),
        ([(0.0, 4.0)], [(3.0, 4.0)]),
        ([], [(0.0, 2.0), (3.0, 4.0)]),
    ],
)
def test_speech_without_words_is_found(spans, lost):
    whole = stretch((0.0, 2.0), (3.0, 4.0))
    found = without_words(whole, spans)
    assert [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in found] == lost
    left = without(whole, found)
    gone = sum(b - a for a, b in found)
    if len(found) < 2:
        assert sum(b - a for a, b in left.speech) == sum(b - a for a, b in whole.speech) - gone
    else:
        assert left == whole
