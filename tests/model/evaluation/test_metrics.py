"""Error rates against jiwer and torchmetrics, intervals against their definition, and the text that is counted."""

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.metrics import (
    bootstrap,
    characters,
    distance,
    error_rate,
    words_f5,
    words_librispeech,
    words_seed_tts,
)

WORDS = st.lists(st.sampled_from(["the", "a", "cat", "sat", "on", "mat", "hat", "that"]), min_size=1, max_size=12)


@given(WORDS, WORDS)
def test_rates_are_those_of_jiwer_and_torchmetrics(wanted: list[str], heard: list[str]) -> None:
    from torchmetrics.functional.text import char_error_rate, word_error_rate

    reference, hypothesis = " ".join(wanted), " ".join(heard)
    assert error_rate(wanted, heard) == pytest.approx(jiwer.wer(reference, hypothesis))
    assert error_rate(wanted, heard) == pytest.approx(float(word_error_rate(hypothesis, reference)))
    letters = characters(wanted, "en"), characters(heard, "en")
    assert error_rate(*letters) == pytest.approx(jiwer.cer(reference, hypothesis))
    assert error_rate(*letters) == pytest.approx(float(char_error_rate(hypothesis, reference)))


def test_what_is_not_heard_and_what_is_heard_too_much() -> None:
    assert error_rate(["one", "two"], []) == 1
    assert error_rate(["one"], ["one", "and", "more"]) == 2
    assert distance([], ["one"]) == 1
    with pytest.raises(ValueError, match="must have at least one symbol"):
        error_rate([], ["one"])


def test_the_interval_holds_the_means_of_what_is_drawn_and_its_seed_decides() -> None:
    rng = np.random.default_rng(1)
    values = rng.beta(0.3, 4, 200)
    mine = bootstrap(list(values), seed=3, resamples=4000)
    means = [rng.choice(values, len(values)).mean() for _ in range(4000)]
    assert mine.mean == pytest.approx(values.mean())
    assert (mine.low, mine.high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.003)
    assert mine == bootstrap(list(values), seed=3, resamples=4000)
    assert mine != bootstrap(list(values), seed=4, resamples=4000)
    for same in ([0.25], [0.25] * 3):
        one = bootstrap(same)
        assert (one.mean, one.low, one.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("words", "text", "language", "counted"),
    [
        (words_seed_tts, "Well - I don't, Sir!", "en", "well i don't sir"),
        (words_f5, "Well - I don't, Sir!", "en", "well i dont sir"),
        (words_seed_tts, "don’t “quote” me…", "en", "dont quote me"),
        (words_seed_tts, "你好， 世界。", "zh", "你 好 世 界"),
        (words_librispeech, "MISTER SMITH DIDN'T OWE TWENTY ONE", "en", "mister smith did not owe 21"),
        (words_librispeech, "Mr. Smith didn’t owe 21.", "en", "mister smith did not owe 21"),
    ],
)
def test_text_is_counted_as_each_protocol_does(words, text: str, language: str, counted: str) -> None:
    assert words(text, language) == counted.split()


def test_chinese_has_no_spaces_to_count() -> None:
    assert characters(["你", "好"], "zh") == ["你", "好"]
    assert characters(["a", "b"], "en") == ["a", " ", "b"]
