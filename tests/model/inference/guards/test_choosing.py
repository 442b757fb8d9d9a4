"""Judges: the likelihood, the model's own hearing, and a whisper model."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.decoding.asks import Response
from model.decoding.hearing import Heard
from model.inference.guards import choosing
from model.inference.guards.choosing import Likelihood, Phonemes, Words, judge_for
from model.inference.guards.guard import Guard
from stages.codecs.table import load_codec
from stages.errors import WeightsError
from stages.text.phonemes import phonemize
from tests.stages.tiny_whisper import build_whisper

(PHONEMES,) = phonemize(["Good morning, everyone."], "en")


def made(logprob: float | None = None, frames: int = 40) -> Response:
    return Response(np.full((8, frames), frames, np.uint16), "stop", logprob)


def test_the_likeliest_has_the_lowest_rate() -> None:
    rates = Likelihood().rate([made(-3.0), made(-2.0), made(-4.0)], PHONEMES, "en")
    assert sorted(range(3), key=rates.__getitem__) == [1, 0, 2]


def test_the_model_hears_which_says_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [*phonemize(["Good evening, everyone.", "Good morning everyone", "Good morning, everyone."], "en"), ""]
    asked: dict[str, Any] = {}

    def hear(network: object, tokenizer: object, speech: list[Any], **given: Any) -> list[Heard]:
        asked.update(given, count=len(speech))
        return [Heard("en", text, ended=True) for text in said]

    monkeypatch.setattr(choosing, "hear", hear)
    judge = Phonemes(SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]
    rates = judge.rate([made(-1.0), made(-3.0), made(-2.0), made(-0.5)], PHONEMES, "en")
    assert [rate for rate, _ in rates[1:3]] == [0, 0], "punctuation isn't heard"
    assert 0 < rates[0][0] < rates[3][0] == 1
    assert min(rates) == rates[2], "among equals the likelier one"
    assert asked["language"] == "en"
    assert asked["count"] == 4
    assert asked["max_tokens"] > len(PHONEMES)


def test_a_whisper_hears_words_and_its_phonemes_count(tmp_path: Path) -> None:
    folder = build_whisper(tmp_path, language="en", says="Good morning, everyone.")
    guard = Guard(best_of=2, best_by=f"whisper:{folder}")
    network = SimpleNamespace(token_embedding=SimpleNamespace(weight=SimpleNamespace(device="cpu")))
    judge = judge_for(guard, network, SimpleNamespace(), load_codec("embedded"))  # type: ignore[arg-type]
    assert isinstance(judge, Words)
    assert judge.whisper is choosing.whisper_at(str(folder), "cpu"), "it is loaded once"
    (rate, _) = judge.rate([made()], PHONEMES, "en")[0]
    (other, _) = judge.rate([made()], phonemize(["Something else is said here."], "en")[0], "en")[0]
    assert rate < 0.5 < other


def test_a_whisper_that_is_not_there_is_told(tmp_path: Path) -> None:
    network = SimpleNamespace(token_embedding=SimpleNamespace(weight=SimpleNamespace(device="cpu")))
    with pytest.raises(WeightsError, match=r"`--best-by` must be a folder in CTranslate2's format, but .* lacks"):
        judge_for(Guard(best_of=2, best_by=f"whisper:{tmp_path}"), network, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]


def test_nobody_judges_a_single_response() -> None:
    nothing: Any = SimpleNamespace()
    assert judge_for(Guard(best_by="stt"), nothing, nothing, nothing) is None
    assert isinstance(judge_for(Guard(best_of=2), nothing, nothing, nothing), Likelihood)
    assert isinstance(judge_for(Guard(best_of=2, best_by="stt"), nothing, nothing, nothing), Phonemes)
