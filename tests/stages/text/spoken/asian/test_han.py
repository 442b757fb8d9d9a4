"""Numbers in Chinese letters, against num2words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from stages.text.spoken.asian.han import hanzi_number, kanji_number


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**16 - 1))
def test_japanese_numbers(value: int) -> None:
    # num2words leaves out the 一 of 一千万.
    ours = kanji_number(value)
    for myriad in "京兆億万":
        ours = ours.replace(f"一千{myriad}", f"千{myriad}") if ours.startswith(f"一千{myriad}") else ours
    assert ours.replace("一千", "千") == num2words(value, lang="ja").replace("一千", "千")


def parsed(words: str) -> int:
    """Returns the value of a Chinese number: the largest power in it divides it in two."""
    for power, unit in ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十")):
        high, found, low = words.rpartition(unit) if unit == "亿" else words.partition(unit)
        if found:
            return (parsed(high) if high.strip("零") else 1) * power + parsed(low)
    return "零一二三四五六七八九".index(words.strip("零").replace("两", "二")) if words.strip("零") else 0


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**16 - 1))
def test_chinese_numbers_mean_what_they_say(value: int) -> None:
    assert parsed(hanzi_number(value)) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "零"),
        (2, "二"),
        (20, "二十"),
        (2000, "两千"),
        (20_000, "两万"),
        (22_000, "两万二千"),
        (200_000_000, "两亿"),
        (10_010, "一万零一十"),
    ],
)
def test_two_and_zero_in_chinese(value: int, words: str) -> None:
    assert hanzi_number(value) == words
