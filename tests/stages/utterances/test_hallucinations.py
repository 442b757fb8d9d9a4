"""Heard texts that nobody said, and those that only look so."""

from dataclasses import replace
from pathlib import Path

import pytest

from stages.records import Certainty, Measures, Utterance
from stages.text.languages import LANGUAGES
from stages.utterances.hallucinations import hallucinated, loop_in
from stages.utterances.silence_phrases import FAREWELLS, OUTROS, is_farewell, silence_phrase

SURE = Certainty(-0.2, 0.05, 1.2, "en", 0.99)
SPEECH = Path(__file__).parents[4] / "shared" / "speech"


def heard(
    text: str, language: str = "en", *, seconds: float = 3.0, voice: float | None = 0.9, **sure: float
) -> Utterance:
    measures = None if voice is None else Measures(20.0, 0.0, 0.1, 0.5, "ab", voice=voice)
    row = Utterance("a", "a", "", "s", language, 0, round(1000 * seconds), 1000, text, measures=measures)
    return replace(row, certainty=replace(SURE, **sure))


INVENTED = [
    heard("Thanks for watching!"),
    heard("Thank you for watching, and please subscribe to my channel."),
    heard("Subtitles by the Amara.org community"),
    heard("Untertitel der Amara.org-Community", "de"),
    heard("Untertitel im Auftrag des ZDF für funk, 2017", "de"),
    heard("Vielen Dank für's Zuschauen!", "de"),
    heard("Sous-titrage ST' 501", "fr"),
    heard("¡Suscríbete al canal!", "es"),
    heard("Sottotitoli creati dalla comunità Amara.org", "it"),
    heard("Субтитры сделал DimaTorzok", "ru"),
    heard("Altyazı M.K.", "tr"),
    heard("ご視聴ありがとうございました", "ja"),
    heard("字幕by索兰娅", "zh"),
    heard("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "zh", seconds=5),
    heard("시청해주셔서 감사합니다.", "ko"),
    heard("Thank you.", avg_logprob=-0.7),
    heard("Thank you.", no_speech_prob=0.6),
    heard("you", voice=0.2, seconds=1),
    heard("I'm going to the store. " * 5, seconds=20),
    heard("No, no, no, no, no, no, no, no, no."),
    heard("はいはいはいはいはいはいはいはい", "ja"),
    heard("a quick brown fox jumps over the lazy dog and then some more words follow", seconds=1),
    heard("You", seconds=20),
    heard("It was a dark and stormy night.", voice=0.05),
]
SAID = [
    heard("It was a dark and stormy night."),
    heard("It was a dark and stormy night.", voice=None),
    heard("He said thanks for watching my bag while I was away at the counter.", seconds=5),
    heard("Thank you."),
    heard("Thank you.", voice=0.3),
    heard("Oh.", seconds=2.5),
    heard("Yes.", seconds=4, voice=None),
    heard("Very, very, very good.", seconds=2),
    heard("No, no, no!", seconds=1.5),
    heard("Ha ha ha, that's funny."),
    heard("One million is 1000000, and ten billion is 10000000000.", seconds=6),
    heard("最後まで走りました", "ja", seconds=2),
    heard("Das ist der Untertitel des Buches, das ich gestern gelesen habe.", "de", seconds=4),
]


@pytest.mark.parametrize("row", INVENTED, ids=lambda row: row.text[:30])
def test_what_nobody_said_is_left_out(row: Utterance) -> None:
    found = hallucinated(row)
    assert found is not None
    assert found.reason == "Hallucinated"
    assert found.cut == row
    assert row.text[:60] in found.message
    assert hallucinated(replace(row, certainty=None)) is None, "a text that was given isn't judged"


@pytest.mark.parametrize("row", SAID, ids=lambda row: row.text[:30])
def test_what_may_be_said_stays(row: Utterance) -> None:
    assert hallucinated(row) is None


def test_every_language_of_the_table_has_its_phrases() -> None:
    assert OUTROS.keys() == FAREWELLS.keys() == LANGUAGES.keys()
    assert all(is_farewell(f"{text.capitalize()}!", code) for code, texts in FAREWELLS.items() for text in texts)


def test_a_long_text_is_searched_in_no_time() -> None:
    assert loop_in("ab" * 50_000) == "ab"
    words = " ".join(f"word{number}" for number in range(5000))
    assert loop_in(words) == ""


@pytest.mark.skipif(not SPEECH.is_dir(), reason="no real recordings (../shared/speech)")
def test_no_real_transcript_looks_invented() -> None:
    texts = [path.read_text(encoding="utf-8-sig") for path in sorted(SPEECH.rglob("*.txt"))[::7]]
    assert len(texts) > 300
    assert not [text for text in texts if loop_in(text) or any(silence_phrase(text, code) for code in ("en", "de"))]
