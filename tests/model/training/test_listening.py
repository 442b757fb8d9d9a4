"""The judge of samples: what it hears is compared word by word, and it must be there before the run."""

from typing import Any

import numpy as np
import pytest

from model.training import listening
from model.training.listening import Heard, Listener, error_rate
from stages.errors import WeightsError
from stages.hearing.words import SAMPLE_RATE


class Whisper:
    """Says what it is told to, and keeps how long what it heard was."""

    says = ""
    languages = frozenset({"en"})
    name = "stand-in"

    def __init__(self, model: str, device: str, **_: Any) -> None:
        self.lengths: list[int] = []

    def check(self, languages: Any) -> None:
        if set(languages) - self.languages:
            raise WeightsError("knows only English")

    def hear(self, wave: np.ndarray, language: str) -> str:
        self.lengths.append(len(wave))
        return self.says


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[Whisper]:
    monkeypatch.setattr(listening, "Whisper", Whisper)
    return Whisper


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("It costs $5, Mr. Brown!", Heard("it costs five dollars mister brown", 0, 5)),
        ("The old man.", Heard("the bold man", 1, 3)),
        ("The old man.", Heard("", 3, 3)),
        ("Go.", Heard("go go go", 2, 1)),
    ],
)
def test_words_are_compared_as_they_are_said(
    whisper: type[Whisper], monkeypatch: pytest.MonkeyPatch, text: str, heard: Heard
) -> None:
    monkeypatch.setattr(whisper, "says", heard.text)
    listener = Listener("packaged", "cpu", ["en"])
    assert listener.hear(np.zeros(24_000, np.float32), 24_000, text, "en") == heard
    assert listener._whisper.lengths == [SAMPLE_RATE]  # type: ignore[attr-defined]


def test_the_rate_is_of_all_words() -> None:
    assert error_rate([Heard("", 3, 3), Heard("a", 0, 9)]) == 0.25
    assert error_rate([Heard("x", 1, 0)]) is None


def test_a_judge_that_isnt_there_or_knows_another_language(whisper: type[Whisper]) -> None:
    with pytest.raises(WeightsError, match="only English"):
        Listener("packaged", "cpu", ["en", "de"])


def test_no_download_is_tried(tmp_path: Any) -> None:
    with pytest.raises(WeightsError, match=r"`trainer.judge` must be a folder of a whisper model.*or leave it out"):
        Listener(str(tmp_path / "none"), "cpu", ["en"])
