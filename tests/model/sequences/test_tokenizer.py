from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.sequences.tokenizer import Tokenizer
from stages.errors import ArtefactError, UsageError
from stages.text.languages import LANGUAGES
from stages.text.phonemes import phonemize

TOKENIZER = Tokenizer.default(8)

SENTENCES = {
    "en": "Wait, isn't that the judge's 2nd measure? Yes: \"thirty-five\"!",
    "de": "Schöne Grüße aus Köln, zwölf Äpfel; das Mädchen fährt weg.",
    "fr": "Où est l'œuf, garçon ? Un bon vin blanc, évidemment…",
    "es": "¿Dónde está el niño? ¡Aquí, con la guitarra vieja!",
    "it": "Perché gli gnocchi sono così buoni? Ciao, zio!",
    "pt": "Não são só três irmãos; amanhã vêm à reunião.",
    "ja": "今日は、東京でラーメンを食べました。きっと大丈夫！",
    "zh": "你好，我们去北京吃饭吧？二十三个人。",
    "ko": "안녕하세요, 오늘 날씨가 정말 좋네요.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_what_espeak_says_is_known(language: str) -> None:
    (phonemes,) = phonemize([SENTENCES[language]], language)
    assert phonemes
    assert TOKENIZER.unknown not in TOKENIZER.encode(phonemes), phonemes


@given(st.text())
def test_no_text_fails_and_symbols_stand_for_themselves(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert len(ids) >= len(text)
    assert all(TOKENIZER.tokens[number] != "<unk>" or char for number, char in zip(ids, text, strict=False))
    known = "".join(char for char in text if char in TOKENIZER.tokens)
    assert "".join(TOKENIZER.tokens[number] for number in TOKENIZER.encode(known)) == known


def test_an_unknown_symbol_is_taken_apart_or_becomes_unk() -> None:
    assert [TOKENIZER.tokens[number] for number in TOKENIZER.encode("ṍ")] == ["o", "\u0303", "\u0301"]
    assert TOKENIZER.encode("語") == [TOKENIZER.unknown]
    assert TOKENIZER.unknown_symbols("aˈ語ṍ") == ["語"]


def test_every_language_and_marker_has_its_own_id() -> None:
    ids = [TOKENIZER.language(code) for code in LANGUAGES] + [TOKENIZER.level(level) for level in range(8)]
    ids += [TOKENIZER.task("tts"), TOKENIZER.task("tts-c"), TOKENIZER.end, TOKENIZER.prompt, TOKENIZER.unknown]
    assert len(set(ids)) == len(ids)
    assert TOKENIZER.language("xx") == TOKENIZER.unknown
    assert len(set(TOKENIZER.tokens)) == len(TOKENIZER)


def test_tones_come_last_once_and_are_never_spoken() -> None:
    one = TOKENIZER.with_tones(["loud", "<x>"])
    two = one.extended(8, "語").with_tones(["calm", "loud"])
    assert two.tokens[len(TOKENIZER) :] == ("<tone loud>", "<tone <x>>", "語", "<tone calm>")
    assert list(two.tones) == ["loud", "<x>", "calm"]
    assert [two.tokens[two.tone(name)] for name in two.tones] == ["<tone loud>", "<tone <x>>", "<tone calm>"]
    assert two.decode([two.tone("calm"), *two.encode("a")]) == "a"
    with pytest.raises(UsageError, match=r"^`tone` must be one that the model knows \(loud, <x>\), but is `calm`.$"):
        one.tone("calm")
    with pytest.raises(UsageError, match=r"^`tone` must be left out, but is `calm`: the model knows none."):
        TOKENIZER.tone("calm")


def test_it_is_saved_as_it_is(tmp_path: Path) -> None:
    tokenizer = TOKENIZER.with_tones(['ruhig "ä"'])
    tokenizer.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json").tokens == tokenizer.tokens
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtefactError, match="must be a vocabulary"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_later_markers_leave_the_ids_of_earlier_ones_as_they_were() -> None:
    later = ("<input>", "<replace>", "<ns>", "<sr>", "<tse>", "<cse>", "<nse>", "<vc>", "<phn>", "<un-phn>")
    assert TOKENIZER.tokens[-len(later) :] == later
    assert TOKENIZER.tokens[8:13] == ("<tts>", "<tts-c>", "<len>", "<stt>", "<level 0>")
