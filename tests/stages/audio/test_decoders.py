"""All that is in a file is read, or the file is refused: never a part of it as if it were the whole."""

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.audio import files as audio
from stages.audio.containers import flac, table
from stages.errors import AudioError
from tests.stages.audio.kinds import BY_SOUNDFILE, KINDS, RATE, shortened_sphere, voice, write, write_video

LOSSLESS = {"wav", "rf64", "flac", "aiff", "au", "caf", "w64", "sph", "wv", "tta"}


def reason(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        audio.read_complete(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return caught.value.reason


def heard(path: Path) -> tuple[float, str | None]:
    """Returns the seconds of a recording and what is unusual in how it was read."""
    found = audio.listen(path)
    wave, rate = audio.read(path)
    assert (len(found.wave), found.sample_rate) == (len(wave), rate)
    assert audio.unusual(path, mixes=False) == (found.reading.split("; ") if found.reading else [])
    return len(wave) / rate, found.reading


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_whole_whatever_its_name(kind: str, tmp_path: Path) -> None:
    write(kind, path := tmp_path / f"a.{kind}")
    wave, rate = audio.read_complete(path)
    assert len(wave) / rate == pytest.approx(1.0, abs=0.15)
    assert audio.listen(path).reading is None
    if kind == "g722":
        return  # it has no header: its name is all that tells
    for suffix in (".mp3", ".m4a", ".wav", ".ogg", ".flac", ".raw"):
        other = (tmp_path / "other").with_suffix(suffix)
        other.write_bytes(path.read_bytes())
        np.testing.assert_array_equal(audio.read_complete(other)[0], wave)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"g722"}))
def test_half_a_file_is_refused(kind: str, tmp_path: Path) -> None:
    write(kind, path := tmp_path / "a.bin")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 46 // 100 + 1])
    found = reason(path)
    assert found == "Truncated" or kind in {"wv", "amr"}


@pytest.mark.parametrize("kind", ["mp3", "mp3-without-length", "vorbis", "opus", "flac", "adts", "ac3", "mp2"])
@pytest.mark.parametrize("parts", [2, 3])
def test_joined_files_are_read_whole(kind: str, parts: int, tmp_path: Path) -> None:
    path, waves, content = tmp_path / "joined.bin", [], b""
    for number in range(parts):
        write(kind, path, 0.5 + number, seed=number)
        waves.append(audio.read(path)[0])
        content += path.read_bytes()
    path.write_bytes(content)
    seconds, reading = heard(path)
    rate = audio.probe(path).sample_rate
    assert seconds == pytest.approx(sum(0.5 + number for number in range(parts)), abs=0.12 * parts)
    if kind in {"mp3", "flac", "vorbis", "opus"}:
        np.testing.assert_allclose(audio.read(path)[0], np.concatenate(waves), atol=1e-5)
    joined = f"in {parts} joined parts"
    told = {"mp3": "by FFmpeg, since its parts are joined", "flac": joined, "vorbis": joined, "opus": joined}
    assert reading == told.get(kind)
    start = rate // 2
    np.testing.assert_array_equal(audio.read(path, start, start + 500)[0], audio.read(path)[0][start : start + 500])


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "caf", "w64", "m4a", "mka", "webm", "3gp", "tta", "wv", "amr"])
def test_joined_files_that_cannot_be_read_whole_are_refused(kind: str, tmp_path: Path) -> None:
    write(kind, path := tmp_path / "a.bin")
    path.write_bytes(path.read_bytes() * 2)
    found = reason(path)
    assert found == "GoesOn" or kind in {"wv", "amr"}


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg"])
def test_joined_parts_of_different_rates_are_refused(suffix: str, tmp_path: Path) -> None:
    (path := tmp_path / f"c{suffix}").touch()
    for rate in (16_000, 44_100):
        soundfile.write(tmp_path / f"a{suffix}", voice(1, rate), rate)
        path.write_bytes(path.read_bytes() + (tmp_path / f"a{suffix}").read_bytes())
    assert reason(path) == "MixedFormats"


