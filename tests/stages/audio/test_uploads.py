"""Audio out of memory: every common format, never more than asked for, nothing else opened."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from stages.audio.encoding import encode, wav_header
from stages.audio.files import read
from stages.audio.uploads import decode
from stages.errors import AudioError


def in_container(wave: np.ndarray, form: str, codec: str) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format=form) as container:
        stream = container.add_stream(codec, rate=24_000, layout="stereo")
        both = np.repeat((wave * 32_767).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = 24_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return sink.getvalue()


WAVE = (0.5 * np.sin(np.arange(24_000) / 9)).astype(np.float32)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
def test_it_reads_as_files_are_read(name: str, tmp_path: Path) -> None:
    data = encode(WAVE, 24_000, name)
    (tmp_path / f"x.{name}").write_bytes(data)
    expected, rate = read(tmp_path / f"x.{name}")
    found, same = decode(data, name="x", max_s=3)
    assert rate == same
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "codec"), [("ipod", "aac"), ("webm", "libopus"), ("matroska", "aac"), ("adts", "aac")]
)
def test_it_reads_what_browsers_and_telephones_record(form: str, codec: str) -> None:
    found, rate = decode(in_container(WAVE, form, codec), name="x", max_s=3)
    assert len(found) / rate == pytest.approx(1.0, abs=0.1)
    assert np.abs(found[rate // 4 : rate // 2]).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus"])
def test_too_long_stops_early(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(np.zeros(24_000 * 300, np.float32), 24_000, name)
    with pytest.raises(AudioError, match=r"`x` must be at most 2 s long") as raised:
        decode(data, name="x", max_s=2)
    assert raised.value.reason == "TooLong"


def test_too_long_for_pyav_stops_early_too() -> None:
    with pytest.raises(AudioError, match=r"at most 0.5 s"):
        decode(in_container(WAVE, "ipod", "aac"), name="x", max_s=0.5)


def test_no_other_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist names a file that PyAV reads if it is asked as usual."""
    monkeypatch.chdir(tmp_path)
    Path("other.ts").write_bytes(in_container(WAVE, "mpegts", "mp2"))
    concat = b"ffconcat version 1.0\nfile other.ts\n"
    with av.open(io.BytesIO(concat)) as container:
        assert next(container.decode(audio=0)).samples
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nfile://{tmp_path}/other.ts\n#EXT-X-ENDLIST\n"
    network = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    for data in (concat, hls.encode(), network):
        with pytest.raises(AudioError, match="can't be read as audio"):
            decode(data, name="x", max_s=3)


def test_what_is_no_audio_is_told() -> None:
    for data, told in {
        b"": "is empty (0 bytes)",
        b"Hello.": "can't be read as audio",
        wav_header(24_000, 0): "holds no samples",
        wav_header(100, 10) + bytes(10): "must have a rate of 1000 to 768000 Hz, but has 100 Hz",
    }.items():
        with pytest.raises(AudioError) as raised:
            decode(data, name="x", max_s=3)
        assert told in str(raised.value)
        assert str(raised.value).startswith("`x`")
