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


def test_what_an_english_model_is_unsure_of_is_not_english():
    assert unlike_english([heard(-0.3), heard(-0.64)]) == ""
    assert "mean log-probability -0.80, below -0.65" in unlike_english([heard(-0.8)])
    assert unlike_english([heard(-0.9, seconds=1.0), heard(-0.2, seconds=9.0)]) == ""
    assert "repeats itself" in unlike_english([heard(-0.2, 5.0), heard(-0.2, seconds=1.0)])
