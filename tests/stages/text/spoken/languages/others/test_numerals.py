"""Numerals of our own: Turkish against num2words, Greek and Hindi by what a grammar says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from stages.text.spoken.languages.others.numerals import greek, hindi, turkish


@given(st.integers(0, 9999))
def test_turkish_agrees_with_num2words_but_for_spaces(number: int) -> None:
    assert turkish(number).replace(" ", "") == num2words(number, lang="tr").replace(" ", "")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "μηδέν"),
        (100, "εκατό"),
        (114, "εκατόν δεκατέσσερα"),
        (1000, "χίλια"),
        (1821, "χίλια οκτακόσια είκοσι ένα"),
        (21_300, "είκοσι μία χιλιάδες τριακόσια"),
        (304_000, "τριακόσιες τέσσερις χιλιάδες"),
        (2_000_001, "δύο εκατομμύρια ένα"),
    ],
)
def test_greek_thousands_are_feminine(number: int, words: str) -> None:
    assert greek(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "शून्य"),
        (38, "अड़तीस"),
        (150, "एक सौ पचास"),
        (100_000, "एक लाख"),
        (12_345_678, "एक करोड़ तेईस लाख पैंतालीस हज़ार छह सौ अठहत्तर"),
    ],
)
def test_hindi_counts_in_lakhs_and_crores(number: int, words: str) -> None:
    assert hindi(number) == words


@pytest.mark.parametrize("say", [turkish, greek, hindi])
def test_no_two_numbers_are_said_alike(say: object) -> None:
    assert callable(say)
    assert len({say(number) for number in range(2000)}) == 2000