def test_tags_between_and_around_the_parts_are_no_sound(tmp_path: Path) -> None:
    write("mp3", path := tmp_path / "a.mp3", 1.0)
    one, wave = path.read_bytes(), audio.read(path)[0]
    tag = b"ID3\x03\0\0\0\0\x08\x00" + b"\xff\xfb\x90\x64" * 256
    footer = b"APETAGEX" + struct.pack("<II", 2000, 32) + bytes(16)
    path.write_bytes(tag + one + b"TAG" + bytes(125) + tag + one + footer)
    assert heard(path) == (2.0, "by FFmpeg, since its parts are joined")
    np.testing.assert_allclose(audio.read(path)[0], np.concatenate([wave, wave]), atol=1e-5)


@pytest.mark.parametrize("loud", [slice(0, 2 * RATE), slice(-2 * RATE, None)])
def test_mp3_of_varying_rate_without_a_length_is_read_whole(loud: slice, tmp_path: Path) -> None:
    import av

    wave = np.zeros(10 * RATE, np.float32)
    wave[loud] = 0.3 * np.random.default_rng(0).standard_normal(2 * RATE)
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", options={"flags": "+qscale"})
        stream.codec_context.options = {"flags": "+qscale", "global_quality": "236"}
        from tests.stages.audio.kinds import packets

        for packet in packets(stream, wave, RATE):
            container.mux(packet)
    seconds, reading = heard(path)
    assert seconds == pytest.approx(10.0, abs=0.15)
    assert reading is None or reading.startswith("by FFmpeg, since libsndfile counts ")


def patched(path: Path, kind: str, change: Callable[[bytearray], None]) -> np.ndarray:
    write(kind, path, 2.0)
    wave = audio.read(path)[0]
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return wave


