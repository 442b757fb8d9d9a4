"""Dates, times, ordinals, years and Roman numbers, as each language says them."""

import pytest

from stages.text.spoken.romans import from_roman, to_roman
from stages.text.spoken.table import speak

SAID = {
    "de": """
        Am 7. März 1848 und der 7. März
            Am siebten März achtzehn hundert acht und vierzig und der siebte März
        vom 1. bis 31. Mai
            vom ersten bis ein und dreißigsten Mai
        am 1. und 2. April, seit dem 3.
            am ersten und zweiten April, seit dem dritten.
        7.3.1848, den 07.03.2005
            siebter März achtzehn hundert acht und vierzig, den siebten März zwei tausend fünf
        2005-03-07
            siebter März zwei tausend fünf
        um 9:05 Uhr, um 21.30 Uhr, 17 Uhr
            um neun Uhr fünf, um ein und zwanzig Uhr dreißig, siebzehn Uhr
        10:00–11:30 Uhr
            zehn Uhr bis elf Uhr dreißig
        im 2. Stock, die 2. Runde, ein 3. Kind, in der 5. Klasse
            im zweiten Stock, die zweite Runde, ein drittes Kind, in der fünften Klasse
        Das geschah 1848. Danach war Ruhe.
            Das geschah achtzehn hundert acht und vierzig. Danach war Ruhe.
        Sie wurde 30. Maria gratulierte.
            Sie wurde dreißig. Maria gratulierte.
        1914–1918, die 70er
            neunzehn hundert vierzehn bis neunzehn hundert achtzehn, die siebziger
        1200 Gäste im Jahr 1200
            ein tausend zwei hundert Gäste im Jahr zwölf hundert
        Heinrich VIII. heiratete, mit Heinrich VIII., Heinrichs VIII. Frau
            Heinrich der Achte heiratete, mit Heinrich dem Achten, Heinrichs des Achten Frau
        Katharina II. und Karl V.
            Katharina die Zweite und Karl der Fünfte.
        im XVI. Jahrhundert, Kapitel IX
            im sechzehnten Jahrhundert, Kapitel neun
    """,
    "fr": """
        le 1er mai 1968 et le 2 mai
            le premier mai mille neuf cent soixante-huit et le deux mai
        le 07/03/2005, 2005-03-07
            le sept mars deux mille cinq, sept mars deux mille cinq
        à 9 h 05, à 21h30, à 17:00, à 1 h
            à neuf heures cinq, à vingt et une heures trente, à dix-sept heures, à une heure
        la 1re fois, le 2e étage, la 21e page, le 2nd
            la première fois, le deuxième étage, la vingt et unième page, le second
        au XVIe siècle, le Ier siècle
            au seizième siècle, le premier siècle
        Henri IV, Napoléon Ier, Élisabeth Ire
            Henri quatre, Napoléon premier, Élisabeth première
        les années 70, tome III
            les années soixante-dix, tome trois
    """,
    "es": """
        el 1 de mayo de 1968, el 2 de mayo
            el primero de mayo de mil novecientos sesenta y ocho, el dos de mayo
        el 07/03/2005
            el siete de marzo de dos mil cinco
        a las 9:05, a las 21:30, a las 10:15 p. m.
            a las nueve y cinco, a las veintiuna y media, a las diez y cuarto de la tarde
        la 1.ª vez, el 2.º piso, el 3er día, la 21ª
            la primera vez, el segundo piso, el tercer día, la vigesimoprimera
        el siglo XVI, los siglos IX y X
            el siglo dieciséis, los siglos noveno y diez
        Enrique VIII, Isabel II, Alfonso XII
            Enrique octavo, Isabel segunda, Alfonso doce
    """,
    "it": """
        il 1° maggio 1968, il 2 maggio
            il primo maggio mille novecento sessantotto, il due maggio
        alle 9:05, alle 21.30, dalle ore 17,15
            alle nove e cinque, alle ventuno e trenta, dalle ore diciassette e quindici
        la 1ª volta, il 2° piano, la 21ª
            la prima volta, il secondo piano, la ventunesima
        il XVI secolo, nel secolo V
            il sedicesimo secolo, nel secolo quinto
        Enrico VIII, Elisabetta I
            Enrico ottavo, Elisabetta prima
    """,
    "pt": """
        em 1º de maio de 1968, 2 de maio
            em primeiro de maio de mil novecentos e sessenta e oito, dois de maio
        às 9:05, às 21h30, às 2h
            às nove horas e cinco, às vinte e uma horas e trinta, às duas horas
        a 1ª vez, o 2º andar, a 21ª
            a primeira vez, o segundo andar, a vigésima primeira
        o século XVI, o século V
            o século dezesseis, o século quinto
        Henrique VIII, Maria I, João XXIII
            Henrique oitavo, Maria primeira, João vinte e três
    """,
    "ru": """
        Родился 7 марта 1848 г. в Риге.
            Родился седьмого марта тысяча восемьсот сорок восьмого года в Риге.
        в 1848 г., к 1848 году
            в тысяча восемьсот сорок восьмом году, к тысяча восемьсот сорок восьмому году
        до 1848 г.
            до тысяча восемьсот сорок восьмого года.
        Родился в 1848 г. Жил долго.
            Родился в тысяча восемьсот сорок восьмом году. Жил долго.
        1848 год и 1849 года
            тысяча восемьсот сорок восьмой год и тысяча восемьсот сорок девятого года
        в 9:05, в 21:00
            в девять часов пять минут, в двадцать один час
        5-й этаж, 5-я глава, 5-го числа, 60-е годы
            пятый этаж, пятая глава, пятого числа, шестидесятые годы
        20-летний, 2-х, 5-ти
            двадцатилетний, двух, пяти
        XVI век, в XVI в.
            шестнадцатый век, в шестнадцатом веке.
        Николай II, при Николае II, Екатерины II
            Николай второй, при Николае втором, Екатерины второй
    """,
}
ROWS = [
    (code, written.strip(), spoken.strip())
    for code, rows in SAID.items()
    for lines in [rows.strip().splitlines()]
    for written, spoken in zip(lines[::2], lines[1::2], strict=True)
]


@pytest.mark.parametrize(("code", "written", "spoken"), ROWS)
def test_dates_and_their_like_are_said(code: str, written: str, spoken: str) -> None:
    assert speak(written, code).text.removesuffix(".") == spoken.removesuffix(".")


def test_roman_numbers_are_read_back() -> None:
    assert [from_roman(to_roman(number)) for number in range(1, 400)] == list(range(1, 400))
    assert [from_roman(letters) for letters in ("IIII", "VX", "IC", "ABC")] == [0, 0, 0, 0]


@pytest.mark.parametrize("code", ["de", "fr", "es", "it", "pt", "ru"])
@pytest.mark.parametrize("written", ["Linux 2.6.32", "31.13.2000", "0.0.2000"])
def test_what_only_looks_like_a_date_is_none(code: str, written: str) -> None:
    assert "date" not in [change.kind for change in speak(written, code).changes]
