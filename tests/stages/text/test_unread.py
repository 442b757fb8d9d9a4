"""What can't be read of a text."""

import pytest

from stages.text.languages import LANGUAGES, SCRIPTS
from stages.text.phonemes import read_texts
from stages.text.unread import unread
from tests.stages.text.test_languages import SENTENCES


@pytest.mark.parametrize(
    ("text", "code", "missing"),
    [
        ("Привет, all", "en", "Привет"),
        ("日本 ☃ a", "en", "日本☃"),
        ("Привет α", "ru", "α"),
        ("ほ 한", "ja", "한"),
        ("naïve “x” — ½ ʼn e\u0301", "en", "½"),
        ("plain", "en", ""),
    ],
)
def test_letters_of_another_script_and_signs_without_a_name(text: str, code: str, missing: str) -> None:
    assert "".join(unread(text, code, lambda _: False)) == missing


def test_a_sign_with_a_name_is_read() -> None:
    assert unread("☃ я", "en", lambda sign: sign == "☃") == ("я",)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_reads_its_own_letters(code: str) -> None:
    assert LANGUAGES[code].script in SCRIPTS
    [read] = read_texts([SENTENCES[code]], code)
    assert read.spoken.unread == ()
