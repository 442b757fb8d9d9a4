import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import TextError
from stages.text import languages
from stages.text.languages import LANGUAGES, detect, normalise_code

SENTENCES = {
    "en": "The weather was fine, so we walked along the river until the evening.",
    "de": "Das Wetter war schön, deshalb gingen wir bis zum Abend am Fluss entlang.",
    "fr": "Il faisait beau, alors nous avons marché le long de la rivière jusqu'au soir.",
    "es": "Hacía buen tiempo, así que caminamos junto al río hasta la noche.",
    "it": "Il tempo era bello, perciò abbiamo camminato lungo il fiume fino a sera.",
    "pt": "O tempo estava bom, então caminhamos ao longo do rio até à noite.",
    "ja": "天気がよかったので、夕方まで川沿いを歩きました。",
    "zh": "天气很好，所以我们沿着河边一直走到晚上。",
    "ko": "날씨가 좋아서 우리는 저녁까지 강을 따라 걸었습니다.",
    "sv": "Vädret var fint, så vi gick längs floden ända till kvällen.",
    "nl": "Het weer was mooi, dus we liepen langs de rivier tot de avond.",
    "pl": "Pogoda była ładna, więc szliśmy wzdłuż rzeki aż do wieczora.",
    "ru": "Погода была хорошая, поэтому мы гуляли вдоль реки до самого вечера.",
    "uk": "Погода була гарна, тому ми гуляли вздовж річки до самого вечора.",
    "cs": "Počasí bylo hezké, a tak jsme šli podél řeky až do večera.",
    "da": "Vejret var dejligt, så vi gik langs floden indtil om aftenen.",
    "no": "Været var fint, så vi gikk langs elven helt til kvelden.",
    "fi": "Sää oli kaunis, joten kävelimme joen vartta iltaan saakka.",
    "hu": "Szép idő volt, ezért estig sétáltunk a folyó mentén.",
    "ro": "Vremea era frumoasă, așa că am mers de-a lungul râului până seara.",
    "tr": "Hava güzeldi, bu yüzden akşama kadar nehir boyunca yürüdük.",
    "el": "Ο καιρός ήταν καλός, γι' αυτό περπατήσαμε δίπλα στο ποτάμι μέχρι το βράδυ.",
    "hi": "मौसम अच्छा था, इसलिए हम शाम तक नदी के किनारे चलते रहे।",
}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_is_detected_from_a_sentence(code):
    assert code in SENTENCES, f"add a sentence in `{code}` to SENTENCES"
    sentence = SENTENCES[code]
    for form in (sentence, sentence.upper(), unicodedata.normalize("NFD", sentence)):
        assert detect(form) == code
    assert detect(sentence, candidates=["en", "fr", code]) == code


@pytest.mark.parametrize("code", LANGUAGES)
def test_single_words_go_to_the_first_language_that_has_them(code):
    for word in LANGUAGES[code].words:
        owner = next(row.code for row in LANGUAGES.values() if word in row.words)
        assert detect(f"{word.capitalize()}!") == owner
    assert detect("six") == "en"


def test_mixed_scripts():
    assert detect("iPhoneを買いました") == "ja"
    assert detect("我在 Custom Speech 门户中打开一个项目") == "zh"
    assert detect("The word 東京 means Tokyo in Japanese, as everybody knows.") == "en"


@pytest.mark.parametrize("text", ["", "1984", "… — !", "٣٤"])
def test_without_letters_there_is_no_language(text):
    with pytest.raises(TextError, match=r"transcribe\.languages"):
        detect(text)
    with pytest.raises(TextError, match="`--language`"):
        detect(text, ["en", "de"], setting="--language")
    assert detect(text, ["de"]) == "de", "nothing to choose"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("الطقس جميل اليوم ونحن نمشي على طول النهر.", "Arabic"),
        ("อากาศดีมากเราจึงเดินเลียบแม่น้ำ", "Thai"),
        ("שלום", "Hebrew"),
        ("ამინდი კარგი იყო, OK?", "Georgian"),
        ("আবহাওয়া ভালো ছিল", "Bengali"),
        ("હવામાન સારું હતું", "Gujarati"),
    ],
)
def test_a_script_of_no_language_of_the_table_is_named(text, script):
    with pytest.raises(TextError, match=f"is in {script} letters.*Remove it"):
        detect(text)
    assert detect(text, ["sv"]) == detect(f"{text[:3]} is the word for it, as everybody here knows", ["sv"]) == "sv"
    assert detect(f"{text[:3]} is the word for it, as everybody here knows") == "en"


def test_a_language_outside_the_table_is_named():
    foreign = {
        "vi": "Thời tiết đẹp nên chúng tôi đi bộ dọc theo bờ sông cho đến tối.",
        "id": "Cuacanya bagus, jadi kami berjalan di sepanjang sungai.",
        "et": "Ilm oli ilus, seega jalutasime õhtuni mööda jõge.",
    }
    for code, text in foreign.items():
        with pytest.raises(TextError, match=rf"looks like `{code}`.*`transcribe\.languages`"):
            detect(text)
    for name in ("Nguyễn Văn An", "Kuala Lumpur"):
        assert detect(name) in LANGUAGES


def test_words_of_the_table_count_beside_a_stray_han_letter():
    assert detect("你好 hello hello hello hello") == "en"
    assert detect("ett två tre fyra fem sex sju åtta nio tio") == "sv"


@given(text=st.text(max_size=60), candidates=st.lists(st.sampled_from(list(LANGUAGES)), min_size=1, max_size=4))
def test_any_text_gets_one_of_the_candidates(text, candidates):
    if any(letter.isalpha() for letter in unicodedata.normalize("NFC", text)):
        assert detect(text, candidates) in candidates


@pytest.mark.parametrize(
    ("given_code", "code"),
    [("en", "en"), (" EN ", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("German", "de"), ("cmn", "zh"), ("nb-NO", "no")],
)
def test_codes_are_normalised(given_code, code):
    assert normalise_code(given_code) == code


@pytest.mark.parametrize(("code", "nearest"), [("germn", "german"), ("jp", ""), ("", ""), ("xx-YY", "")])
def test_an_unknown_code_names_the_nearest(code, nearest):
    with pytest.raises(TextError, match=f"Did you mean `{nearest}`" if nearest else "must be a supported language"):
        normalise_code(code)


def test_the_model_kept_unpacked_is_the_librarys(tmp_path, monkeypatch):
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = [f"{sentence} {sentence[:9]}" for sentence in SENTENCES.values()]
    for turn in ("unpacked now", "unpacked before"):
        kept = languages._identifier.__wrapped__()
        assert [kept.rank(text) for text in texts] == [library.rank(text) for text in texts], turn
    [moves] = tmp_path.rglob("nextmove.npy")
    moves.write_bytes(moves.read_bytes()[:1000])
    assert languages._identifier.__wrapped__().rank(texts[0]) == library.rank(texts[0])
    assert not moves.exists(), "the damaged one is removed, and made again the next time"


def test_the_real_transcripts(speech):
    english = {"fsdd", "vctk", "ljspeech", "librispeech-test-other", "longform"}
    texts = {
        (("en" if group in english else group.rsplit("-", 1)[-1]), path.read_text(encoding="utf-8"))
        for group in (folder.name for folder in speech.iterdir() if folder.is_dir())
        for path in (speech / group).rglob("*.txt")
    } | {("de", path.read_text(encoding="utf-8")) for path in (speech / "kerstin-de").rglob("*.txt")}
    wrong = [(code, detect(text), text) for code, text in texts if detect(text) != code]
    assert len(texts) > 300
    assert len(wrong) <= 1, wrong
