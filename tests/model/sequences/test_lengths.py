"""What is known of the lengths of a training set."""

from dataclasses import asdict

import numpy as np
import pytest

from model.sequences.lengths import Lengths


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
