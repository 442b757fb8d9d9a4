"""Japanese written text in words, a test a kind."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.phonemes import in_words, phonemize, prepared
from stages.text.spoken.table import speak

MARKS = re.compile(r"[.!?;:,…、。]")
WRITTEN = """
3本 1つ 2人 20歳 3月3日 10時30分 600円 第5回 3〜5人 平成16年 H30.4.1 3.5 1/2 50% 午後3:05 03-1234-5678 10分 5kg -3度
No.5 #2 ¥1,200 $5.20 2024/5/6 12/25 A4 3+4=7 東京〜大阪 〜 ～ 007 1,234,567 １０ √2 5日(土) R&B 〒150-0001 は 、 。
"""


@pytest.mark.parametrize(
    ("kind", "written", "spoken"),
    [
        ("cardinal", "みかんを12個買う", "みかんを十二個買う"),
        ("cardinal", "2,500人", "二千五百人"),
        ("cardinal", "１２億3000万円", "十二億三千万円"),
        ("cardinal", "11000000", "千百万"),
        ("serial", "007は", "零零七は"),
        ("decimal", "円周率は3.14", "円周率は三点一四"),
        ("measure", "-7.5度", "マイナス七点五度"),
        ("measure", "体重58.2kg", "体重五十八点二キログラム"),
        ("measure", "湿度40％、25℃", "湿度四十パーセント、二十五度"),
        ("measure", "時速80km/h", "時速八十キロメートル毎時"),
        ("date", "2019/11/03", "二千十九年十一月三日"),
        ("date", "2019-1-3", "二千十九年一月三日"),
        ("date", "H29.7.8", "平成二十九年七月八日"),
        ("date", "R.1", "令和元年"),
        ("date", "9月4日(金)", "九月四日金曜日"),
        ("date", "11/23に", "十一月二十三日に"),
        ("time", "18:05", "十八時五分"),
        ("time", "7:00", "七時"),
        ("time", "PM8:30", "午後八時三十分"),
        ("time", "10分前", "ジュップン前"),
        ("fraction", "2/5", "五分の二"),
        ("fraction", "2と3/4", "二と四分の三"),
        ("money", "¥980", "九百八十円"),
        ("money", "$3.50", "三ドル五十セント"),
        ("money", "€2万", "二万ユーロ"),
        ("range", "4〜6枚", "四から六枚"),
        ("range", "8-10人", "八から十人"),
        ("range", "名古屋〜京都", "名古屋から京都"),
        ("ordinal", "No.7", "ナンバー七"),
        ("telephone", "06-6123-4567", "零六の六一二三の四五六七"),
        ("symbol", "6×7=42", "六かける七イコール四十二"),
        ("symbol", "鈴木&佐藤", "鈴木アンド佐藤"),
    ],
)
def test_kinds(kind: str, written: str, spoken: str) -> None:
    assert kind
    assert speak(written, "ja").text == spoken


@pytest.mark.parametrize("text", ["あ〜そうだ", "三人で行く", "R&Bが好き", "NHKのニュース", "十分です", "えーと…"])
def test_what_needs_no_reading_stays(text: str) -> None:
    said = speak(text, "ja")
    assert said.text == text
    assert not said.changes


@pytest.mark.parametrize(
    ("written", "kana"),
    [
        ("10時", "じゅうじ"),
        ("午後3時", "ごごさんじ"),
        ("十時", "じゅうじ"),
        ("20歳", "はたち"),
        ("3分", "さんぷん"),
        ("300円", "さんびゃくえん"),
        ("600円", "ろっぴゃくえん"),
        ("1つ", "ひとつ"),
        ("2人", "ふたり"),
        ("4月", "しがつ"),
        ("8本", "はっぽん"),
        ("3月3日", "さんがつみっか"),
        ("10分", "じゅっぷん"),
    ],
)
def test_numbers_sound_with_their_counters(written: str, kana: str) -> None:
    assert prepared(written, "ja").replace(" ", "") == kana
    assert phonemize([written], "ja") == phonemize([speak(written, "ja").text], "ja")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WRITTEN.split()), min_size=1, max_size=6).map("".join))
def test_reading_leaves_no_digit_adds_no_mark_and_is_idempotent(text: str) -> None:
    said = in_words(text, "ja")
    assert not re.search(r"\d", said)
    assert speak(said, "ja").text == said
    assert len(MARKS.findall(said)) <= len(MARKS.findall(text))


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**40), 10**40).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str))
def test_no_number_is_left_in_digits(number: str) -> None:
    for text in (number, f"約{number}円です"):
        assert not re.search(r"\d", speak(text, "ja").text)
