"""Addresses, @ and # in Japanese, Chinese and Korean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.phonemes import in_words, phonemize
from stages.text.spoken.table import speak

PIECES = st.sampled_from(
    ["@", "#", "www.", "test.com", "https://", "a", "東京", "小明", "서울", ".", "/", "1", "x@y.jp", " "]
)


@pytest.mark.parametrize(
    ("code", "written", "spoken"),
    [
        ("ja", "ann@mail.co.jpへ送る", "ann アットマーク mail ドット co ドット jpへ送る"),
        ("ja", "www.test.comを見て。", "www ドット test ドット comを見て."),
        ("ja", "#東京が好き", "ハッシュタグ 東京が好き"),
        ("ja", "@annaさん", "アットマーク annaさん"),
        ("ja", "#1", "ナンバー一"),
        ("ja", "Node.jsを", "Node.jsを"),
        ("zh", "发到ann@mail.com。", "发到ann 艾特 mail 点 com."),
        ("zh", "看https://a.cn/b2吧", "看a 点 cn 斜杠 b 二吧"),
        ("zh", "#北京#很好", "话题 北京 很好"),
        ("zh", "@小明 你好", "艾特 小明 你好"),
        ("zh", "#1", "第一"),
        ("ko", "test.co.kr에서", "test 닷 co 닷 kr에서"),
        ("ko", "#서울", "해시태그 서울"),
        ("ko", "@anna", "골뱅이 anna"),
        ("ko", "#1", "넘버 일"),
    ],
)
def test_signs_are_called_by_their_names(code: str, written: str, spoken: str) -> None:
    assert in_words(written, code) == spoken


def test_a_particle_after_an_address_is_one() -> None:
    assert phonemize(["a.jpへ"], "ja") == phonemize(["a ドット jpえ"], "ja")


@pytest.mark.parametrize("code", ["ja", "zh", "ko"])
@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(PIECES, min_size=1, max_size=6))
def test_reading_again_changes_nothing(code: str, pieces: list[str]) -> None:
    spoken = speak("".join(pieces), code).text
    assert speak(spoken, code).text == spoken
