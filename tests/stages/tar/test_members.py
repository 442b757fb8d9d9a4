"""Files inside tar files, against Python's own tarfile; then damaged ones."""

import io
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from stages.audio.files import probe, read, read_complete
from stages.errors import AudioError
from stages.tar import members

RATE = 8_000
NAMES = {"a.wav": 700, "x/b.wav": 512, "x/ü.wav": 0, f"{'long' * 40}.wav": 1500, f"{'d' * 90}/{'e' * 90}.wav": 3}


def write_tar(path: Path, files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


def encoded(wave: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format=kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_members_are_those_of_tarfile(tmp_path, kind):
    names = {name: size for name, size in NAMES.items() if kind != tarfile.USTAR_FORMAT or len(name) < 150}
    files = {f"./{name}": os.urandom(size) for name, size in names.items()}
    path = write_tar(tmp_path / "x.TAR", files, kind)
    with tarfile.open(path, "a", format=kind) as tar:  # other kinds of members, and a newer version of one
        for name, flag in (("folder", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE), ("pipe", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = flag, "a.wav"
            tar.addfile(member)
        newer = tarfile.TarInfo("a.wav")
        newer.size = 9
        tar.addfile(newer, io.BytesIO(b"123456789"))
    found = members.contents(path)
    expected = {name.removeprefix("./"): content for name, content in files.items()} | {"a.wav": b"123456789"}
    assert {member.name for member in found.members} == expected.keys()
    assert (found.damaged, found.cut) == (0, False)
    for name, content in expected.items():
        assert members.read_bytes(path / name) == content
        assert members.stamp(path / name) == (len(content), path.stat().st_mtime_ns)
        assert members.is_file(path / name)
    assert not members.is_file(path / "nothing.wav")
    with pytest.raises(FileNotFoundError):
        members.open_file(path / "nothing.wav")


@given(st.lists(st.tuples(st.integers(-50, 250), st.integers(0, 2), st.integers(-1, 300)), max_size=20))
def test_a_member_reads_as_a_file_does(steps):
    content = bytes(range(256))[:200]
    folder = Path(tempfile.mkdtemp())

    path = write_tar(folder / "x.tar", {"before": b"b" * 600, "m": content, "after": b"a" * 10})
    with members.open_file(path / "m") as ours:
        theirs = io.BytesIO(content)
        for offset, whence, count in steps:
            at = min(max(offset + {0: 0, 1: theirs.tell(), 2: len(content)}[whence], 0), 300)
            assert ours.seek(at) == theirs.seek(at)
            assert ours.read(count) == theirs.read(count)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_audio_is_read_as_from_a_file_of_its_own(tmp_path, kind):
    waves = {f"{n}.{kind.lower()}": noise(n, 1 + n / 2) for n in range(3)}
    files = {name: encoded(wave, kind) for name, wave in waves.items()}
    tar = write_tar(tmp_path / "x.tar", files)
    for name, content in files.items():
        own = tmp_path / name
        own.write_bytes(content)
        assert probe(tar / name) == probe(own)
        ours, theirs = read_complete(tar / name)[0], read_complete(own)[0]
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(read(tar / name, 100, 900)[0], theirs[100:900])


def test_audio_that_only_pyav_reads(tmp_path):
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise(1)[None, :], format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    (tmp_path / "a.mka").write_bytes(file.getvalue())
    tar = write_tar(tmp_path / "x.tar", {"before": b"1", "a.mka": file.getvalue()})
    np.testing.assert_array_equal(read(tar / "a.mka")[0], read(tmp_path / "a.mka")[0])


def test_damage_costs_what_is_damaged(tmp_path):
    files = {f"{n}.flac": encoded(noise(n), "FLAC") for n in range(6)}
    path = write_tar(tmp_path / "x.tar", files)
    places = {member.name: member for member in members.contents(path).members}
    content = bytearray(path.read_bytes())
    start = places["2.flac"].offset - 512
    content[start + 5 : start + 40] = b"\xff" * 35  # the header of the third
    end = places["5.flac"].offset + 700  # the sixth is cut off
    path.write_bytes(content[:end])
    found = members.contents(path)
    assert {member.name for member in found.members} == files.keys() - {"2.flac"}
    assert found.damaged >= places["2.flac"].size
    assert found.cut
    for name in ("0.flac", "1.flac", "3.flac", "4.flac"):
        assert members.read_bytes(path / name) == files[name]
    with pytest.raises(OSError, match="its tar file ends after 700 of its"):
        members.read_bytes(path / "5.flac")
    with pytest.raises(AudioError, match=r"must hold .* bytes, but .*x\.tar` ends after 700 of them") as caught:
        read(path / "5.flac")
    assert caught.value.reason == "Truncated"
    with pytest.raises(AudioError) as caught:
        read(path / "2.flac")
    assert caught.value.reason == "NotThere"


def test_a_tar_without_its_end_is_told_even_between_two_members(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"a": b"1" * 512, "b": b"2" * 512})
    assert not members.contents(path).cut
    for length in (1024, 1024 + 300):
        (tmp_path / "y.tar").write_bytes(path.read_bytes()[:length])
        found = members.contents(tmp_path / "y.tar")
        assert ([member.name for member in found.members], found.cut) == (["a"], True)


def test_tars_that_were_joined_are_read_to_the_end(tmp_path):
    one = write_tar(tmp_path / "1.tar", {"a": b"1"}).read_bytes()
    other = write_tar(tmp_path / "2.tar", {"b": b"22"}).read_bytes()
    (tmp_path / "x.tar").write_bytes(one + other)
    found = members.contents(tmp_path / "x.tar")
    assert [(member.name, member.size, found.damaged) for member in found.members] == [("a", 1, 0), ("b", 2, 0)]


def test_names_that_lead_outside_are_no_members(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"../up.wav": b"1", "/root.wav": b"2", "a/../b.wav": b"3"})
    assert [member.name for member in members.contents(path).members] == ["root.wav"]


def test_a_changed_tar_is_indexed_again(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"a": b"old"})
    assert members.read_bytes(path / "a") == b"old"
    write_tar(path, {"b": b"2" * 2000, "a": b"newer"})
    assert members.read_bytes(path / "a") == b"newer"


@pytest.mark.parametrize("content", [b"", b"\0" * 2048, b"no tar at all" * 1000, b"\x1f\x8b" + b"x" * 5000])
def test_what_is_no_tar_has_no_members(tmp_path, content):
    (tmp_path / "x.tar").write_bytes(content)
    assert members.contents(tmp_path / "x.tar").members == ()


def test_a_folder_whose_name_ends_like_a_tar(tmp_path):
    (tmp_path / "x.tar").mkdir()
    (tmp_path / "x.tar" / "a.wav").write_bytes(b"1")
    assert members.split_path(tmp_path / "x.tar" / "a.wav") is None
    assert members.read_bytes(tmp_path / "x.tar" / "a.wav") == b"1"
