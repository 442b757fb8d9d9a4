"""What is known of the lengths of a training set."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from model.sequences.lengths import Lengths
from stages.audio.files import probe
from stages.text.phonemes import phonemize


def test_it_is_measured() -> None:
    frames_N = np.arange(100, 201)
    symbols_N = np.full(101, 20)
    lengths = Lengths.measured(frames_N, symbols_N, 200)
    assert (lengths.short_frames, lengths.longest_frames, lengths.most_symbols) == (105, 200, 20)
    assert lengths.usual_per_symbol == 7.5
    assert lengths.fewest_per_symbol == pytest.approx(5.05)
    assert lengths.most_per_symbol == pytest.approx(9.95)
    assert lengths.fits(20)
    assert not lengths.fits(21), "no text was as long"
    assert not Lengths.measured(frames_N[:50], symbols_N[:50], 149).fits(25)
    assert lengths.is_short(13)
    assert not lengths.is_short(15)
    joined = Lengths.measured(frames_N, symbols_N, 750)
    assert (joined.longest_frames, joined.most_symbols) == (750, 100), "utterances are joined up to there"


def test_it_is_kept_in_json_and_assumed_where_it_isn_t() -> None:
    assumed = Lengths.assumed(frame_rate=75.0, min_s=0.5, max_s=12.0)
    assert Lengths.from_json(asdict(assumed)) == assumed
    assert Lengths.from_json(None) is None
    assert (assumed.short_frames, assumed.longest_frames, assumed.most_symbols) == (38, 900, 200)
    assert assumed.fits(200)
    assert not assumed.fits(201)


def test_a_text_can_take_as_many_frames_as_its_pace_allows() -> None:
    lengths = Lengths(50, 900, 200, 4.0, 5.0, 8.0)
    assert lengths.possible_frames(100) == (280, 1240), "0.8 of 400 and 1.5 of 800, and 8 symbols' time for the ends"
    assert lengths.possible_frames(5) == (1, 100)
    for symbols in range(1, 200):
        fewest, most = lengths.possible_frames(symbols)
        assert 1 <= fewest < lengths.expected_frames(symbols) + 1
        assert most > lengths.expected_frames(symbols)


def test_real_utterances_of_unseen_speakers_have_possible_lengths(recordings: Path) -> None:
    folder = recordings / "librispeech-test-other"
    paths = sorted(folder.rglob("*.flac"))
    if not paths:
        pytest.skip("needs ../shared/speech")
    phonemes = phonemize([path.with_suffix(".txt").read_text() for path in paths], "en")
    frames = [round(found.samples / found.sample_rate * 75) for found in map(probe, paths)]
    speakers = [path.parent.name for path in paths]
    for held_out in sorted(set(speakers)):
        learnt = [place for place, name in enumerate(speakers) if name != held_out]
        measured = np.array([frames[place] for place in learnt]), np.array([len(phonemes[place]) for place in learnt])
        lengths = Lengths.measured(*measured, int(measured[0].max()))
        for said, count, name in zip(phonemes, frames, speakers, strict=True):
            fewest, most = lengths.possible_frames(len(said))
            assert name != held_out or fewest <= count <= most
