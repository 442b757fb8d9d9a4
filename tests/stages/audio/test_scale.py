"""Samples outside [-1, 1]: brought back where their scale is sure, else refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio import files as audio
from stages.audio.scale import scale_of
from stages.errors import AudioError
from tests.stages.audio.kinds import RATE, voice

SCALES = {"16-bit integers": 2.0**15, "24-bit integers": 2.0**23, "32-bit integers": 2.0**31, "percent": 100.0}


def levelled(peak: float) -> np.ndarray:
    wave = voice(1.0).astype(np.float64)
    return wave / np.abs(wave).max() * peak


def write(path: Path, wave: np.ndarray, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, wave, RATE, subtype=subtype)
    return path


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("peak", [0.5, 0.9])
def test_a_known_scale_is_brought_back_and_told(name: str, subtype: str, peak: float, tmp_path: Path) -> None:
    wave = levelled(peak)
    path = write(tmp_path / "a.wav", wave * SCALES[name], subtype)
    found = audio.listen(path)
    np.testing.assert_allclose(found.wave[:], wave, atol=1e-6)
    assert found.reading == f"scaled by 1/{SCALES[name]:.0f} ({name})"
    assert audio.unusual(path, mixes=False) == [found.reading]
    np.testing.assert_array_equal(audio.read(path, 100, 900)[0], found.wave[100:900])


@settings(max_examples=40, deadline=None)
@given(peak=st.floats(300, 32_768), channels=st.integers(1, 2))
def test_whole_numbers_are_those_of_sixteen_bits(peak: float, channels: int) -> None:
    wave = np.repeat(np.rint(levelled(peak))[:, None], channels, axis=1).astype(np.float32)
    assert scale_of(Path("a"), [wave[:5000], wave[5000:]]) == (1 / 32_768, "scaled by 1/32768 (16-bit integers)")


@settings(max_examples=40, deadline=None)
@given(peak=st.floats(0.001, 1.0))
def test_what_is_in_range_stays_as_it_is(peak: float) -> None:
    assert scale_of(Path("a"), [levelled(peak)[:, None].astype(np.float32)]) == (1.0, "")


def test_what_goes_over_full_scale_a_little_stays_and_is_told(tmp_path: Path) -> None:
    wave = levelled(1.6).astype(np.float32)
    found = audio.listen(write(tmp_path / "a.wav", wave))
    np.testing.assert_array_equal(found.wave[:], wave)
    assert found.reading is not None
    assert found.reading.startswith("over full scale: peak 1.6, ")


def spike(wave: np.ndarray) -> np.ndarray:
    wave[500] = 20_000
    return wave


@pytest.mark.parametrize(
    "wave",
    [
        levelled(20.0),
        levelled(700.0),
        levelled(50_000.0),
        np.rint(levelled(70.0)),
        np.abs(levelled(20_000.0)),
        spike(levelled(0.5)),
        levelled(1e12),
    ],
    ids=["20", "700", "between scales", "few whole numbers", "without a sign", "one click", "none"],
)
def test_what_fits_no_scale_is_refused(wave: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"must hold samples in \[-1, 1\]") as caught:
        audio.read(write(tmp_path / "a.wav", wave))
    assert caught.value.reason == "BadScale"
    assert audio.unusual(tmp_path / "a.wav", mixes=False) == ["BadScale"]
