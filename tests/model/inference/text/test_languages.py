"""The language of a text, among those of a training set."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.checkpoints.checkpoint import Checkpoint
from model.inference.text.languages import known_language, language_of
from stages.errors import TextError, UsageError
from tests.model.conftest import TOKENIZER, make_config, make_snapshot


def trained(*languages: str, configured: list[str] | None = None) -> Checkpoint:
    """A model as if trained on these languages."""
    config = make_config(data__languages=configured)
    meta = replace(make_snapshot(config, 1).meta, languages=languages)
    return Checkpoint(Path("run"), config, TOKENIZER, meta, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["Help me.", "No problem.", "So do I.", "Hello Anna.", "42", "Das Wetter ist schön."])
def test_a_model_of_one_language_speaks_that_language(text: str) -> None:
    assert language_of(text, None, trained("en")) == "en"
    assert language_of(text, None, trained(configured=["en"])) == "en", "an older checkpoint"


def test_one_of_several_is_chosen_the_most_frequent_if_in_doubt() -> None:
    assert language_of("Das Wetter ist heute schön, wir gehen los.", None, trained("en", "de")) == "de"
    assert language_of("Ja, klar.", None, trained("de", "en")) == "de"
    assert language_of("No problem.", None, trained("en", "de", "ja")) == "en"
    assert language_of("天気がいいです。", None, trained("en", "ja")) == "ja"
    assert language_of("zero", None, trained("it", "en")) == "it"
    with pytest.raises(TextError, match=r"`42` must hold letters.*`--language`"):
        language_of("42", None, trained("en", "de"))
    assert language_of("42", "German", trained("en", "de")) == "de"


def test_a_language_that_it_wasn_t_trained_on_is_told() -> None:
    for model in (trained("en", "ja"), trained(configured=["en", "ja"])):
        with pytest.raises(
            UsageError, match=r"`language` must be one that `run` was trained on \(en, ja\), but is `de`"
        ):
            known_language("de", model)
        assert known_language("Japanese", model) == "ja"


def test_an_older_model_may_know_any() -> None:
    assert language_of("Das Wetter ist heute schön, wir gehen los.", None, trained()) == "de"
    assert known_language("ko", trained()) == "ko"
