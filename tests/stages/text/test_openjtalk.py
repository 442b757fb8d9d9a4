"""Japanese by Open JTalk: `g2p.japanese: openjtalk`."""

from types import SimpleNamespace

import pytest

from stages.errors import WeightsError
from stages.text import openjtalk, phonemes
from stages.text.kana import to_kana
from stages.text.lexicon import Lexicon
from stages.text.phonemes import phonemize, reader_packages
from tests.stages.text.test_kana import SENTENCES, bare

CONTEXT = Lexicon(japanese="openjtalk")
WORDS = [
    ("今日", "キョウ", "キョー", "名詞", "副詞可能"),
    ("は", "ハ", "ワ", "助詞", "係助詞"),
    ("明日", "アシタ", "アシ’タ", "名詞", "副詞可能"),
    ("へ", "ヘ", "エ", "助詞", "格助詞"),
    ("々", "、", "、", "記号", "読点"),
]
"""As Open JTalk gives them."""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has Open JTalk give `WORDS` whatever it reads."""
    names = ("string", "read", "pron", "pos", "pos_group1")
    words = [dict(zip(names, word, strict=True)) for word in WORDS]
    monkeypatch.setattr(openjtalk, "_openjtalk", lambda: SimpleNamespace(run_frontend=lambda _: words))


@pytest.mark.usefixtures("given")
def test_particles_sound_as_they_do_and_long_vowels_stay_as_written() -> None:
    assert list(openjtalk.split("今日は明日へ々")) == [
        ("今日", "きょう", False),
        ("は", "わ", True),
        ("明日", "あした", False),
        ("へ", "え", True),
        ("々", "", False),
    ]


@pytest.mark.usefixtures("given")
def test_a_letter_without_a_reading_is_dropped() -> None:
    assert to_kana("今日は明日へ々。", "openjtalk") == "きょうわ あしたえ。"


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonemes, "_version", lambda name: "" if name == openjtalk.PACKAGE else "1.0")
    with pytest.raises(WeightsError, match=r"needs pyopenjtalk-plus.*make setup EXTRAS=dev,openjtalk"):
        phonemize(["今日"], "ja", lexicon=CONTEXT)
    assert phonemize(["Hello."], "en", lexicon=CONTEXT) == phonemize(["Hello."], "en")


def test_its_version_is_part_of_what_makes_the_phonemes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonemes, "_version", lambda _: "1.2")
    reader_packages.cache_clear()
    assert reader_packages("openjtalk") == f"{reader_packages()}, pyopenjtalk-plus 1.2"
    reader_packages.cache_clear()


def test_sentences_are_read_in_context() -> None:
    pytest.importorskip("pyopenjtalk", reason="needs the extra `openjtalk`")
    rows = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    right = sum(bare(to_kana(written, "openjtalk")) == kana for written, kana in rows)
    assert right >= 0.97 * len(rows)
    assert to_kana("角を曲がる", "openjtalk") == "かどを まがる"
    assert phonemize(["角を曲がる。"], "ja", lexicon=CONTEXT) == phonemize(["かどを まがる。"], "ja")
