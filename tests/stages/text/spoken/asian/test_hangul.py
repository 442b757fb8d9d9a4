"""Korean numbers, against num2words, and particles."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from num2words import num2words

from stages.text.spoken.asian.hangul import agreeing, native, sino


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**16 - 1))
def test_sino_korean_numbers(value: int) -> None:
    assume(value < 10**8 or value // 10**4 % 10**4 != 1)  # where num2words says 억만
    assert sino(value) == num2words(value, lang="ko").replace(" ", "")


def test_one_myriad_within_a_number_has_its_one() -> None:
    assert sino(7_200_010_000) == "칠십이억일만"
    assert sino(10_000) == "만"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "한"),
        (2, "두"),
        (3, "세"),
        (4, "네"),
        (10, "열"),
        (20, "스무"),
        (21, "스물한"),
        (31, "서른한"),
        (99, "아흔아홉"),
    ],
)
def test_native_numbers_before_counters(value: int, words: str) -> None:
    assert native(value) == words


@pytest.mark.parametrize(
    ("particle", "word", "form"),
    [("이", "구", "가"), ("가", "삼", "이"), ("으로", "칠", "로"), ("로", "삼", "으로"), ("와", "일", "과")],
)
def test_particles_agree_with_the_word_before_them(particle: str, word: str, form: str) -> None:
    assert agreeing(particle, word) == form
