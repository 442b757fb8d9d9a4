"""What counts as misheard: words that differ, not ways of spelling them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.utterances.misheard import compared

SAME = [
    ("en", "THE BEST EMETIC, sir!", "the best emetic sir"),
    ("en", "In eighteen forty-four, twenty-one men", "In 1844, 21 men."),
    ("en", "mister smith paid five dollars", "Mr. Smith paid $5."),
    ("en", "don't you know", "Don’t you know?"),
    ("en", "the colour of every one", "The color of everyone."),
    ("en", "their night", "There, knight."),
    ("de", "Straße Nummer sieben", "strasse nummer 7"),
    ("fr", "L'école est là", "l’ecole est là"),
    ("ja", "今日は良い天気です", "きょうはよいてんきです。"),
    ("zh", "今天天气很好", "今天天氣很好。"),
    ("hi", "नमस्ते दुनिया", "नमस्ते, दुनिया!"),
]


@pytest.mark.parametrize(("language", "text", "heard"), SAME)
def test_spelling_is_no_mistake(language: str, text: str, heard: str) -> None:
    found = compared(text, heard, language)
    assert found.text == heard
    assert max(found.misheard, found.first, found.last) <= 0.25


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("But behold these kine.", "He never asked me for any money."),
        ("You walk", "The committee met again on the following afternoon."),
        ("He began a confused complaint against the wizard.", "We are glad to welcome his gospel."),
        ("Es wird heute regnen.", "We will see each other again tomorrow."),
    ],
)
def test_another_text_is_far_away(text: str, heard: str) -> None:
    assert compared(text, heard, "en").misheard > 0.6


@pytest.mark.parametrize(
    ("heard", "first", "last"),
    [
        ("Something wicked this way comes.", False, False),
        ("Thing wicked this way comes.", True, False),
        ("wicked this way comes.", True, False),
        ("Something wicked this way.", False, True),
        ("Now then, something wicked this way comes.", True, False),
        ("Something wicked this way comes to you and me.", False, True),
        ("Something wicked that day comes.", False, False),
        ("", True, True),
    ],
)
def test_the_ends_are_told_apart(heard: str, first: bool, last: bool) -> None:
    found = compared("Something wicked this way comes.", heard, "en")
    assert (found.first > 0.4, found.last > 0.4) == (first, last), found


def test_a_number_at_an_end_is_no_small_part_of_it() -> None:
    assert compared("one two three four", "one two three", "en").last == 1
    assert compared("It was in eighteen forty-four", "It was in 1844.", "en").last == 0


def test_a_short_word_is_judged_with_its_neighbour() -> None:
    assert compared("A boat sailed by.", "The boat sailed by.", "en").first <= 0.6
    assert compared("I see.", "I see.", "en").last == 0


def test_where_nothing_can_be_said_all_that_is_heard_is_too_much() -> None:
    assert compared("…", "", "en").misheard == 0
    assert compared("…", "Hello.", "en").misheard == 1


@settings(max_examples=25, deadline=None)
@given(st.text("abc dé 12.,!?'", min_size=1, max_size=30), st.text("abc dé 12.,!?'", max_size=30))
def test_the_rates_are_bounded_and_zero_for_the_text_itself(text: str, heard: str) -> None:
    found = compared(text, heard, "de")
    assert 0 <= found.first <= 1
    assert 0 <= found.last <= 1
    assert found.misheard >= 0
    itself = compared(text, text.upper(), "de")
    assert (itself.misheard, itself.first, itself.last) == (0, 0, 0) or not any(map(str.isalnum, text))
