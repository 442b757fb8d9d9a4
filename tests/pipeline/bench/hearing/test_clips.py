"""Where words lie in real clips with known texts."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.bench.hearing.clips import SAMPLE_RATE, words_in
from pipeline.bench.hearing.speech import clips_in


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
