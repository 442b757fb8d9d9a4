"""Properties of written text in words, of the engine and of English; capitals."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.languages import LANGUAGES
from stages.text.phonemes import in_words, phonemize
from stages.text.spoken.languages import en
from stages.text.spoken.rules import Rules
from stages.text.spoken.table import speak, speaker_of

MARKS = re.compile(r"[.!?;:,…]")
PIECES = st.sampled_from(
    [
        *(
            "$5",
            "£3.20",
            "12:30",
            "3 kg",
            "5%",
            "1990s",
            "1/2",
            "3rd",
            "A4",
            "10-20",
            "#1",
            "1,000",
            "2.5",
            "May 5",
            "-3",
        ),
        *("Dr. Lee", "e.g.", "U.S.", "p. 3", "St.", "No.", "5 p.m.", "NASA", "IV", "Henry VIII", "I", "A", "a", "it."),
        *("was,", "and", "said", "&", "+", "=", "²", "½", "_", "*", "/", "20°C", "H₂O", "5'11\"", "007", "555-1234"),
        *("3:1", "1e5", "x@y.com", "1_000", "3.5xyz", "[", "<", "'", "…", "—"),
    ]
)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_rule_is_a_regular_expression(code: str) -> None:
    """Each is compiled for the first text that may need it, which no test may have."""
    speaker = speaker_of(code)
    assert speaker is not None
    assert all(rule.pattern.flags & rule.flags == rule.flags for rule in speaker.rules)


@given(st.one_of(st.integers(-(10**40), 10**40).map(str), st.floats(allow_nan=False, allow_infinity=False).map(str)))
@settings(max_examples=150, deadline=None)
def test_no_number_is_left_in_digits(number: str) -> None:
    for text in (number, f"It is {number}.", f"about {number} km"):
        assert not re.search(r"\d", speak(text, "en").text)


@given(st.lists(PIECES, min_size=1, max_size=8).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_reading_is_idempotent_and_adds_no_mark(text: str) -> None:
    spoken = speak(text, "en")
    assert speak(spoken.text, "en").text == spoken.text
    assert not re.search(r"\d", spoken.text)
    assert len(MARKS.findall(spoken.text)) <= len(MARKS.findall(text))
    assert all(change.written != change.spoken for change in spoken.changes)


@given(st.lists(PIECES.filter(lambda piece: piece != "½"), min_size=1, max_size=8).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_gates_shut_no_rule_out_that_would_say_something(text: str) -> None:
    ungated = Rules(replace(rule, gates=()) for rule in en._RULES)
    assert en.LANGUAGE.rules.apply(text) == ungated.apply(text)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read(text: str) -> None:
    once = in_words(text, "en")
    assert speak(once, "en").text == once


@pytest.mark.parametrize("text", ["WHO WAS IT THAT GAVE US THIS", "IS IT TRUE?", "HE SAID: I AM HERE", "GIVE US TIME"])
def test_a_text_in_capitals_is_read_as_in_small_letters(text: str) -> None:
    assert phonemize([text], "en") == phonemize([text.lower()], "en")


@pytest.mark.parametrize("text", ["NASA", "IT IS", "NHK TV", "A B C D", "A4"])
def test_few_words_in_capitals_may_be_names(text: str) -> None:
    assert "capitals" not in {change.kind for change in speak(text, "en").changes}


def test_real_texts_in_capitals_are_read_as_in_small_letters(speech: Path) -> None:
    texts = [path.read_text(encoding="utf-8-sig").strip() for path in sorted(speech.glob("librispeech*/**/*.txt"))]
    lower = [text.lower() for text in texts if len(text.split()) > 2]
    assert len(lower) > 50
    assert phonemize([text.upper() for text in lower], "en") == phonemize(lower, "en")


def test_words_alone_are_passed_by() -> None:
    speaker = speaker_of("en")
    assert speaker is not None
    for text in (
        "The cat sat on the mat, and I went home.",
        'Is it so? "Yes," he said; so it was!',
        "naïve café — oui",
    ):
        assert not speaker.needed.search(text)
        assert speak(text, "en").text == text


_REAL = {
    "en": """
        About 1.5bn people live there, 3 mn of them here.
            About one point five billion people live there, three million of them here.
        Ask for 77 N. Oak Lane, or 8 W 12th Street.
            Ask for seventy seven N Oak Lane, or eight W twelfth Street.
        He is 6 ft 2 in. tall.
            He is six feet two inches tall.
        Llama-2.5 ran beside Phi4.1-mini.
            Llama two point five ran beside Phi four point one mini.
        encoded as H.266
            encoded as H two sixty six
        at 3.7 m/s²
            at three point seven meters per second squared
        Edward V. Roe met Charles X.
            Edward V Roe met Charles the tenth.
        Read Psalm 46:10 and Mark 2:3-5.
            Read Psalm forty six ten and Mark two three to five.
        We sold 1,000s, rated 4.5/5 for ~$7.
            We sold thousands, rated four point five out of five for about seven dollars.
        APPLE SOLD A 5G PHONE WITH A 4K SCREEN
            apple sold a five G phone with a four K screen
        Stir in 3 tbsp. oil and 1/2 tsp salt.
            Stir in three tablespoons oil and half a teaspoon salt.
        a wall 9' high
            a wall nine feet high
    """,
    "de": """
        Wählen Sie die 112, er hat 112 Freunde.
            Wählen Sie die eins eins zwei, er hat ein hundert zwölf Freunde.
        Milch, ½ Liter
            Milch, ein halb Liter
        eine 5%ige Lösung, 2x am Tag
            eine fünfprozentige Lösung, zweimal am Tag
        9 - 4 = 5
            neun minus vier gleich fünf
        Note: 8,5/10
            Note: acht Komma fünf von zehn
        Miete: 9 €/Monat, 7 €/m².
            Miete: neun Euro pro Monat, sieben Euro pro Quadratmeter.
        vom 4.-6. Juni bei 18°C–22°C
            vom vierten bis sechsten Juni bei achtzehn Grad Celsius bis zwei und zwanzig Grad Celsius
        Das Land hat 9 Mio.
            Das Land hat neun Millionen.
    """,
    "fr": """
        du lait, ½ litre
            du lait, un demi litre
        ouvert 24h/24 et 6j/7
            ouvert vingt-quatre heures sur vingt-quatre et six jours sur sept
        2h15min, 3x plus, 9,5/10
            deux heures quinze, trois fois plus, neuf virgule cinq sur dix
        4 Mds d'euros, 2,5 Md€
            quatre milliards d'euros, deux virgule cinq milliards d'euros
        la v3.1
            la v trois point un
    """,
    "es": """
        ¡Marque el 112! Hay 112 casas.
            ¡Marque el uno uno dos! Hay ciento doce casas.
        Vuelve a las 11:00 h. Luego come a las 12:00 h.
            Vuelve a las once. Luego come a las doce.
        Son las 11:00 h. en casa
            Son las once en casa
        azúcar, ½ taza
            azúcar, media taza
        a 38 ºC con 1 mujer
            a treinta y ocho grados centígrados con una mujer
        Llame al 93 456 78 90.
            Llame al nueve tres cuatro cinco seis siete ocho nueve cero.
        Paga $2,300.00 a las 6.45 horas, 8 €/mes.
            Paga dos mil trescientos dólares a las seis y cuarenta y cinco, ocho euros por mes.
    """,
    "it": """
        Chiama il 118 subito, ho 118 libri.
            Chiama il uno uno otto subito, ho cento diciotto libri.
        latte, ½
            latte, un mezzo
        per es. 7,5/10
            per esempio sette virgola cinque su dieci
    """,
    "pt": """
        Ligue para o 190! Faltam 190 dias.
            Ligue para o um nove zero! Faltam cento e noventa dias.
        1/2 litro de leite, 1/2 xícara de sal
            meio litro de leite, meia xícara de sal
        O quarto 101 fica ali, temos 101 casas.
            O quarto cento e um fica ali, temos cento e uma casas.
        a 38 ºC
            a trinta e oito graus Celsius
        (21) 98765-4321
            dois um nove oito sete seis cinco quatro três dois um
        R$ 20/mês
            vinte reais por mês
    """,
    "ru": """
        См. рис. 2: он живёт на ул. Мира.
            смотри рисунок два: он живёт на улице Мира.
        молоко, ½
            молоко, одна вторая
        в 31 г. до н. э. и в 27 г. н. э.
            в тридцать первом году до нашей эры и в двадцать седьмом году нашей эры.
        8 (812) 345-67-89
            восемь восемь один два три четыре пять шесть семь восемь девять
        с 10:00 до 19:30
            с десяти часов до девятнадцати часов тридцати минут
        в 6 ч. 15 мин.
            в шесть часов пятнадцать минут.
    """,
    "zh": """
        请打110, 我打了120个电话
            请打一一零, 我打了一百二十个电话
        歼-10和运-8
            歼十和运八
        以98-87获胜
            以九十八比八十七获胜
        账号24680
            账号二四六八零
    """,
    "ja": """
        バージョン2.10.3は3.5倍です
            バージョン二点十点三は三点五倍です
    """,
    "ko": """
        119에 전화하세요.
            일일구에 전화하세요.
        버전 2.10.3은 나왔다.
            버전 이점십점삼은 나왔다.
        4-2로 이겼다.
            사 대 이로 이겼다.
        4.19 혁명
            사일구 혁명
        9:00-18:00
            아홉시에서 십팔시
    """,
}
"""Sentences of news, recipes and chats, by language: each is of a kind that was read wrongly once."""
_PAIRS = [
    (code, lines[at].strip(), lines[at + 1].strip())
    for code, table in _REAL.items()
    for lines in [table.strip().splitlines()]
    for at in range(0, len(lines), 2)
]


@pytest.mark.parametrize(("code", "written", "spoken"), _PAIRS)
def test_real_text_is_said(code: str, written: str, spoken: str) -> None:
    assert speak(written, code).text == spoken
    assert speak(spoken, code).text == spoken


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "He said mm, and hummed."),
        ("en", "Malcolm X spoke."),
        ("en", "I am I. Is it so? It is in, he said."),
        ("de", "Mir ist kalt. Mo lachte. »Nein«, rief sie – und ging …"),
        ("fr", "Il dit mil fois : vis, dis, mis. M'est avis que ça va."),
        ("es", "Vi a mi tía. Si vi, vi mil. E ir a Italia e Irán."),
        ("it", "Di' la verità. Mi vidi. I libri dei civili, un po' d'acqua."),
        ("pt", "Vi mil. Dá-lhe, fá-lo-ei. Às três. E a ti."),
        ("ru", "Он пошёл в дом. С ним — мать. К вам, о вас."),
        ("ja", "「はい」と彼は言った。――そして……。"),
        ("zh", "他说：“不。”——然后……走了！"),
        ("ko", '"네," 그가 말했다. ― 그리고…'),
    ],
)
def test_prose_stays_as_it_is(code: str, text: str) -> None:
    assert speak(text, code).text == text
