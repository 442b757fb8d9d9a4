"""Files that are encoded: other programs read them, and a stream is the whole."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from stages.audio.encoding import FORMATS, StreamEncoder, encode, encoded_rate, format_named
from stages.audio.files import probe, read_complete
from stages.audio.files import read as read_file
from stages.errors import UsageError
from stages.records import Wave

RATES = 16_000, 24_000, 44_100


def tone(rate: int) -> Wave:
    """Two seconds of 400 Hz."""
    return (0.5 * np.sin(2 * np.pi * 400 * np.arange(2 * rate) / rate)).astype(np.float32)


def streamed(wave: Wave, rate: int, name: str) -> Iterator[bytes]:
    encoder = StreamEncoder(rate, name)
    for start in range(0, len(wave), 3_000):
        yield encoder.encode(wave[start : start + 3_000])
    yield encoder.finish()


def read(file: bytes, name: str, rate: int) -> tuple[Wave, int]:
    """Reads a file by a program that didn't write it, where there is one."""
    if name == "pcm":
        return np.frombuffer(file, "<i2").astype(np.float32) / 32_768, encoded_rate(rate, "pcm")
    if name == "flac":  # libsndfile doesn't read a FLAC file of unknown length
        with av.open(io.BytesIO(file)) as container:
            parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
        return np.concatenate(parts, axis=1)[0].astype(np.float32) / 32_768, rate
    with soundfile.SoundFile(io.BytesIO(file)) as reader:
        return reader.read(10**7, dtype="float32"), reader.samplerate


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", FORMATS)
def test_whole_and_streamed_files_hold_the_sound(name: str, rate: int) -> None:
    wave = tone(rate)
    for file in (encode(wave, rate, name), b"".join(streamed(wave, rate, name))):
        found, found_rate = read(file, name, rate)
        assert found_rate == encoded_rate(rate, name)
        assert len(found) / found_rate == pytest.approx(2.0, abs=0.12)
        middle = found[found_rate // 2 : found_rate // 2 + found_rate]
        spectrum = np.abs(np.fft.rfft(middle))
        assert int(spectrum.argmax()) == 400
        assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_wave_gives_the_same_file(name: str) -> None:
    wave = tone(24_000)
    assert encode(wave, 24_000, name) == encode(wave, 24_000, name)
    assert list(streamed(wave, 24_000, name)) == list(streamed(wave, 24_000, name))


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_comes_as_it_is_made(name: str) -> None:
    pieces = list(streamed(tone(24_000), 24_000, name))
    assert len(pieces[0]) > 0
    assert all(pieces[2:-1])
    assert list(streamed(np.zeros(0, np.float32), 24_000, name))


@pytest.mark.parametrize("rate", RATES)
def test_lossless_formats_lose_nothing(rate: int) -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, rate).astype(np.float32)
    expected = np.rint(wave * 32_768).clip(max=32_767).astype(np.int16)
    for name in ("wav", "flac"):
        for file in (encode(wave, rate, name), b"".join(streamed(wave, rate, name))):
            found, _ = read(file, name, rate)
            assert np.array_equal(np.rint(found * 32_768).astype(np.int64), expected), name


def test_too_loud_is_clipped() -> None:
    found = np.frombuffer(encode(np.array([-3, 3, 0], np.float32), 24_000, "pcm"), "<i2")
    assert found.tolist() == [-32_768, 32_767, 0]


def test_an_unknown_format_is_told() -> None:
    with pytest.raises(UsageError, match="`response_format` must be one of mp3, opus, flac, wav, pcm, but is `aac`"):
        format_named("aac")


@pytest.mark.parametrize("name", ["mp3", "opus", "flac", "wav"])
def test_a_streamed_file_is_a_recording_like_others(name: str, tmp_path: Path) -> None:
    """A FLAC file doesn't say its length there, which libsndfile takes for 2^63 samples."""
    path = tmp_path / f"x.{name}"
    path.write_bytes(b"".join(streamed(tone(24_000), 24_000, name)))
    wave, rate = read_complete(path)
    assert len(wave) / rate == pytest.approx(2.0, abs=0.12)
    assert probe(path).samples == pytest.approx(len(wave), abs=100)
    assert np.array_equal(read_file(path, 1_000, 2_000)[0], wave[1_000:2_000])
