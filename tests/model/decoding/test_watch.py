"""The watch against a plain reference, on faults made by hand, and on real speech."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from model.decoding.watch import CHECK_FRAMES, Watch
from stages.codecs.silence import silent_codes
from stages.codecs.table import load_codec
from tests.model.conftest import REAL_CODES

SMALL = Watch(silent=(0, 3), longest_period=5, repeated_frames=6, silence_frames=8, near=2, repeats=2)
"""A watch whose limits short rows of few codes reach."""


def fresh(watch: Watch, codes: list[int]) -> list[bool]:
    """Which frames are neither silence nor a code of the last few frames; those before a row's beginning are none."""
    return [
        code not in watch.silent and code not in codes[max(0, place - watch.near) : place]
        for place, code in enumerate(codes)
    ]


def expected(watch: Watch, codes: list[int]) -> tuple[bool, bool, int]:
    """Whether a row repeats itself and is silent, and the frames before that, frame by frame."""
    marks = fresh(watch, codes)
    length = len(codes)
    for period in range(1, watch.longest_period + 1):
        window = max(watch.repeated_frames, watch.repeats * period)
        if length < window + period:
            continue
        counted = [place for place in range(length - window, length) if marks[place]]
        same = [place for place in counted if codes[place] == codes[place - period]]
        if len(counted) >= watch.least_fresh * window and len(same) >= watch.alike * len(counted):
            return True, False, max(1, same[0])
    still = length >= watch.silence_frames and (
        sum(not mark for mark in marks[length - watch.silence_frames :]) >= watch.still * watch.silence_frames
    )
    return False, still, max(1, length - int(watch.still * watch.silence_frames)) if still else max(1, length)


@st.composite
def rows(draw: st.DrawFn) -> list[int]:
    """Rows in which stretches come again, are held or silent, with a few other codes among them."""
    row: list[int] = draw(st.lists(st.integers(0, 9), max_size=12))
    for _ in range(draw(st.integers(0, 2))):
        part = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6))
        row += part * draw(st.integers(1, 6))
    return row[:40] or [1]


@given(st.lists(rows(), min_size=1, max_size=5), st.integers(-9, 99))
def test_it_sees_what_a_plain_reference_sees(batch: list[list[int]], rubbish: int) -> None:
    codes_BT = torch.full((len(batch), 40), rubbish)
    for row, codes in enumerate(batch):
        codes_BT[row, : len(codes)] = torch.tensor(codes)
    seen = SMALL.look(codes_BT, torch.tensor([len(codes) for codes in batch]))
    found = list(zip(seen.loops_B.tolist(), seen.silent_B.tolist(), seen.kept_B.tolist(), strict=True))
    assert found == [expected(SMALL, codes) for codes in batch]


def test_a_watch_without_silent_codes_and_an_empty_row() -> None:
    watch = Watch((), 5, 6, 8, 2)
    seen = watch.look(torch.zeros(2, 20, dtype=torch.int64), torch.tensor([0, 20]))
    assert seen.silent_B.tolist() == [False, True], "a code that is held is no speech, whatever it is"
    assert seen.loops_B.tolist() == [False, False]


def babble(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 1000, frames))


WATCH = Watch.at(75.0, (1000, 1001, 1002))


@pytest.mark.parametrize("period", [20, 75, 110])
@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_a_word_that_is_said_again_and_again_is_found_where_it_begins_to_repeat(period: int, wrong: float) -> None:
    said, again = babble(200), babble(period, 1).repeat(600 // period)
    drawn = np.random.default_rng(2).random(len(again)) < wrong / 2
    codes_T = torch.cat((said, torch.where(torch.from_numpy(drawn), babble(len(again), 3), again)))
    found = WATCH.first(codes_T)
    assert found is not None
    kind, kept = found
    assert kind == "loop"
    assert 200 + period <= kept <= 200 + 2 * period + CHECK_FRAMES, "what was said stays, and little of what repeats it"


def test_a_silence_is_found_where_it_begins() -> None:
    quiet = torch.from_numpy(np.random.default_rng(1).choice([1000, 1001, 1002], 500))
    quiet[::20] = 7  # a click now and then
    assert WATCH.first(torch.cat((babble(200), quiet[:300], babble(200, 1)))) is None
    found = WATCH.first(torch.cat((babble(200), quiet)))
    assert found is not None
    assert found[0] == "silence"
    assert 200 <= found[1] <= 200 + 38 + CHECK_FRAMES
    buzz = WATCH.first(torch.cat((babble(200), babble(3, 1).repeat(200))))
    assert buzz is not None
    assert buzz[0] == "silence", "a steady sound is no speech either"


def test_what_is_sound_is_left_alone() -> None:
    assert WATCH.first(babble(2000)) is None
    twice = torch.cat((babble(100), babble(60, 1), babble(60, 1), babble(100, 2)))
    assert WATCH.first(twice) is None, "a word may be said twice"


class NoReads(TorchDispatchMode):
    """Fails where a value is read on the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default}
        return func(*args, **(kwargs or {}))


def test_a_look_reads_no_value_on_the_host() -> None:
    codes_BT, lengths_B = babble(1600).view(4, 400), torch.tensor([1, 50, 300, 400])
    WATCH.look(codes_BT, lengths_B)  # its tables are made once
    with NoReads():
        WATCH.look(codes_BT, lengths_B)
    with pytest.raises(AssertionError), NoReads():
        lengths_B.max().item()


def test_real_speech_raises_no_alarm(recordings: Path) -> None:
    from stages.audio.files import read_at

    codec = load_codec("embedded")
    silent = silent_codes(codec)
    assert 40 <= len(silent) <= 120
    watch = Watch.at(codec.frame_rate, silent)
    folders = ("librispeech-test-other", "vctk", "ljspeech", "multilingual-de")
    paths = [path for folder in folders for path in sorted((recordings / folder).rglob("*.[fw][la][av]*"))[::12]]
    if len(paths) < 8:
        pytest.skip("needs ../shared/speech")
    waves = [torch.from_numpy(read_at(path, codec.sample_rate).copy()) for path in paths]
    alarms = {path: watch.first(codes_KT[0]) for path, codes_KT in zip(paths, codec.encode(waves), strict=True)}
    assert not {path.name: seen for path, seen in alarms.items() if seen}
    spoken = codec.encode([waves[0]])[0][0][:200]
    assert watch.first(torch.cat((spoken, spoken[80:130].repeat(8)))) is not None
    hush = codec.encode([torch.randn(6 * codec.sample_rate, generator=torch.Generator().manual_seed(1)) * 3e-4])[0][0]
    assert watch.first(torch.cat((spoken, hush))) is not None


def test_real_codes_of_encodec_raise_no_alarm() -> None:
    paths = sorted(REAL_CODES.glob("vallex_*.npz"))
    if not paths:
        pytest.skip("needs ../shared/encodec_codes")
    watch = Watch.at(75.0, ())
    for path in paths:
        codes_T = np.load(path)["audio_tokens"][0, :, 0].astype(np.int64)
        assert watch.first(torch.from_numpy(codes_T)) is None, path.name
