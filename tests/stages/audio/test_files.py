import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio import files as audio
from stages.errors import AudioError


def tone(samples: int, rate: int = 16_000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)).astype(np.float32)


def assert_cut(path: Path) -> None:
    whole, rate = audio.read(path)
    cut, cut_rate = audio.read(path, 12_345, 23_456)
    assert cut_rate == rate == audio.probe(path).sample_rate
    np.testing.assert_array_equal(cut, whole[12_345:23_456])


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_a_cut_is_the_slice_of_the_whole(english: list[Path], tmp_path: Path, suffix: str) -> None:
    path, wave = tmp_path / f"a{suffix}", audio.read_at(english[0], 24_000)
    kind = {".ogg": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS")}.get(suffix, (suffix[1:].upper(), None))
    soundfile.write(path, wave, 24_000, format=kind[0], subtype=kind[1])
    assert_cut(path)


def test_a_cut_is_the_slice_of_the_whole_in_every_format(speech: Path) -> None:
    suffixes = set()
    for group in ("longform", "multilingual-es", "vctk", "kerstin-de"):
        by_suffix = {path.suffix: path for path in sorted((speech / group).rglob("*")) if path.suffix in audio.SUFFIXES}
        for path in by_suffix.values():
            assert_cut(path)
            suffixes.add(path.suffix)
    assert suffixes >= {".wav", ".flac", ".mp3", ".opus", ".wma"}


def test_wma_and_flac_of_one_speech_agree(speech: Path) -> None:
    paths = [path for path in (speech / "longform").rglob("columbia*") if path.suffix in {".wma", ".flac"}]
    assert len(paths) == 2
    one, other = (audio.read_at(path, 8_000) for path in paths)
    assert abs(len(one) - len(other)) < 8_000


def test_channels_are_mixed_down(tmp_path: Path) -> None:
    left = tone(1000)
    soundfile.write(tmp_path / "six.wav", np.stack([left] * 4 + [-left / 2] * 2, axis=1), 16_000, subtype="FLOAT")
    wave, rate = audio.read(tmp_path / "six.wav")
    assert rate == 16_000
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, left / 2, atol=1e-6)
    assert not audio.channels_cancel(tmp_path / "six.wav")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mka"])
def test_channels_of_opposite_phase_are_not_silence(tmp_path: Path, suffix: str) -> None:
    """One channel is taken, of a cut as of the whole: the strongest, and of equals the last."""
    left = tone(4000)
    path, stereo = tmp_path / f"opposite{suffix}", np.stack([left, -left], axis=1)
    if suffix == ".mka":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
            frame = av.AudioFrame.from_ndarray((stereo.reshape(1, -1) * 2**15).astype(np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 16_000, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    else:
        soundfile.write(path, stereo, 16_000)
    wave, _ = audio.read(path)
    np.testing.assert_allclose(wave, -left, atol=1e-3)
    assert audio.channels_cancel(path)
    cut, _ = audio.read(path, 100, 900)
    np.testing.assert_array_equal(cut, wave[100:900])
    for share in (0.99, 0.9):
        soundfile.write(tmp_path / "weak.wav", np.stack([left, -share * left], axis=1), 16_000)
        np.testing.assert_allclose(audio.read(tmp_path / "weak.wav")[0], left, atol=1e-3)
        assert audio.listen(tmp_path / "weak.wav").reading == "channel 1 of 2, since the mix of all is silent"


@pytest.mark.parametrize("right", [0.0, -0.6])
def test_quieter_or_missing_channels_are_mixed_down_as_ever(tmp_path: Path, right: float) -> None:
    left = tone(1000)
    stereo = np.stack([left, right * left], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "stereo.wav")[0], stereo.mean(axis=1, dtype=np.float32))
    assert not audio.channels_cancel(tmp_path / "stereo.wav")


@settings(max_examples=25)
@given(st.integers(1, 5000), st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]))
def test_resampling_keeps_the_length_in_seconds(samples: int, rate: int) -> None:
    resampled = audio.resample(tone(samples, rate), rate, 24_000)
    assert abs(len(resampled) - samples * 24_000 / rate) <= 1


def test_a_file_without_audio_gives_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan], np.float32), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write(tmp_path / "short.wav", tone(100), 16_000)
    for name, found in {
        "empty": "is empty (0 bytes)",
        "text": "can't be read as audio",
        "dangling": "No such file",
        "nan": "NaN or infinity",
        "silent": "no samples",
    }.items():
        with pytest.raises(AudioError) as caught:
            audio.read(tmp_path / f"{name}.wav")
        assert found in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(AudioError, match="ends after 100"):
        audio.read(tmp_path / "short.wav", 50, 200)


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "a" / "b.wav", tone(500), 24_000)
    wave, rate = audio.read(tmp_path / "a" / "b.wav")
    assert rate == 24_000
    np.testing.assert_allclose(wave, tone(500), atol=0.501 / 32_768)


@pytest.mark.parametrize("encode", [audio.wav_of, audio.flac_of])
def test_samples_are_rounded_to_the_nearest(encode: Callable[..., bytes]) -> None:
    steps = np.array([0.4, 0.6, -0.4, -0.6, -1.6, 40_000, -40_000], np.float32)
    found, _ = soundfile.read(io.BytesIO(encode(steps / 32_768, 24_000)), dtype="int16")
    assert found.tolist() == [0, 1, 0, -1, -2, 32_767, -32_768]


def test_only_one_recording_is_held_in_memory(tmp_path: Path) -> None:
    from stages.audio.files import _opened

    paths = [tmp_path / f"{number}.mka" for number in range(3)]
    for path in paths:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            frame = av.AudioFrame.from_ndarray((tone(4000)[None] * 2**15).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    for look in (audio.probe, audio.read, audio.listen):
        for path in paths:
            look(path)
            assert [len(_opened(other)._waves) for other in paths] == [int(other == path) for other in paths]
