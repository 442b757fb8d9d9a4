"""References: what is taken off, what is refused, and how several share a prompt."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from model.inference.references import open_reference, shares
from stages.errors import AudioError
from stages.slice import SliceConfig
from tests.model.inference.conftest import RATE, talk

WAVE = talk(2.0)[2_000:]


def test_silence_at_its_ends_is_taken_off_as_recordings_are_cut(tmp_path: Path) -> None:
    silence, room = np.zeros(3 * RATE, np.float32), round(SliceConfig().edge_s * RATE)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([silence, WAVE, silence]), RATE, subtype="FLOAT")
    found = open_reference(path, RATE, "prompt", shortest_s=0.5)
    wanted = np.concatenate([silence[:room], WAVE, silence[:room]])
    assert abs(len(found.wave) - len(wanted)) <= 2 * 240 * 30, "to a few frames: the wave itself begins softly"
    assert found.duration_s < 2.0 + 2 * SliceConfig().edge_s
    assert (found.name, found.notes) == (str(path), ())
    plain = open_reference(WAVE, RATE, "prompt", shortest_s=0.5)
    assert len(plain.wave) <= len(WAVE)


BROKEN = np.where(np.arange(RATE) == 7, np.nan, talk(1.0)).astype(np.float32)


@pytest.mark.parametrize(
    ("wave", "told"),
    [
        (np.zeros(RATE, np.float32), "there is no voice in it: its 1.00 s are silent"),
        (1e-5 * talk(1.0), "silent"),
        (talk(1.0)[2_000:2_720], "must hold at least 0.5 s of a voice, but there is no voice in it: it has 0.03 s"),
        (np.concatenate([np.zeros(RATE), talk(1.0)[2_000:2_720], np.zeros(RATE)]), "it has 0.03 s of sound"),
        (BROKEN, "[24000] with NaN or infinity"),
        (np.stack([WAVE, WAVE]), "must be a mono wave"),
        (WAVE[:0], "must be a mono wave"),
    ],
)
def test_what_holds_no_voice_is_refused(wave: np.ndarray, told: str, tmp_path: Path) -> None:
    with pytest.raises(AudioError) as raised:
        open_reference(wave, RATE, "prompt", shortest_s=0.5)
    assert told in str(raised.value)
    assert str(raised.value).startswith("`prompt` must")
    assert "\n" not in str(raised.value)
    if wave.ndim == 1 and len(wave) and wave is not BROKEN:
        soundfile.write(tmp_path / "a.wav", wave, RATE)
        with pytest.raises(AudioError, match="voice"):
            open_reference(tmp_path / "a.wav", RATE, "prompt", shortest_s=0.5)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", WAVE, RATE)
    whole = (tmp_path / "a.wav").read_bytes()
    for name, content in {"empty": b"", "text": b"Hello there.", "half": whole[: len(whole) // 2]}.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(content)
        with pytest.raises(AudioError, match=name) as raised:
            open_reference(path, RATE, "prompt", shortest_s=0.5)
        assert "\n" not in str(raised.value)


def test_opposite_channels_are_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([WAVE, -WAVE], axis=1), RATE)
    found = open_reference(tmp_path / "a.wav", RATE, "prompt", shortest_s=0.5)
    assert np.abs(found.wave).max() > 0.1
    assert len(found.notes) == 1
    assert "cancel each other" in found.notes[0]


def test_a_stretch_has_a_second_before_and_after_it() -> None:
    rng = np.random.default_rng(0)
    noise = (0.05 * rng.standard_normal(8 * RATE)).astype(np.float32)
    found = open_reference(np.concatenate([noise, talk(6.0), noise]), RATE, "prompt", shortest_s=0.5)
    wave, before_s = found.stretch(2.0)
    assert len(wave) == 4 * RATE
    assert before_s == 1.0
    whole, nothing = found.stretch(60.0)
    assert (len(whole), nothing) == (len(found.wave), 0.0)
    assert found.quality(2.0) > 2 * open_reference(noise, RATE, "prompt", shortest_s=0.5).quality(2.0)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.integers(1, 500))
def test_frames_are_shared_out(available: list[int], total: int) -> None:
    given_ = shares(available, total)
    assert all(0 <= share <= most for share, most in zip(given_, available, strict=True))
    assert sum(given_) == min(total, sum(available))
    most = max(given_)
    assert all(share >= most - 1 for share, limit in zip(given_, available, strict=True) if share < limit)
