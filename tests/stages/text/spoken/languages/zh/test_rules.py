"""Chinese written text in words, a test a kind."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.phonemes import in_words, phonemize
from stages.text.spoken.table import speak

MARKS = re.compile(r"[.!?;:,…、。，]")
WRITTEN = """
1998年 3月5日 2个 2点 第2 3.5% -5℃ $5.20 ¥1,200 3-5个 10~20 14:30 3:2 1/3 2又1/2 13812345678 A4 PM2.5 80后 5kg
50km/h 2024/5/6 12.5.6 192.168.1.1 1米75 10元/斤 3+4=7 √2 №5 #3 007 １０ 周一~周五 § Q&A 的 ， 。 3，5
"""


@pytest.mark.parametrize(
    ("kind", "written", "spoken"),
    [
        ("cardinal", "买了36个橘子", "买了三十六个橘子"),
        ("cardinal", "10,208", "一万零二百零八"),
        ("cardinal", "2本书、22本书", "两本书、二十二本书"),
        ("cardinal", "200元和2000元", "二百元和两千元"),
        ("ordinal", "第2次，2月2号", "第二次，二月二号"),
        ("ordinal", "2楼2班", "二楼二班"),
        ("ordinal", "No.8", "第八"),
        ("decimal", "圆周率是3.14", "圆周率是三点一四"),
        ("decimal", "1.6亿", "一点六亿"),
        ("date", "1987年", "一九八七年"),
        ("date", "90年代", "九十年代"),
        ("date", "1960年代", "一九六零年代"),
        ("date", "3000年历史", "三千年历史"),
        ("date", "2019/11/03", "二零一九年十一月三日"),
        ("date", "公元前551年", "公元前五五一年"),
        ("date", "2011-2013年", "二零一一到二零一三年"),
        ("date", "90后", "九零后"),
        ("time", "9:05", "九点五分"),
        ("time", "2:30", "两点三十分"),
        ("time", "7:00", "七点"),
        ("range", "5:3获胜", "五比三获胜"),
        ("fraction", "3/7", "七分之三"),
        ("percent", "15%", "百分之十五"),
        ("percent", "10%-15%", "百分之十到百分之十五"),
        ("percent", "-2.5%", "负百分之二点五"),
        ("money", "€35", "三十五欧元"),
        ("money", "￥6.50", "六元五角"),
        ("money", "$2.5万", "二点五万美元"),
        ("measure", "28℃", "二十八摄氏度"),
        ("measure", "90平方米和2kg", "九十平方米和两千克"),
        ("measure", "120km/h", "一百二十千米每小时"),
        ("measure", "身高1米68", "身高一米六八"),
        ("measure", "8元/斤", "八元每斤"),
        ("range", "6-8人", "六到八人"),
        ("range", "12~15岁", "十二到十五岁"),
        ("telephone", "13900001111", "一三九零零零零一一一一"),
        ("serial", "CA1588航班", "CA一五八八航班"),
        ("serial", "503房间", "五零三房间"),
        ("serial", "10.1.2.3", "一零点一点二点三"),
        ("symbol", "6×7=42", "六乘七等于四十二"),
        ("symbol", "10-4=6", "十减四等于六"),
    ],
)
def test_kinds(kind: str, written: str, spoken: str) -> None:
    assert kind
    assert speak(written, "zh").text == spoken


@pytest.mark.parametrize("text", ["好~我来了", "第一次", "他说一不二", "R&B音乐", "NBA比赛", "一九九八年"])
def test_what_needs_no_reading_stays(text: str) -> None:
    said = speak(text, "zh")
    assert said.text == text
    assert not said.changes


def test_digits_have_the_tones_of_words() -> None:
    for written, words in (("1998年", "一九九八年"), ("3.5元", "三点五元"), ("2个", "两个"), ("第1", "第一")):
        assert phonemize([written], "zh") == phonemize([words], "zh")


def test_a_comma_between_numbers_ends_the_first() -> None:
    assert in_words("电话是13900001111，010是区号", "zh").startswith("电话是一三九零零零零一一一一")
    assert in_words("１，０００人", "zh") == "一千人"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WRITTEN.split()), min_size=1, max_size=6).map("".join))
def test_reading_leaves_no_digit_adds_no_mark_and_is_idempotent(text: str) -> None:
    said = in_words(text, "zh")
    assert not re.search(r"\d", said)
    assert speak(said, "zh").text == said
    assert len(MARKS.findall(said)) <= len(MARKS.findall(text))


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**40), 10**40).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str))
def test_no_number_is_left_in_digits(number: str) -> None:
    for text in (number, f"大约{number}元"):
        assert not re.search(r"\d", speak(text, "zh").text)
