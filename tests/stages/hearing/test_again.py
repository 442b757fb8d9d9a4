"""Cuts heard again: by a tiny whisper in the real format, and by a stand-in for the order of the work."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.errors import WeightsError
from stages.hearing.again import Hearings, SecondHearing, _windows, identity, problem
from stages.hearing.words import Whisper
from stages.records import Wave
from tests.stages.tiny_whisper import build_whisper

RATE = 16_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_whisper(tmp_path_factory.mktemp("model"), language="en", says="hello there")


def noise(seconds: float, seed: int = 0) -> Wave:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def test_a_model_hears_each_cut(model: Path) -> None:
    hearing = SecondHearing(str(model))
    assert hearing.at_once == 1, "on the CPU a batch could round otherwise than its singles"
    assert hearing.knows("de")
    assert not hearing.knows("xx")
    assert hearing.hear([noise(1), noise(2, 1)], "en") == ["hello there", "hello there"]
    assert hearing.hear([noise(40)], "en") == ["hello there hello there"], "it hears 30 s at once"


def test_hearing_leaves_the_threads_of_others_alone(model: Path) -> None:
    """Making a model of CTranslate2 sets OpenMP's number of threads for the whole process."""
    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        SecondHearing(str(model))
        Whisper(str(model), "cpu", option="--asr", way_out="")
        assert torch.get_num_threads() == before + 2
    finally:
        torch.set_num_threads(before)


def test_a_model_is_known_by_its_content(model: Path, tmp_path: Path) -> None:
    assert problem(str(model)) == ""
    assert len(identity(str(model))) == 16
    assert identity(str(tmp_path)) == "missing"
    assert "`transcribe.verify` must be a folder in CTranslate2's format" in problem(str(tmp_path))
    with pytest.raises(WeightsError, match=r"transcribe\.verify"):
        SecondHearing(str(tmp_path))


def test_a_broken_model_says_so(model: Path, tmp_path: Path) -> None:
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:100] if path.name == "model.bin" else path.read_bytes())
    with pytest.raises(WeightsError, match=r"`transcribe\.verify` can't be loaded from"):
        SecondHearing(str(tmp_path))


def test_windows_hold_everything_and_end_at_quiet_points() -> None:
    wave = noise(70)
    quiet = round(27.5 * RATE)
    wave[quiet - 800 : quiet + 800] = 0
    windows = list(_windows(wave))
    np.testing.assert_array_equal(np.concatenate(windows), wave)
    assert max(map(len, windows)) <= 30 * RATE
    assert abs(len(windows[0]) - quiet) <= 800


class _Ear:
    """Stand-in that hears the length of each cut."""

    at_once = 2

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def knows(self, language: str) -> bool:
        return language != "xx"

    def hear(self, waves: Sequence[Wave], language: str) -> list[str]:
        self.calls.append((language, len(waves)))
        return [f"{language} {len(wave)}" for wave in waves]


def test_cuts_are_heard_by_language_as_many_as_fit() -> None:
    ear = _Ear()
    hearings = Hearings(ear)  # type: ignore[arg-type]
    for key, language in (("a", "de"), ("b", "en"), ("c", "de"), ("d", "xx"), ("e", "de")):
        hearings.add(key, np.zeros(ord(key), np.float32), language)
    assert ear.calls == [("de", 2)]
    hearings.flush()
    assert ear.calls == [("de", 2), ("de", 1), ("en", 1)]
    assert hearings.results == {"a": "de 97", "c": "de 99", "e": "de 101", "b": "en 98"}
