"""A tape reads as the whole wave does, wherever it is read, and keeps little of it."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.audio import files as audio
from stages.audio import sound
from stages.audio.tape import Tape, from_sample, stretches
from tests.stages.audio.kinds import KINDS, RATE, voice, write

WAVE = np.arange(1000, dtype=np.float32)


def blocks(size: int) -> Iterator[np.ndarray]:
    return (WAVE[at : at + size] for at in range(0, len(WAVE), size))


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 300),
    kept=st.integers(0, 400),
    cuts=st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 300)), max_size=20),
)
def test_it_reads_as_the_wave_does(size: int, kept: int, cuts: list[tuple[int, int]]) -> None:
    tape = Tape(lambda: blocks(size), len(WAVE), kept)
    assert len(tape) == len(WAVE)
    for start, count in cuts:
        np.testing.assert_array_equal(tape[start : start + count], WAVE[start : start + count])
        held = sum(len(block) for _, block in tape._behind)
        assert held < kept + 2 * size
    rest = from_sample(tape, 700)
    np.testing.assert_array_equal(rest[100:5000], WAVE[800:])
    np.testing.assert_array_equal(np.concatenate(list(stretches(tape.again(), 333))), WAVE)


def test_what_is_read_in_order_is_decoded_once() -> None:
    begun = []

    def begin() -> Iterator[np.ndarray]:
        begun.append(True)
        return blocks(50)

    tape = Tape(begin, len(WAVE), 200)
    for start in range(0, 900, 90):
        tape[start : start + 90]
        tape[max(0, start - 60) : start]
    assert len(begun) == 1
    tape[0:10]
    assert len(begun) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "g722"])
def test_a_long_recording_has_the_samples_of_a_short_one(kind: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(kind, path := tmp_path / "a.bin", 2.0)
    whole, rate = audio.read(path)
    short = audio.listen(path)
    monkeypatch.setattr(sound, "WHOLE_S", 0.5)
    monkeypatch.setattr(sound, "KEPT_S", 0.2)
    (other := tmp_path / "b.bin").write_bytes(path.read_bytes())
    long = audio.listen(other)
    assert isinstance(long.wave, Tape)
    assert long.info == short.info
    np.testing.assert_array_equal(audio.read(other)[0], whole)
    for start, end in ((1000, 3000), (100, 900), (rate, len(whole)), (0, 10)):
        np.testing.assert_array_equal(audio.read(other, start, end)[0], whole[start:end])
    for to_rate in (16_000, 24_000, 22_050, rate):
        np.testing.assert_array_equal(long.resampled(to_rate)[:], audio.resample(whole, rate, to_rate))


@pytest.mark.parametrize("right", [-1.0, -0.5, 0.0])
def test_the_channels_of_a_long_recording_are_mixed_alike(
    right: float, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    stereo = np.stack([voice(2.0), right * voice(2.0)], axis=1)
    for name in ("a.mp3", "b.mp3"):
        soundfile.write(tmp_path / name, stereo, RATE)
    whole = audio.read(tmp_path / "a.mp3")[0]
    monkeypatch.setattr(sound, "WHOLE_S", 0.5)
    np.testing.assert_array_equal(audio.read(tmp_path / "b.mp3", 5000, 30_000)[0], whole[5000:30_000])
    assert audio.channels_cancel(tmp_path / "b.mp3") == (right == -1.0)
