"""Pictures of speech: the levels of a spectrogram, and files that are pictures."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from model.serving.page.pictures import draw_codes, draw_spectrogram, spectrogram_db

RATE = 24_000


@pytest.mark.parametrize("hz", [440, 5_000])
def test_a_tone_is_a_line_at_its_frequency(hz: int) -> None:
    tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    levels = spectrogram_db(tone)
    middle = levels[:, 5:-5]
    assert np.abs(middle.argmax(0) * RATE / 1024 - hz).max() <= RATE / 1024
    assert levels.max() == pytest.approx(0, abs=1e-4)
    assert levels.min() == pytest.approx(-80, abs=1e-4)
    far = round((hz + 4_000) * 1024 / RATE)
    assert middle[far].max() < -60


@pytest.mark.parametrize("samples", [0, 1, 100, RATE * 300])
def test_any_length(samples: int, tmp_path: Path) -> None:
    levels = spectrogram_db(np.zeros(samples, np.float32))
    assert levels.shape[0] == 513
    assert 1 <= levels.shape[1] <= 1_100
    assert (levels == -80).all()


def test_the_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spectrogram, codes = tmp_path / "spectrogram.png", tmp_path / "codes.png"
    draw_spectrogram(rng.standard_normal(RATE).astype(np.float32) / 9, RATE, spectrogram)
    draw_codes(rng.integers(0, 64, (8, 75)), 64, 75.0, codes)
    for path in (spectrogram, codes):
        pixels = imread(path)
        assert pixels.shape[1] == 1100
        assert pixels[0, 0, 3] == 0, "the ground is that of the page"
        assert len(np.unique(pixels[..., :3].reshape(-1, 3), axis=0)) > 30
    before = codes.read_bytes()
    draw_codes(rng.integers(0, 64, (8, 75)), 64, 75.0, codes)
    assert codes.read_bytes() != before
    draw_codes(np.zeros((1, 0), np.int64), 64, 75.0, codes)
