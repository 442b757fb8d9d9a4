"""The stage `g2p`: phonemizer's strings where espeak-ng reads a language correctly, mended ones where it doesn't."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonemizer.punctuation import Punctuation

from model.sequences.tokenizer import Tokenizer
from stages.artefacts.formats import write_lines
from stages.artefacts.manifest import LEXICON
from stages.base import Context, Reject
from stages.corpora.voices import READINGS
from stages.errors import MissingInputError, TextError
from stages.g2p import G2p, G2pConfig
from stages.records import Measures, Utterance, count_phonemes
from stages.text import espeak, phonemes
from stages.text.ipa import Reader
from stages.text.kana import to_kana
from stages.text.languages import LANGUAGES
from stages.text.lexicon import lexicon_of
from stages.text.phonemes import Reading, phonemize, prepared, read_texts, reader_packages
from stages.text.pinyin import numbered
from stages.text.spoken.rules import Spoken
from stages.utterances.duplicates import DUPLICATES, write_duplicates
from tests.stages.text.test_languages import SENTENCES

PLAIN = ("en", "de", "fr", "es", "it", "pt", "sv", "ko")
HELLO = {
    "en": "Good morning, my friend.",
    "de": "Guten Morgen, mein Freund.",
    "fr": "Bonjour, mon ami.",
    "es": "Buenos días, amigo.",
    "it": "Buongiorno, amico mio.",
    "pt": "Bom dia, meu amigo.",
    "ja": "おはよう、友達。",
    "zh": "早上好，朋友。",
    "ko": "안녕하세요, 친구.",
    "sv": "God morgon, min vän.",
}
PRINT_PHONEMES = """
import json, sys
from stages.text.phonemes import phonemize
print(json.dumps(phonemize(json.loads(sys.argv[1]), "en")))
"""


def utterance(text: str, language: str = "en") -> Utterance:
    return Utterance("a.wav", "a.wav", "g", "s", language, 0, 16_000, 16_000, text)


def stage(**config: Any) -> G2p:
    return G2p(G2pConfig(**config), Context(Path()))


def test_of_equal_audio_the_first_usable_utterance_stays(tmp_path: Path) -> None:
    texts = {"a": "...", "b": "An endless sentence " * 9, "c": "Hello.", "d": "Hello again.", "e": "?", "f": "Other."}
    rows = [
        replace(utterance(text), id=uid, recording=uid, measures=Measures(9.0, 0, 0, 1.0, "ab" if uid < "f" else "cd"))
        for uid, text in texts.items()
    ]
    rows += [replace(rows[0], id=uid, text="", measures=replace(rows[0].measures, hash="ef")) for uid in "gh"]
    (folder := tmp_path / "slice").mkdir()
    for shard, some in {"0": rows[1:4], "1": [rows[0], *rows[4:]]}.items():
        write_lines(folder / f"{shard}.rows.jsonl", (row.to_json() for row in some))
    write_duplicates(folder, ["0", "1"])
    made = G2p(G2pConfig(unique=True, max_phonemes_per_s=20), Context(Path(), tmp_path))
    made.setup()
    outcomes = {row.id: outcome for row, [outcome] in zip(rows, made.process(rows), strict=True)}
    reasons = {uid: getattr(outcome, "reason", "") for uid, outcome in outcomes.items()}
    nothing = "NoPhonemes"
    assert reasons == {
        **{"a": nothing, "b": "ManyPhonemes", "c": "", "d": "Duplicate", "e": nothing, "f": "", "g": nothing},
        "h": nothing,
    }
    assert outcomes["d"].message == "the same audio as `c`"
    assert made.revise(rows[3], [replace(rows[3], phonemes="hə")])[0].reason == "Duplicate"
    (folder / DUPLICATES).write_text('{"d": "c"}')
    with pytest.raises(MissingInputError, match=r"of an older version\. Run `valle-prep slice`"):
        made.setup()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_of_the_table_is_spoken(language: str) -> None:
    [phonemes] = phonemize([HELLO.get(language, "1 2 3.")], language)
    assert any(map(str.isalpha, phonemes))
    assert not set("()0123456789_") & set(phonemes)
    if language in HELLO:
        assert phonemes.endswith(".")
        assert "," in phonemes
        assert not any(unicodedata.name(letter).startswith(("CJK", "HIRAGANA", "HANGUL")) for letter in phonemes)


def backend_of(language: str) -> Any:
    from phonemizer.backend import EspeakBackend

    espeak.configure()
    return EspeakBackend(
        LANGUAGES[language].espeak, preserve_punctuation=True, with_stress=True, language_switch="remove-flags"
    )


def joined(backend: Any, text: str) -> str:
    return " ".join(" ".join(backend.phonemize([text], strip=True)).split())


def told(recordings: Path, language: str, *folders: str) -> list[str]:
    """Returns the transcripts in a language; skips where there are none."""
    names = [*folders, f"multilingual-{language}", language]
    paths = [path for name in names for path in sorted((recordings / name).rglob("*.txt"))]
    if not paths:
        pytest.skip(f"nothing in `{language}` among the synthetic recordings, and no real ones beside the checkout")
    return [path.read_text(encoding="utf-8-sig") for path in paths]


@pytest.mark.parametrize("language", PLAIN)
def test_the_strings_are_phonemizers_own(recordings: Path, language: str) -> None:
    folders = {"en": ("librispeech-test-other", "vctk", "ljspeech"), "de": ("kerstin-de",)}
    texts = [" ".join(text.split()) for text in told(recordings, language, *folders.get(language, ()))][:150]
    backend = backend_of(language)
    expected = [joined(backend, prepared(text, language)) for text in texts]
    assert phonemize(texts, language) == expected


def test_known_readings() -> None:
    assert phonemize(["Hello."], language="en") == ["həlˈoʊ."]
    assert phonemize(["Hello."], language="en-GB") == ["həlˈoʊ."]
    tones = phonemize(["妈", "麻", "马", "骂"], language="zh")
    assert [tone.lstrip("mˈɑa") for tone in tones] == ["˥", "˧˥", "˨˩˦", "˥˩"]
    [kanji], [kana] = phonemize(["東京に行きます。"], "ja"), phonemize(["とうきょうに いきます。"], "ja")
    assert kanji.replace(" ", "") == kana.replace(" ", "")


def test_japanese_particles_are_written_as_they_are_spoken() -> None:
    assert (
        to_kana("私は学校へ行きました。今日は、母のははです。")
        == "わたしわ がっこうえ いきました。きょうわ、ははのははです。"
    )
    assert (
        to_kana("田中さんは、東京への道と鎌倉へ行くのは") == "たなかさんわ、とうきょうえの みちと かまくらえ いくのわ"
    )
    assert to_kana("ｺﾝﾋﾟｭｰﾀを3台、Apple社では") == "こんぴゅーたを 3 だい、Apple しゃでわ"
    for text, reading in READINGS.items():
        assert to_kana(text).replace(" ", "") == reading.replace(" ", "")


def test_a_kanji_without_a_reading_takes_nothing_else_away() -> None:
    assert to_kana("𠮷野家の髙橋さん") == "よしのやの たかはしさん"
    assert to_kana("さん彁です") == "さんです"
    assert to_kana("彁") == ""
    assert phonemize(["葛\U000e0100城"], "ja") == phonemize(["葛城"], "ja")
    assert phonemize(["𠮷"], "zh") == phonemize(["呣"], "zh"), "one unknown letter, not its number letter by letter"


def test_latin_words_in_japanese_are_words() -> None:
    [mixed] = phonemize(["私はPythonが大好きです。Let us go. NHK！「はい」OK。"], "ja")
    for words, mark in (("Python", ""), ("Let us go", "."), ("NHK", "!"), ("OK", ".")):
        assert f" {phonemize([words], 'en')[0]}{mark}" in mixed
    [bare] = phonemize(["Tシャツ。OK。"], "ja", stress=False, punctuation=False)
    assert bare.split() == ["tiː", "ɕätsɯᵝ", "oʊkeɪ"]


def test_spaces_follow_the_marks_that_are_written_without() -> None:
    spoken = [prepared(text, "ja") for text in ("2、3。Aは", "１，０００、10：30、5.5：A", "（A）B")]
    assert spoken == ["に, さん. A わ", "せん, じゅうじ さんじゅっぷん, ごてんご: A", "(A) B"]


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("你去哪儿？", "nˈi˨˩˦ tɕʰˈy˥˩ nɑ˨˩˦ˈər˧˥?"),
        ("一会儿", "jˌi˧˥χuei˥˩ˈər˧˥"),
        ("女孩儿", "nˌy˨˩˦χai˧˥ˈər˧˥"),
        ("儿子在那儿", "ər˧˥tsˈi̪˩ tsˈai˥˩ nɑ˥˩ˈər˧˥"),
        ("哪兒", "nɑ˨˩˦ˈər˧˥"),
        ("大熊猫，OK", "tˈɑ˥˩ ɕjˈʊŋ˧˥ mˈɑu˥, ˌəʊkˈeɪ"),
        ("弟兄", "tˈi˥˩ ɕjˈʊŋ˥"),
        ("贫穷窘", "pʰˈi˧˥n tɕʰjˈʊŋ˧˥ tɕjˈʊŋ˨˩˦"),
        ("我说hǎo", "wˈo˨˩˦ ʂwˈo˥ χˈɑu˨˩˦"),
        ("价格是3.5元。", "tɕiɑ˥˩kˈɤ˧˥ ʂˈɨ˥˩ sa˥ntˈiɛ˧˥n wu˨˩˦jˈyæ˧˥n."),
    ],
)
def test_mandarin_is_never_read_as_english(text: str, phonemes: str) -> None:
    assert phonemize([text], "zh") == [phonemes]


def test_common_chinese_words_have_a_tone_in_each_syllable() -> None:
    words = "这儿 那儿 在哪儿 玩儿 一点儿 有点儿 一块儿 花儿 画儿 歌儿 事儿 今儿 聊天儿 小孩儿 面条儿 鸟儿"
    words += " 门儿 味儿 好好儿 哥们儿 一點兒 兄弟 凶手 胸口 英雄 汹涌 琼浆 苍穹 炯炯 囧 迥异"
    for word in words.split():
        [phonemes] = phonemize([word], "zh")
        assert len(re.findall("[˥˧˨˩]+", phonemes)) == len(word), (word, phonemes)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Nǐ hǎo", "ni3 hao3"),
        ("xī'ān xiān fāngàn", "xi1an1 xian1 fan1gan4"),
        ("nǎrlǐ, lǜsè; nǚ’ér", "na3er2li3, lv4se4; nv3er2"),
        ("māma de xióngmāo", "ma1ma5 de xiong2mao1"),
        ("café Pokémon naïve", "café Pokémon naïve"),
    ],
)
def test_pinyin_gets_the_numbers_of_its_tones(typed: str, read: str) -> None:
    assert numbered(typed) == read


def test_foreign_letters_take_no_tone_from_their_neighbours() -> None:
    [alone] = phonemize(["你好"], "zh")
    for stranger in ("ABC 3.5", "мир", "øे", "안녕", "😀", "兄"):
        [mixed] = phonemize([f"{stranger} 你好，{stranger}"], "zh")
        assert alone in mixed
        assert not set("()0123456789_") & set(mixed)
        assert "ɜ" not in mixed


def test_stress_and_punctuation_can_be_left_out() -> None:
    [full] = phonemize(["Hello, world!"], "en")
    [bare] = phonemize(["Hello, world!"], "en", stress=False, punctuation=False)
    assert set("ˈ,!") <= set(full)
    assert not set("ˈˌ,!") & set(bare)
    assert "".join(letter for letter in full if letter not in "ˈˌ,!") == bare
    [[out]] = stage(stress=False).process([utterance("Hello, world!")])
    assert isinstance(out, Utterance)
    assert "ˈ" not in out.phonemes


@settings(max_examples=60)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.sampled_from(["en", "ja", "zh", "ko"]))
@example(["ᇀ"], "zh")
def test_a_text_never_disturbs_its_neighbours(texts: list[str], language: str) -> None:
    together = phonemize(texts, language)
    assert together == [phonemize([text], language)[0] for text in texts]
    assert all("\n" not in phonemes and phonemes == phonemes.strip() for phonemes in together)


@pytest.mark.parametrize("code", LANGUAGES)
def test_phonemes_are_counted_alike_with_stress_and_without(code: str) -> None:
    texts = [SENTENCES[code], HELLO.get(code, ""), *READINGS, *LANGUAGES[code].words]
    for text, full, bare in zip(texts, phonemize(texts, code), phonemize(texts, code, stress=False), strict=True):
        assert count_phonemes(full) == count_phonemes(bare), text
    marks = {symbol for full in phonemize(texts, code) for symbol in full if unicodedata.category(symbol) == "Lm"}
    assert marks, "at least stress, so that something is tried"
    assert not count_phonemes("".join(marks))


@pytest.mark.parametrize(
    ("phonemes", "number"),
    [
        ("", 0),
        ("ˈˌː ʰʲ˞ .,!?", 0),
        ("ˈa", 1),
        ("kʰˈaːnaː", 4),
        ("t͡ʃ", 2),
        ("mʲinʲˈɑ", 4),
        ("mˈɑ˨˩˦", 2),
        ("ma214", 2),
        ("tr̝̊ˈi", 3),
        ("pˈr̩st", 4),
        ("nˌɐ̃ʊ̃", 3),
        ("tˌo̞ɯᵝkʲo̞ˈɯᵝe̞", 7),
        ("hˈʔun", 4),
        ("ðə wˈɜːld.", 6),
    ],
)
def test_what_counts_as_a_phoneme(phonemes: str, number: int) -> None:
    assert count_phonemes(phonemes) == number


def test_marks_alone_are_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.g2p.read_texts", lambda *_, **__: [Reading("One.", Spoken("One."), "ˈː.")])
    [[out]] = stage().process([utterance("One.")])
    assert isinstance(out, Reject)
    assert out.reason == "NoPhonemes"


def test_unspeakable_text_rejects_itself_only() -> None:
    items = [utterance("One."), utterance("…!?"), utterance("Two.", "xx"), utterance("Drei.", "de")]
    [[one], [marks], [unknown], [three]] = stage().process(items)
    assert isinstance(one, Utterance)
    assert isinstance(three, Utterance)
    assert isinstance(marks, Reject)
    assert marks.reason == "NoPhonemes"
    assert isinstance(unknown, Reject)
    assert unknown.reason == "UnusableText"
    with pytest.raises(TextError, match="xx"):
        phonemize(["Two."], "xx")


def test_another_process_reads_the_same() -> None:
    texts = ["The 3 cats' whiskers, re-read: naïve?", "Dr. Smith paid $5.50."]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHONEMIZER")}
    command = [sys.executable, "-c", PRINT_PHONEMES, json.dumps(texts)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert json.loads(found) == phonemize(texts, "en")


@pytest.mark.parametrize("language", [*PLAIN, "ja", "zh"])
def test_real_words_come_out_as_phonemes_of_the_inventory(recordings: Path, language: str) -> None:
    for read in phonemize(told(recordings, language), language):
        assert not Tokenizer.default(8).unknown_symbols(set(read))
        assert not re.search(r"\([a-z]{2,3}(-[a-z]+)*\)|_|[0-9]", read), "a flag, a separator or a tone's number"
        scripts = {unicodedata.name(symbol).partition(" ")[0] for symbol in read if symbol.isalpha()}
        assert scripts <= {"LATIN", "GREEK", "MODIFIER"}


def test_marks_stay_where_phonemizer_puts_them() -> None:
    backend = backend_of("en")
    texts = [
        "3.5. Yes",
        "Well . . . no",
        "... and, (so) on",
        '"It\'s 1,5!" he said;',
        "¿Sí?",
        "a.b.c",
        "— ?",
        "No 3.",
        "x ,y",
    ]
    assert phonemize(texts, "en") == [joined(backend, prepared(text, "en")) for text in texts]


def test_a_decimal_is_no_mark_although_one_looks_like_it() -> None:
    """phonemizer 3.4 cuts at the decimal point and drops the rest."""
    texts = ["It costs 3.50 today.", "1,5 and,so", "Of 2.5, 3.5 and 4.5.", "3.14."]
    reader = Reader("en-us", stress=True, punctuation=True)

    def read(text: str) -> str:
        return reader.read(text).strip()

    for text in texts:
        phonemes = read(text)
        [of_number, *_] = [read(number) for number in re.findall(r"\d[.,]\d+", text)]
        assert of_number in phonemes
        marks = re.findall(r"[.,](?!\d)", text)
        assert re.findall("[.,]", phonemes) == marks
        assert re.findall("[.,]", phonemize([text], "en")[0]) == marks
    assert joined(backend_of("en"), texts[0]) != read(texts[0])
    assert read(texts[0]).endswith("tədˈeɪ.")


class Echo(Reader):
    """Shows the parts that espeak-ng would be given."""

    def speak(self, part: str) -> str:
        return f"<{part}>"


@cache
def echo(*, punctuation: bool) -> Echo:
    espeak.configure()
    return Echo("en-us", stress=True, punctuation=punctuation)


@given(st.text("ab1 5,.;!(\u00a0—", max_size=30))
@example("Of 2.5, 3.5 and (x) 4.5 .")
def test_a_text_is_cut_where_phonemizers_pattern_finds_marks(text: str) -> None:
    text = text.strip()
    pattern = Punctuation()._marks_re
    parts = pattern.sub(lambda marks: f">{marks[0]}<", text)
    assert echo(punctuation=True).read(text) == f"<{parts}>".replace("<>", "")
    plain = pattern.sub(" ", text).strip()
    assert echo(punctuation=False).read(text) == (f"<{plain}>" if plain else "")


def test_symbols_are_few_enough_to_learn(speech: Path) -> None:
    counts: defaultdict[str, set[str]] = defaultdict(set)
    for language in PLAIN:
        for path in sorted((speech / f"multilingual-{language}").rglob("*.txt")):
            counts[language].update(phonemize([path.read_text(encoding="utf-8-sig")], language)[0])
    assert counts.keys() == set(PLAIN)
    assert all(len(symbols) < 80 for symbols in counts.values())


def test_a_row_has_what_is_said_and_what_is_not_read() -> None:
    [[plain], [spoken], [unread], [given]] = stage().process(
        [utterance("Hello there."), utterance("It cost $5."), utterance("Hello, я."), utterance("Say [[ˈa]].")]
    )
    assert (plain.spoken, plain.unread) == (None, None)
    assert (spoken.text, spoken.spoken, spoken.unread) == ("It cost $5.", "It cost five dollars.", None)
    assert (unread.spoken, unread.unread) == (None, ("я",))
    assert given.spoken is None
    assert Utterance.from_json(json.loads(json.dumps(unread.to_json()))) == unread


def test_another_lexicon_makes_the_phonemes_anew(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("en\tHello\tˈa\n", encoding="utf-8")
    made = stage(lexicon=str(path))
    [[row]] = made.process([utterance("Hello.")])
    assert (row.phonemes, row.spoken) == ("ˈa.", "[[ˈa]].")
    assert made.finish(tmp_path, []) == [LEXICON]
    assert (tmp_path / LEXICON).read_text(encoding="utf-8") == "en\tHello\tˈa\n"
    moved = path.rename(tmp_path / "other.tsv")
    assert stage(lexicon=str(moved)).parameters() == made.parameters(), "the content counts, not the path"
    moved.write_text("en\tHello\tˈo\n", encoding="utf-8")
    assert stage(lexicon=str(moved)).parameters() != made.parameters() != stage().parameters()
    assert stage().finish(tmp_path, []) == []
    assert not (tmp_path / LEXICON).exists()


def test_what_reads_japanese_is_told_to_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonemes, "_version", lambda _: "1.0")
    reader_packages.cache_clear()
    made = stage(japanese="openjtalk")
    assert made.finish(tmp_path, []) == [LEXICON]
    assert lexicon_of((tmp_path / LEXICON).read_text(encoding="utf-8").splitlines()).japanese == "openjtalk"
    assert made.revision() == f"{stage().revision()}, pyopenjtalk-plus 1.0"
    monkeypatch.setattr(phonemes, "_version", lambda name: "" if "openjtalk" in name else "1.0")
    [problem] = stage(japanese="openjtalk").check([])
    assert "make setup EXTRAS=dev,openjtalk" in problem
    assert not stage().check([])
    reader_packages.cache_clear()


def test_the_texts_of_a_batch_are_read_together_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], str]] = []

    def read(texts: list[str], language: str, **settings: Any) -> list[Reading]:
        asked.append((texts, language))
        return read_texts(texts, language, **settings)

    monkeypatch.setattr("stages.g2p.read_texts", read)
    items = [utterance("One."), utterance("Zwei.", "de"), utterance("One."), utterance("Two.")]
    rows = [row.phonemes for [row] in stage().process(items)]
    assert asked == [(["One.", "Two."], "en"), (["Zwei."], "de")]
    assert rows == [phonemize([item.text], item.language)[0] for item in items]


def test_a_wrong_lexicon_stops_the_stage_before_it_begins(tmp_path: Path) -> None:
    [problem] = stage(lexicon=str(tmp_path / "none.tsv")).check([])
    assert "none.tsv` can't be read" in problem
