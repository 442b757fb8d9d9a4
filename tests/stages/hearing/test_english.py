import json

import pytest

from stages.hearing.asr import weights
from stages.hearing.english import problem, unlike_english
from stages.hearing.heard import Heard


def model(folder, words: int) -> str:
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (folder / name).touch()
    (folder / "vocabulary.json").write_text(json.dumps([str(n) for n in range(words)]))
    return str(folder)


@pytest.mark.parametrize(
    ("languages", "candidates", "refused"),
    [
        ({"en": 3}, [], ""),
        ({None: 3}, [], ""),
        ({None: 3}, ["de", "en"], ""),
        ({None: 3}, ["de", "sv"], "`de` (3 recordings), `sv` (3 recordings)"),
        ({"en": 1, "de": 6, "zh": 2}, [], "`de` (6 recordings), `zh` (2 recordings)"),
    ],
)
def test_another_language_than_english_is_refused_by_an_english_model(tmp_path, languages, candidates, refused):
    found = problem(model(tmp_path, 51_864), languages, candidates)
    assert (refused in found) if refused else found == ""
    assert problem(model(tmp_path, 51_865), languages, candidates) == ""


def test_the_vocabulary_tells_in_both_forms(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for lines, english in ((51_864, True), (51_866, False)):
        (folder / "vocabulary.txt").write_text("word\n" * lines)
        assert weights.speaks_only_english(folder) == english


def heard(avg_logprob: float, ratio: float = 1.2, seconds: float = 2.0) -> Heard:
    return Heard("said", 0.0, seconds, avg_logprob, 0.1, ratio, "en", None)


def reason(*stretches: Heard) -> tuple[str, str]:
    found = unlike_english("one", stretches)
    return (found.reason, f"{found.message} {found.hint}") if found else ("", "")


def test_what_an_english_model_is_unsure_of_is_not_english():
    assert reason(heard(-0.3), heard(-0.64)) == ("", "")
    name, message = reason(heard(-0.8))
    assert name == "NotEnglish"
    assert "mean log-probability -0.80, below -0.65" in message
    assert reason(heard(-0.9, seconds=1.0), heard(-0.2, seconds=9.0)) == ("", "")
    name, message = reason(heard(-0.2, 5.0), heard(-0.2, seconds=1.0))
    assert name == "NotEnglish"
    assert "repeats itself" in message


@pytest.mark.parametrize(("avg_logprob", "left_out"), [(-0.3, ""), (-0.62, "TooLittleSpeech"), (-2, "TooLittleSpeech")])
def test_a_word_is_too_little_to_tell_that_it_is_not_english(avg_logprob, left_out):
    name, message = reason(heard(avg_logprob, seconds=0.6), heard(avg_logprob, seconds=0.5))
    assert name == left_out
    assert not name or "1.1 s of speech are too short to tell whether it is English" in message
    assert not name or "transcribe.language=en" in message
