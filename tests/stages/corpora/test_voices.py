from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from stages.audio.files import probe, read
from stages.corpora import voices
from stages.errors import UsageError
from stages.text.languages import detect


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    voices.write_voices(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_layout(folder):
    speakers = {(path.parts[-3], path.parts[-2]) for path in folder.rglob("*.wav")}
    assert speakers == {(speaker.language, speaker.name) for speaker in voices.SPEAKERS}
    assert len(speakers) >= 6
    assert {group for group, _ in speakers} == {"en", "de", "fr", "ja"}
    for wav in folder.rglob("*.wav"):
        info = probe(wav)
        assert (info.sample_rate, info.channels) == (voices.SAMPLE_RATE, 1)
        assert 2 * info.sample_rate < info.samples < 5 * info.sample_rate
        assert detect(wav.with_suffix(".txt").read_text(encoding="utf-8")) == wav.parts[-3]
    assert sum(probe(wav).samples for wav in folder.rglob("*.wav")) < 300 * voices.SAMPLE_RATE


def test_same_bytes_again_in_place_and_elsewhere(folder, tmp_path, monkeypatch):
    first = contents(folder)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.chdir(tmp_path)
    voices.write_voices(tmp_path / "deep" / "er")
    assert contents(tmp_path / "deep" / "er") == first
    (folder / "en" / "alder" / "alder_01.wav").unlink()
    voices.write_voices(folder)
    assert contents(folder) == first


def test_speakers_sound_different(folder):
    def character(speaker):
        clips = sorted((folder / speaker.language / speaker.name).glob("*.wav"))[:2]
        wave = np.concatenate([read(clip)[0] for clip in clips])
        # Plain NumPy: librosa would take longer to import than all of this takes.
        frames_TN = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 1024), 2048)[::512]
        frames_TN = frames_TN[np.sqrt(np.square(frames_TN).mean(axis=1)) > 0.02]
        likeness_TN = np.fft.irfft(np.abs(np.fft.rfft(frames_TN, 4096)) ** 2)
        shortest, longest = voices.SAMPLE_RATE // 450, voices.SAMPLE_RATE // 50
        pitch = voices.SAMPLE_RATE / (shortest + likeness_TN[:, shortest:longest].argmax(axis=1))
        spectrum_TF = np.abs(np.fft.rfft(frames_TN * np.hanning(2048)))
        centroid = spectrum_TF @ np.fft.rfftfreq(2048, 1 / voices.SAMPLE_RATE) / spectrum_TF.sum(axis=1)
        return np.log([np.median(pitch), np.median(centroid)])

    characters = [character(speaker) for speaker in voices.SPEAKERS]
    for one, other in combinations(characters, 2):
        assert np.abs(one - other).max() > np.log(1.15), "two speakers closer than 15 % in pitch and brightness"


def test_leaves_folders_of_others_alone(tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"mine\.wav"):
        voices.write_voices(tmp_path)
    with pytest.raises(UsageError, match="can't be created"):
        voices.write_voices(tmp_path / "mine.wav" / "below")
    assert contents(tmp_path) == {"mine.wav": b"x"}
