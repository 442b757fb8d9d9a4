"""Japanese in kana, as it sounds."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.text.kana import to_kana

SENTENCES = Path(__file__).with_name("japanese.tsv")
"""A hundred sentences of our own with their readings."""


def bare(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha() or letter == "ー")


def test_sentences_are_read_as_they_sound() -> None:
    rows = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 100
    wrong = {written for written, kana in rows if bare(to_kana(written)) != kana}
    # pykakasi doubles the り of 雛祭り.
    assert wrong <= {"三月三日は雛祭りです。"}


@pytest.mark.parametrize(
    ("written", "kana"),
    [
        ("三本の木", "さんぼんの き"),
        ("午後三時に", "ごご さんじに"),
        ("六本木へ", "ろっぽんぎえ"),
        ("三日月は", "みかづきわ"),
        ("四月一日", "しがつ ついたち"),
        ("千葉県", "ちばけん"),
        ("一緒に", "いっしょに"),
        ("八百屋", "やおや"),
        ("十分な", "じゅうぶんな"),
        ("七五三", "しちごさん"),
        ("一と二", "いちと に"),
        ("二階建て", "にかいだて"),
        ("彼は", "かれわ"),
        ("又は", "またわ"),
        ("祭りへ", "まつりえ"),
        ("食べてはいけない", "たべてわいけない"),
        ("部屋にはいる", "へやにはいる"),
        ("部屋にはいない", "へやにわいない"),
        ("走るはずだ", "はしるはずだ"),
        ("田中さんはとても", "たなかさんわとても"),
        ("大変へんだ", "たいへんへんだ"),
        ("この人が", "この ひとが"),
        ("外国人が", "がいこくじんが"),
        ("お金", "おかね"),
        ("彁三本", "さんぼん"),
    ],
)
def test_words_and_particles(written: str, kana: str) -> None:
    assert to_kana(written) == kana


@settings(max_examples=150, deadline=None)
@given(st.text("はへのに三十人本日月々〆彁ー㐀第点何今年お金ご開入a1 ", max_size=12))
@example("々")
@example("彁彁")
def test_every_run_ends(text: str) -> None:
    assert not set(to_kana(text)) & set("三十人本日月第点何今年金開入彁")