def sets(where: int, value: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[where : where + len(value)] = value

    return change


def after(mark: bytes, value: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        at = content.index(mark) + len(mark)
        content[at : at + len(value)] = value

    return change


def flac_total(samples: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[21] &= 0xF0
        content[22:26] = struct.pack(">I", samples)

    return change


@pytest.mark.parametrize(
    ("kind", "change", "reading"),
    [
        ("flac", flac_total(0), "by FFmpeg, since its header holds no length"),
        ("flac", flac_total(RATE), "by FFmpeg, since its header announces only 1.00 s"),
        ("wav", sets(40, bytes(4)), "by FFmpeg, since libsndfile counts 0.00 s"),
        ("wav", sets(40, b"\xff\xff\xff\xff"), None),
        ("wav", sets(40, b"\0\0\0\x80"), None),
        ("wav", lambda content: (sets(4, bytes(4))(content), sets(40, bytes(4))(content)), ""),
        ("wav", lambda content: content.extend(b"LIST" + struct.pack("<I", 20_001) + b"abc" * 6667), None),
        ("wav", lambda content: content.extend(bytes(20_000)), None),
        ("wav", lambda content: content.extend(b"ID3\x03\0\0\0\0\x7f\x7f" + b"abc" * 6667), None),
        ("flac", lambda content: content.extend(b"TAG" + bytes(125)), None),
        ("au", sets(8, b"\xff\xff\xff\xff"), None),
        ("caf", after(b"data", b"\xff" * 8), None),
        ("aiff", after(b"SSND", bytes(4)), None),
    ],
)
def test_a_length_that_is_missing_or_wrong_costs_nothing(
    kind: str, change: Callable[[bytearray], None], reading: str | None, tmp_path: Path
) -> None:
    wave = patched(path := tmp_path / "a.bin", kind, change)
    found = audio.listen(path)
    np.testing.assert_array_equal(found.wave[:], wave)
    assert reading in {found.reading, ""}
    assert audio.probe(path).samples == len(wave)


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("wav", sets(40, struct.pack("<I", RATE)), "GoesOn"),
        ("flac", flac_total(4 * RATE), "Truncated"),
        ("flac", lambda content: sets(len(content) // 2, b"\xff\xff\xff\xff")(content), "BrokenHeader"),
        ("sph", after(b"sample_count -i ", b"9"), "Truncated"),
    ],
)
def test_a_header_that_lies_is_refused(
    kind: str, change: Callable[[bytearray], None], why: str, tmp_path: Path
) -> None:
    patched(path := tmp_path / "a.bin", kind, change)
    assert reason(path) == why


def test_an_empty_data_chunk_before_other_chunks_is_no_sound(tmp_path: Path) -> None:
    write("wav", path := tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:40] + bytes(4) + b"LIST" + struct.pack("<I", 9_000) + b"abc" * 3000)
    assert reason(path) == "NoAudio"


@pytest.mark.parametrize("kind", sorted(BY_SOUNDFILE))
def test_the_structure_of_what_libsndfile_reads_agrees_with_it(kind: str, tmp_path: Path) -> None:
    write(kind, path := tmp_path / "a.bin", 1.7)
    shape = table.shape_of(path)
    assert shape.container
    assert shape.soundfile
    with soundfile.SoundFile(str(path)) as file:
        assert shape.seconds is None or abs(shape.seconds - file.frames / file.samplerate) < 0.01
        assert audio.probe(path).samples == file.frames


def test_the_last_frame_of_real_flac_ends_where_its_header_says(speech: Path) -> None:
    paths = sorted(speech.rglob("*.flac"))[::29]
    assert paths
    for path in paths:
        with table.Bytes(path) as file:
            _, samples, block = flac._part(file, 0)
            assert flac._end_of_last_frame(file, samples, block) == samples
            assert flac._end_of_last_frame(file, samples - 1, block) in {samples, None}


def test_every_real_recording_is_read_by_libsndfile_as_before(speech: Path) -> None:
    for path in sorted(speech.rglob("*"))[::17]:
        if path.suffix in audio.SUFFIXES - {".wma"}:
            with soundfile.SoundFile(str(path)) as file:
                data = file.read(dtype="float32", always_2d=True)
            wave, _ = audio.read_complete(path)
            np.testing.assert_array_equal(wave, data[:, 0] if data.shape[1] == 1 else data.mean(axis=1))
            assert audio.unusual(path, mixes=False) == []


@pytest.mark.parametrize(
    ("form", "video", "codec"),
    [
        ("mp4", "mpeg4", "aac"),
        ("mov", "mpeg4", "pcm_s16le"),
        ("matroska", "mpeg4", "aac"),
        ("webm", "libvpx", "libopus"),
        ("mpegts", "mpeg4", "aac"),
    ],
)
@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_the_sound_of_a_video_keeps_its_start(form: str, video: str, codec: str, late_s: float, tmp_path: Path) -> None:
    wave = write_video(path := tmp_path / "a.bin", form, video, codec, late_s)
    found, rate = audio.read_complete(path)
    click = int(np.flatnonzero(np.abs(found) > 0.5)[0])
    # A transport stream has no word for the encoder's own delay.
    assert click / rate == pytest.approx(late_s, abs=0.025 if form == "mpegts" else 0.003)
    assert len(found) / rate == pytest.approx(late_s + len(wave) / rate, abs=0.05)
    assert not found[: max(0, round((late_s - 0.03) * rate))].any()
    assert bool(audio.listen(path).reading) == bool(late_s)


@pytest.mark.parametrize(
    ("told", "coding", "width"),
    [
        ("s16le 16000 1", "<i2", 1),
        ("s16be 16000 1", ">i2", 1),
        ("s16le 16000 2", "<i2", 2),
        ("f32le 16000 1", "<f4", 1),
    ],
)
def test_sound_without_a_header_is_read_as_told(told: str, coding: str, width: int, tmp_path: Path) -> None:
    wave = np.repeat(voice(1.0), width)
    (path := tmp_path / "a.raw").write_bytes((wave * (1 if coding == "<f4" else 32_768)).astype(coding).tobytes())
    found = audio.listen(audio.Place(path, raw=told))
    np.testing.assert_allclose(found.wave[:], voice(1.0), atol=1 / 32_000)
    assert found.reading == f"as {told}"
    assert reason(path) == "NoFormat"


@pytest.mark.parametrize(("coding", "subtype"), [("mulaw", "ULAW"), ("alaw", "ALAW"), ("gsm", "GSM610")])
def test_telephone_codings_without_a_header_are_read(coding: str, subtype: str, tmp_path: Path) -> None:
    wave = voice(1.0, 8_000)
    soundfile.write(path := tmp_path / "a.raw", wave, 8_000, format="RAW", subtype=subtype)
    found, rate = audio.read(audio.Place(path, raw=f"{coding} 8000 1"))
    assert (len(found), rate) == (8_000, 8_000)
    assert np.corrcoef(found, wave)[0, 1] > 0.97
    if coding == "gsm":
        path.rename(tmp_path / "a.gsm")
        np.testing.assert_array_equal(audio.read(tmp_path / "a.gsm")[0], found)


def test_sphere_compressed_by_shorten_is_read_or_refused(tmp_path: Path) -> None:
    samples = (voice(1.03) * 32_768).astype(np.int16)
    (path := tmp_path / "a.sph").write_bytes(shortened_sphere(samples))
    wave, rate = audio.read_complete(path)
    assert rate == RATE
    np.testing.assert_array_equal(wave * 32_768, samples)
    path.write_bytes(path.read_bytes()[:9_000])
    assert reason(path) == "Truncated"


# Half a second of `voice` at 8 kHz, written by speexenc 1.2.1 (`-n --quality 3 --nframes 10`).
SPEEX = """
T2dnUwACAAAAAAAAAADTWxd3AAAAAP7iPoQBUFNwZWV4ICAgMS4yLjEAAAAAAAAAAAAAAAAAAAABAAAAUAAAAEAfAAAAAAAABAAAAAEAAAD/////
oAAAAAAAAAAKAAAAAAAAAAAAAAAAAAAAT2dnUwAAAAAAAAAAAADTWxd3AQAAAF7MX8ABIBgAAABFbmNvZGVkIHdpdGggU3BlZXggMS4yLjEAAAAA
T2dnUwAEwBIAAAAAAADTWxd3AgAAAHBk3+wEyMjIGhnKT2AAOc5wIFKFHCNpeg5fGPq7GcPnV+fZIbhOXxQfRuumA1OXrVEZyiV/nGm16+OG5poH
xoW2+uNW3BnKT0V8pS9Jfs/5bf0r/E78+3IVGchXZ+g0/7P0YKXxW2964Kmmfb0Zyk9PTadvkXfqH9i/d84yXPPiuB9JEUV8vSiL/tuVcWcg2pdP
kHkHGchnQue9nCF30GYcuiX+hFkYIB0Zyk936FuDlmOjJ+VY1Zqar4jmGhnKJWfbvFt6zm+WO0HTxF7/bxObGcPnVXy8seFz5cgqpzGWI6Dyiw8Z
yk9CyNW33S56XCy99pQGWPZwrBnIXXLoctTD5hLPRptKMexbCOnrGd3nj5xbzW/OAPQ4xsTKmF93Za8enQdxEVjtQeicVRgniB5dISVQzh6OD0kO
j36/xwP98frasjvMNIftHp9nQhhMI33W0sZdBeGjbcHMUIUeh+dOifIp8rTIqo2/DAePDEHGwh6Ob13pc+zRO7nDqOPZVCpTKFy4HpjPVbmcDUIk
jSr+5hDSjJ7oCd0ejmdO7+jjamGoIhGa7G/blaeNfh6OZ1X3XfRFgLnG2kTeobd5xy3gHpzjQcg+TSq0jqpfg5QGC0WknYMZ3pdbAUA65zDZLblL
b2u80THsxBnKT4A7nQj4MReEfUNJ0qBbx04XGcpPR87m11lz5GFcufxJSU+WQlIZw91zBw20tA2HAMjB2e+g+coaFhnKJXV8X3Omc5svJLHTxFpc
6z75GcpPR+fJnX58YsnJXzdOZF17P28ZyH1M5768OWR+rMFbarH5mRVgDRnIfWL/S83T89nJx98PKIXvjkame973ve97
"""


@pytest.mark.parametrize("name", ["a.spx", "a.ogg"])
def test_speex_is_read_whole_or_refused(name: str, tmp_path: Path) -> None:
    whole = base64.b64decode(SPEEX)
    (path := tmp_path / name).write_bytes(whole)
    wave, rate = audio.read_complete(path)
    said = voice(0.6, 8_000)
    assert rate == 8_000
    assert len(said) <= len(wave) <= len(said) + 160  # a frame of 20 ms

    def loudness(sound: np.ndarray) -> np.ndarray:
        return np.sqrt((sound[:4_800].reshape(-1, 160) ** 2).mean(axis=1))

    assert np.corrcoef(loudness(wave), loudness(said))[0, 1] > 0.8
    path.write_bytes(whole[:-40])
    assert reason(path) == "Truncated"
    path.write_bytes(whole + whole)
    assert reason(path) == "GoesOn"


@pytest.mark.parametrize("told", ["", "s16le", "s16le 0 1", "s16le 8000 x", "mp3 8000 1", "s16le 8000 1 1"])
def test_a_raw_format_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="must be a coding"):
        audio.parse_raw(told)
