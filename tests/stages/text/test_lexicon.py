"""A user's own words, and phonemes in a text."""

from pathlib import Path

import pytest

from stages.errors import ConfigError
from stages.text.lexicon import Lexicon, lexicon_of, read_lexicon
from stages.text.phonemes import phonemize, read_texts

OWN = lexicon_of(["en\tSQL\tsˈiːkwəl", "en\tnew york\tnuː jˈɔːɹk", "en\tnew\tnˈiuː", "ja\t東京\ttˈoːkʲoː"])


def write(folder: Path, text: str) -> Path:
    path = folder / "words.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_sorted_and_can_be_written_again(tmp_path: Path) -> None:
    read = read_lexicon(write(tmp_path, "# mine\n\nGerman\tTest\ttˈɛst\nen-US\t SQL \tsˈiːkwəl\nen\tSQL\tsˈiːkwəl\n"))
    assert read.rows == (("de", "Test", "tˈɛst"), ("en", "SQL", "sˈiːkwəl"))
    assert read_lexicon(write(tmp_path, read.to_text())) == read
    assert lexicon_of(read.to_text().splitlines()) == read
    assert read.digest != lexicon_of(["de\tTest\ttɛst"]).digest
    assert Lexicon().digest == ""
    assert Lexicon().to_text() == ""


def test_what_reads_japanese_is_kept_with_the_words(tmp_path: Path) -> None:
    kept = Lexicon((("ja", "東京", "tˈoːkʲoː"),), "openjtalk")
    assert lexicon_of(kept.to_text().splitlines()) == kept
    assert lexicon_of(Lexicon(japanese="openjtalk").to_text().splitlines()) == Lexicon(japanese="openjtalk")
    assert read_lexicon(write(tmp_path, kept.to_text())) == Lexicon(kept.rows), "a file of words says nothing of it"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("en\tSQL\n", r"line 1: must be a language, a word and its phonemes"),
        ("en SQL sˈiːkwəl\n", "line 1: must be"),
        ("\nxx\tSQL\tsˈiːkwəl\n", "line 2: `xx` must be a supported language"),
        ("en\tSQL\t123\n", "line 1: the phonemes of `SQL` must be IPA"),
        ("en\thello\tHH AH0 L OW1\n", "line 1: the phonemes of `hello` must be IPA"),
        ("en\tSQL\ta\nen\tSQL\tb\n", "line 2: `SQL` must have one pronunciation, but has another in line 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_lexicon(write(tmp_path, text))


def test_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_bytes("en\tcafé\tkæfˈeɪ\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="must be UTF-8"):
        read_lexicon(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.tsv` can't be read"):
        read_lexicon(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("text", "code", "phonemes"),
    [
        ("I use SQL, 5 times.", "en", "aɪ jˈuːz sˈiːkwəl, fˈaɪv tˈaɪmz."),
        ("New York!", "en", "nuː jˈɔːɹk!"),
        ("NEW", "en", "nˈiuː"),
        ("Say [[həlˈoʊ]].", "en", "sˈeɪ həlˈoʊ."),
        ("[[həlˈoʊ]]", "en", "həlˈoʊ"),
        ("[[ a b ]] [[]]", "en", "a b"),
        ("[[Paris]]", "en", "pˈæɹɪs"),
    ],
)
def test_given_phonemes_take_their_place(text: str, code: str, phonemes: str) -> None:
    assert phonemize([text], code, lexicon=OWN) == [phonemes]


def test_words_are_whole_words_of_their_language() -> None:
    for text, code in (("mySQL", "en"), ("SQLite", "en"), ("SQL's", "en"), ("sql", "en"), ("SQL", "de")):
        assert phonemize([text], code, lexicon=OWN) == phonemize([text], code)
    [read] = phonemize(["東京へ"], "ja", lexicon=OWN)
    assert read.startswith("tˈoːkʲoː")


def test_given_phonemes_lose_what_the_others_lose() -> None:
    assert phonemize(["SQL, new."], "en", lexicon=OWN, stress=False, punctuation=False) == ["siːkwəl niuː"]


def test_a_reading_tells_what_was_given() -> None:
    [read] = read_texts(["SQL cost $5"], "en", lexicon=OWN)
    assert read.text == "SQL cost $5"
    assert read.spoken.text == "[[sˈiːkwəl]] cost five dollars"
    assert [(one.kind, one.written, one.spoken) for one in read.spoken.changes] == [
        ("lexicon", "SQL", "[[sˈiːkwəl]]"),
        ("money", "$5", "five dollars"),
    ]


def test_private_letters_of_a_text_stand_for_nothing() -> None:
    assert phonemize(["\U000f0000[[a]]"], "en") == ["a"]
