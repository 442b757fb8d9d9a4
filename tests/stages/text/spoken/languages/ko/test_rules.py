"""Korean written text in words, a test a kind."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.phonemes import in_words
from stages.text.spoken.table import speak

MARKS = re.compile(r"[.!?;:,…]")
WRITTEN = """
3개 3시 30분 20살 31번째 10월 6월 1과1/3 3/5이 ₩2,000 $5.20 5kg 50km/h 5% -3.5 010-1234-5678 3~5명 2024.5.6 14:05
3:1 A4 3·1운동 1만5천원 10/30/2024 15일(금) No.5 제3장 007 １０ 3+4=7 √2 은 , . 5월10일~15일 1,234,567 & 가&나
"""


@pytest.mark.parametrize(
    ("kind", "written", "spoken"),
    [
        ("cardinal", "귤 12개", "귤 열두 개"),
        ("cardinal", "친구 4명과 20명", "친구 네 명과 스무 명"),
        ("cardinal", "25살", "스물다섯 살"),
        ("cardinal", "3~4명", "세 명에서 네 명"),
        ("cardinal", "3개월", "삼개월"),
        ("cardinal", "30대 남성", "삼십대 남성"),
        ("cardinal", "2만3천 명", "이만삼천 명"),
        ("cardinal", "11200", "만천이백"),
        ("ordinal", "1번째와 22번째", "첫번째와 스물두번째"),
        ("ordinal", "제7장", "제칠장"),
        ("ordinal", "No.8", "넘버 팔"),
        ("decimal", "7.25", "칠점이오"),
        ("decimal", "-0.3", "마이너스 영점삼"),
        ("date", "2019년 6월 10일", "이천십구년 유월 십일"),
        ("date", "2019/10/3", "이천십구년 시월 삼일"),
        ("date", "4·19", "사일구"),
        ("date", "2월3일(목)", "이월 삼일 목요일"),
        ("date", "2월3일~8일", "이월 삼일 부터 팔일"),
        ("time", "오후 7시20분", "오후 일곱시 이십분"),
        ("time", "13:07", "십삼시 칠분"),
        ("time", "4:30", "네시 삼십분"),
        ("score", "3:2로", "삼 대 이로"),
        ("fraction", "2/7", "칠분의 이"),
        ("fraction", "4와 1/3", "사와 삼분의 일"),
        ("fraction", "9/20를", "이십분의 구를"),
        ("money", "₩3,500", "삼천오백원"),
        ("money", "USD 80", "팔십 달러"),
        ("money", "$2.75", "이 달러 칠십오센트"),
        ("measure", "7kg", "칠 킬로그램"),
        ("measure", "36.5℃", "삼십육점오 도"),
        ("measure", "15%", "십오 퍼센트"),
        ("range", "10~20%", "십에서 이십 퍼센트"),
        ("telephone", "02-345-6789", "공이 삼사오 육칠팔구"),
        ("symbol", "6×7=42", "육 곱하기 칠은 사십이"),
    ],
)
def test_kinds(kind: str, written: str, spoken: str) -> None:
    assert kind
    assert speak(written, "ko").text == spoken


@pytest.mark.parametrize("text", ["한 번만 더", "KBS 뉴스", "세 시 반", "안녕하세요~", "음성-텍스트"])
def test_what_needs_no_reading_stays(text: str) -> None:
    said = speak(text, "ko")
    assert said.text == text
    assert not said.changes


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WRITTEN.split()), min_size=1, max_size=6).map("".join))
def test_reading_leaves_no_digit_adds_no_mark_and_is_idempotent(text: str) -> None:
    said = in_words(text, "ko")
    assert not re.search(r"\d", said)
    assert speak(said, "ko").text == said
    assert len(MARKS.findall(said)) <= len(MARKS.findall(text))


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**40), 10**40).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str))
def test_no_number_is_left_in_digits(number: str) -> None:
    for text in (number, f"약 {number}원"):
        assert not re.search(r"\d", speak(text, "ko").text)
