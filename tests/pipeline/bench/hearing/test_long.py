"""Which borders of cuts lie within words."""

from pipeline.bench.hearing.clips import SAMPLE_RATE
from pipeline.bench.hearing.long import _within


def test_a_border_is_within_a_word_if_it_is_over_50_ms_from_both_ends() -> None:
    words = [(16_000, 24_000), (24_000, 24_800)]
    for border_s, within in ((0.9, False), (1.04, False), (1.06, True), (1.44, True), (1.46, False), (1.525, False)):
        assert _within(round(border_s * SAMPLE_RATE), words) == within, border_s
