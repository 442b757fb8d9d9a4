"""Sentences of news, subtitles, recipes and chats, by language: each is of a kind that was read wrongly once."""

import pytest

from stages.text.spoken.table import speak

_SAID = {
    "en": """
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
        a wall 9' high
            a wall nine feet high
    """,
    "de": """
        Milch, ½ Liter
            Milch, ein halb Liter
        eine 5%ige Lösung, 2x am Tag
            eine fünfprozentige Lösung, zweimal am Tag
        9 - 4 = 5
            neun minus vier gleich fünf
        Note: 8,5/10
            Note: acht Komma fünf von zehn
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
        azúcar, ½ taza
            azúcar, media taza
        a 38 ºC con 1 mujer
            a treinta y ocho grados centígrados con una mujer
        Llame al 93 456 78 90.
            Llame al nueve tres cuatro cinco seis siete ocho nueve cero.
    """,
    "it": """
        latte, ½
            latte, un mezzo
        per es. 7,5/10
            per esempio sette virgola cinque su dieci
    """,
    "pt": """
        a 38 ºC
            a trinta e oito graus Celsius
        (21) 98765-4321
            dois um nove oito sete seis cinco quatro três dois um
    """,
    "ru": """
        молоко, ½
            молоко, одна вторая
        в 31 г. до н. э. и в 27 г. н. э.
            в тридцать первом году до нашей эры и в двадцать седьмом году нашей эры.
        8 (812) 345-67-89
            восемь восемь один два три четыре пять шесть семь восемь девять
    """,
    "zh": """
        歼-10和运-8
            歼十和运八
        以98-87获胜
            以九十八比八十七获胜
        账号24680
            账号二四六八零
    """,
    "ko": """
        4-2로 이겼다.
            사 대 이로 이겼다.
    """,
}
_PAIRS = [
    (code, lines[at].strip(), lines[at + 1].strip())
    for code, table in _SAID.items()
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
