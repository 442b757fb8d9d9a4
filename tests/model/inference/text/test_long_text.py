"""Texts divided into parts: where, how long, and with which pauses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inference.text.long_text import CLAUSE_S, PARAGRAPH_S, SENTENCE_S, WORD_S, Script, divide
from model.sequences.lengths import Lengths
from stages.errors import TextError, UsageError
from stages.text.languages import LANGUAGES
from stages.text.phonemes import phonemize
from tests.stages.text.test_languages import SENTENCES

ANY = Lengths(0, 10_000, 1_000, 1.0, 4.0, 9.0)
"""Nothing is too short or too long."""


def split(text: str, language: str = "en", lengths: Lengths = ANY) -> Script:
    return divide(text, language, lengths, lambda part: phonemize([part], language)[0])


def up_to(symbols: int) -> Lengths:
    return Lengths(0, 10_000, symbols, 1.0, 4.0, 9.0)


def texts(script: Script) -> list[str]:
    return [part.text for part in script.parts]


def test_abbreviations_and_numbers_end_no_sentence() -> None:
    assert texts(split("Dr. Smith paid $3.50 to Mr. Jones. He left at 5 p.m. on Jan. 3rd. Why?")) == [
        "Dr. Smith paid $3.50 to Mr. Jones.",
        "He left at 5 p.m. on Jan. 3rd.",
        "Why?",
    ]
    assert len(split("Herr Dr. Müller kam z. B. am 3. Oktober. Er blieb, d. h. er ging nicht.", "de").parts) == 2
    assert texts(split("今天天气很好。真的！我们走吧。", "zh")) == ["今天天气很好。", "真的！", "我们走吧。"]


def test_what_the_point_of_an_abbreviation_divides_is_joined() -> None:
    assert texts(split("It weighs approx. 5 kg. Take it. The wine. It is good.")) == [
        "It weighs approx. 5 kg.",
        "Take it.",
        "The wine.",
        "It is good.",
    ]


def test_phonemes_in_a_text_stay_whole() -> None:
    parts = texts(split("Say [[wʌn tˈuː θɹˈiː fˈoːɹ fˈaɪv]] now, and [[sˈɪks sˈɛvən]] again.", lengths=up_to(25)))
    assert len(parts) > 2
    assert all(part.count("[[") == part.count("]]") for part in parts)


@pytest.mark.parametrize("code", LANGUAGES)
def test_two_sentences_of_every_language_are_two(code: str) -> None:
    between = " " if LANGUAGES[code].spaced else ""
    script = split(between.join([SENTENCES[code]] * 2), code)
    assert texts(script) == [SENTENCES[code]] * 2
    assert script.sentences == 2


def test_pauses_are_those_of_sentences_paragraphs_and_marks() -> None:
    script = split("[pause 2s] One. Two.\nThree.\n\nFour. [pause 250ms] Five [PAUSE .5] six.[pause 1 s][pause 1s]")
    assert script.lead_s == 2.0
    assert [(part.text, part.pause_s, part.opens) for part in script.parts] == [
        ("One.", SENTENCE_S, True),
        ("Two.", SENTENCE_S, False),
        ("Three.", PARAGRAPH_S, False),
        ("Four.", 0.25, True),
        ("Five", 0.5, False),
        ("six.", 2.0, False),
    ]
    assert split("One. Two.").parts[-1].pause_s == 0.0, "nothing follows"


@pytest.mark.parametrize("mark", ["[pause]", "[pause long]", "[pause -1s]", "[pause 1h]", "[pause 61s]"])
def test_a_pause_that_can_t_be_read_is_told(mark: str) -> None:
    with pytest.raises(UsageError, match=r"A pause must be.*" + re.escape(mark)):
        split(f"One. {mark} Two.")


@pytest.mark.parametrize("text", ["", " \n ", "… !", "— — —", "[pause 1s]"])
def test_nothing_to_say_is_told(text: str) -> None:
    with pytest.raises(TextError, match="something to say"):
        split(text)


def test_what_can_t_be_spoken_is_left_out() -> None:
    assert texts(split("One.\n\n— — —\n\nTwo.")) == ["One.", "Two."]
    assert split("One.\n\n— — —\n\nTwo.").parts[0].pause_s == PARAGRAPH_S


def test_a_sentence_that_is_too_long_is_divided_at_its_clauses() -> None:
    long = "The keeper of the old house, who was ill, counted the ships; he wrote them down, one by one, until dawn."
    assert texts(split(long, lengths=up_to(80))) == [
        "The keeper of the old house, who was ill, counted the ships;",
        "he wrote them down, one by one, until dawn.",
    ]
    parts = split(long, lengths=up_to(40)).parts
    assert [part.text for part in parts] == [
        "The keeper of the old house,",
        "who was ill, counted the ships;",
        "he wrote them down,",
        "one by one, until dawn.",
    ]
    assert [part.pause_s for part in parts] == [CLAUSE_S, CLAUSE_S, CLAUSE_S, 0.0]
    assert split("Well, the ships that he had seen were ten", lengths=up_to(30)).parts[0].pause_s == WORD_S
    assert texts(split("それは長い、とても長い文です、でも終わります。", "ja", up_to(40)))[0].endswith("、")
    cut = texts(split("It cost 1,000,000 pounds at 10:30 and more", lengths=up_to(50)))
    assert cut == ["It cost 1,000,000", "pounds at 10:30 and more"], "not within a number"


def test_frames_count_as_well_as_symbols() -> None:
    text = "We saw the ships, and the ships saw us."
    assert len(split(text).parts) == 1
    assert len(split(text, lengths=Lengths(0, 120, 1_000, 1.0, 4.0, 9.0)).parts) == 2


def test_short_sentences_are_spoken_together() -> None:
    lengths = Lengths(60, 10_000, 55, 1.0, 4.0, 9.0)  # 15 symbols or more
    text = "Yes. No. The ships have all left the old harbour. Oh. Really?[pause 1s] No.\n\nYes. They did, I saw it."
    script = split(text, lengths=lengths)
    assert texts(script) == [
        "Yes. No. The ships have all left the old harbour.",
        "Oh. Really?",
        "No.",
        "Yes. They did, I saw it.",
    ]
    assert [part.pause_s for part in script.parts] == [SENTENCE_S, 1.0, PARAGRAPH_S, 0.0]
    assert script.sentences == 8
    assert "".join(split("はい。いいえ。", "ja", lengths).parts[0].text) == "はい。いいえ。"


@given(st.text(alphabet="ab ,;.!?\n—", max_size=80), st.integers(5, 40))
def test_no_letter_is_lost_and_every_part_fits(text: str, symbols: int) -> None:
    def read(part: str) -> str:
        return part

    try:
        parts = divide(text, "en", up_to(symbols), read).parts
    except TextError:
        assert not any(letter.isalpha() for letter in text)
        return
    said = "".join(part.text for part in parts)
    assert [letter for letter in said if letter.isalpha()] == [letter for letter in text if letter.isalpha()]
    for part in parts:
        assert len(part.phonemes) <= symbols or sum(map(str.isalpha, part.text)) == 1, "a letter with many marks"
