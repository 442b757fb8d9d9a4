"""Texts as characters: in one line, composed, and in those that a model knows."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.text.characters import characters, in_known


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("  Hello,\n\tthere  ", "Hello, there"),
        ("Cafe\u0301", "Café"),
        ("\u1112\u1161\u11ab국", "한국"),
        ("soft\u00adhyphen\u200b", "softhyphen"),
        ("$5.20 → [[x]]", "$5.20 → [[x]]"),
        ("", ""),
    ],
)
def test_a_text_is_one_composed_line(text: str, read: str) -> None:
    assert characters(text) == read


@given(st.text())
@example("a\ud800 b")
@example("e \u200b\u0301")
def test_reading_is_idempotent(text: str) -> None:
    read = characters(text)
    assert characters(read) == read
    assert read == unicodedata.normalize("NFC", read)
    assert not read.startswith(" ")
    assert "  " not in read


@pytest.mark.parametrize(
    ("text", "known", "read"),
    [
        ("ﬁne", "fine", "fine"),
        ("“Yes” — it’s…", "Yes its\"'-.", '"Yes" - it\'s...'),
        ("Ä", "äa", "ä"),
        ("é", "E", "E"),
        ("é", "eé", "é"),
        ("Ａ１", "a1", "a1"),
        ("ы", "abc", "ы"),
        ("½", "1/2", "½"),
        ("½", "1⁄2", "1⁄2"),
    ],
)
def test_what_a_model_has_not_read_becomes_the_nearest_that_it_has(text: str, known: str, read: str) -> None:
    assert in_known(text, frozenset(known)) == read


@given(st.text(max_size=20), st.frozensets(st.characters(), max_size=40))
def test_known_characters_stay(text: str, known: frozenset[str]) -> None:
    read = in_known(text, known)
    assert in_known(text, known | set(text)) == text
    assert set(read) <= known | set(text)
