"""Chinese letters in pinyin: letters of several readings, and the changes of tone."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.hanzi import words

POLYPHONES = Path(__file__).with_name("polyphones.tsv")
"""Words and short sentences of our own, the letters in question and their readings before changes of tone."""


def pinyin(text: str) -> str:
    return " ".join("".join(syllables) for _, syllables in words(text))


def test_letters_of_several_readings() -> None:
    rows = [line.split("\t") for line in POLYPHONES.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 200
    right = 0
    for text, letters, wanted in rows:
        at = text.rindex(letters)
        read = [syllable for _, syllables in words(text) for syllable in syllables][at : at + len(letters)]
        pairs = zip(read, wanted.split()[-len(letters) :], strict=True)
        right += all(said in (plain, plain.replace("3", "2")) for said, plain in pairs)
    assert right / len(rows) > 0.97


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("你好", "ni2hao3"),
        ("展览馆", "zhan2lan2guan3"),
        ("小组长", "xiao2zu2zhang3"),
        ("纸老虎", "zhi3lao2hu3"),
        ("老虎很可怕", "lao2hu3 hen2 ke3pa4"),
        ("我也想买雨伞", "wo2 ye3 xiang2 mai3 yu2san3"),
        ("一个人", "yi2ge4 ren2"),
        ("一起", "yi4qi3"),
        ("一天", "yi4tian1"),
        ("一月一日", "yi1yue4 yi1ri4"),
        ("第一次", "di4yi1ci4"),
        ("星期一", "xing1qi1yi1"),
        ("统一", "tong3yi1"),
        ("一百", "yi4bai3"),
        ("三点一四", "san1dian3 yi1 si4"),
        ("三点一刻", "san1dian3 yi2ke4"),
        ("看一看", "kan4yi5kan4"),
        ("好不好", "hao3bu5hao3"),
        ("不对", "bu2dui4"),
        ("不来", "bu4 lai2"),
        ("三只猫", "san1zhi1 mao1"),
        ("只有", "zhi2you3"),
        ("我得走了", "wo3 dei2 zou3 le5"),
        ("高兴地说", "gao1xing4 de5 shuo1"),
        ("他还没还书", "ta1 hai2 mei2 huan2shu1"),
        ("花儿", "hua1er2"),
    ],
)
def test_changes_of_tone(written: str, said: str) -> None:
    heard, expected = pinyin(written), said
    assert heard.replace(" ", "") == expected.replace(" ", "")


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("我們銀行的行長覺得音樂很好", "我们银行的行长觉得音乐很好"),
        ("他們跟著她", "他们跟着她"),
        ("著名", "著名"),
        ("三隻貓", "三只猫"),
    ],
)
def test_traditional_letters_are_read_as_simplified_ones(traditional: str, simplified: str) -> None:
    assert words(traditional) == words(simplified)


@settings(max_examples=100, deadline=None)
@given(st.text("一不三小老组长好展览馆得地只行人一二百点著𠮷彁囧呣嗯〇儿兒", min_size=1, max_size=12))
def test_every_letter_has_a_syllable_or_stands_alone(text: str) -> None:
    found = words(text)
    assert sum(len(word) for word, _ in found) == len(text)
    assert all(len(syllables) == len(word) or (len(word) == 1 and not syllables) for word, syllables in found)
