"""Where words lie in real clips with known texts, and which borders lie within them."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.bench.hearing.clips import SAMPLE_RATE, words_in
from pipeline.bench.hearing.long import _within
from pipeline.bench.hearing.speech import clips_in


def test_a_border_is_within_a_word_if_it_is_over_50_ms_from_both_ends() -> None:
    words = [(16_000, 24_000), (24_000, 24_800)]
    for border_s, within in ((0.9, False), (1.04, False), (1.06, True), (1.44, True), (1.46, False), (1.525, False)):
        assert _within(round(border_s * SAMPLE_RATE), words) == within, border_s


def test_words_of_real_clips_lie_in_order_and_other_texts_misfit(speech: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="no pocketsphinx: `make setup EXTRAS=dev,align`")
    clips = [clip for clip in clips_in(speech) if clip.group == "ljspeech"][:3]
    for clip, other in zip(clips, [*clips[1:], clips[0]], strict=True):
        words = words_in(clip.wave, clip.text)
        assert words
        assert len(words) == len(clip.text.split())
        assert all(start < end for start, end in words)
        assert all(end <= start for (_, end), (start, _) in pairwise(words))
        assert words[-1][1] <= len(clip.wave) + SAMPLE_RATE // 100, "the last frame may be half filled"
        assert words_in(clip.wave, other.text) is None
