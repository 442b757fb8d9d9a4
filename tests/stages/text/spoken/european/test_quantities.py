"""Amounts, measures, ranges, fractions, decimals, whole numbers and strings of digits, as each language says them."""

import pytest

from stages.text.spoken.table import speak

SAID = {
    "de": """
        Das Buch kostet 12,50 €.
            Das Buch kostet zwölf Euro fünfzig Cent.
        Er zahlte €3, dann $1.000.
            Er zahlte drei Euro, dann ein tausend Dollar.
        ein Kredit von 2,5 Mio. €
            ein Kredit von zwei Komma fünf Millionen Euro
        $1,234 bei 1,234 € je Liter
            ein tausend zwei hundert vier und dreißig Dollar bei eins Komma zwei drei vier Euro je Liter
        +5 Punkte, 20,- €, 4x4
            plus fünf Punkte, zwanzig Euro, vier mal vier
        1 Kilo Mehl, 1 Stunde, 1 Tag
            ein Kilo Mehl, eine Stunde, ein Tag
        21 Kühe und 101 Schafe
            ein und zwanzig Kühe und ein hundert eins Schafe
        65 kg bei 180 cm
            fünf und sechzig Kilogramm bei ein hundert achtzig Zentimeter
        mit 120 km/h und 3 m² Fläche
            mit ein hundert zwanzig Kilometer pro Stunde und drei Quadratmeter Fläche
        minus 7 °C sind -7 °C
            minus sieben Grad Celsius sind minus sieben Grad Celsius
        zu 30–40 %, etwa 5-10 kg
            zu dreißig bis vierzig Prozent, etwa fünf bis zehn Kilogramm
        Wir verloren 2:4.
            Wir verloren zwei zu vier.
        2/3 der Zeit, 1½ Liter
            zwei drittel der Zeit, ein ein halb Liter
        3,14159 und 0,07
            drei Komma eins vier eins fünf neun und null Komma null sieben
        1.234.567 Sterne
            eine Million zwei hundert vier und dreißig tausend fünf hundert sieben und sechzig Sterne
        Agent 007 im Zimmer B12
            Agent null null sieben im Zimmer B zwölf
        Fassung 1.0.3 vom Werk
            Fassung eins Punkt null Punkt drei vom Werk
        die Saison 2018/19 und Heft 7/1998
            die Saison zwei tausend achtzehn neunzehn und Heft sieben ein tausend neun hundert acht und neunzig
    """,
    "fr": """
        Le livre coûte 12,50 €.
            Le livre coûte douze euros cinquante centimes.
        un prêt de 2,5 millions €, soit 3 000 000 €
            un prêt de deux virgule cinq millions d'euros, soit trois millions d'euros
        21 vaches, 81 filles, 1 jour
            vingt et une vaches, quatre-vingt-une filles, un jour
        1,5 litre et 2 l de lait
            un virgule cinq litre et deux litres de lait
        71, 80, 81, 91, 200
            soixante et onze, quatre-vingts, quatre-vingt-un, quatre-vingt-onze, deux cents
        à 120 km/h par -7 °C
            à cent vingt kilomètres par heure par moins sept degrés Celsius
        de 30-40 %
            de trente à quarante pour cent
        2/3 du temps, 3 1/2
            deux tiers du temps, trois et demi
        la version 1.0.3
            la version un point zéro point trois
        appelez le 01 23 45 67 89
            appelez le zéro un vingt-trois quarante-cinq soixante-sept quatre-vingt-neuf
    """,
    "es": """
        El libro cuesta 12,50 € o $3.
            El libro cuesta doce euros cincuenta céntimos o tres dólares.
        un préstamo de 1.000.000 € y 2,5 millones €
            un préstamo de un millón de euros y dos coma cinco millones de euros
        21 perros, 31 casas, 200 mujeres, 1 persona
            veintiún perros, treinta y una casas, doscientas mujeres, una persona
        Son 21 y no 1.
            Son veintiuno y no uno.
        21.000 libros y 71.170
            veintiún mil libros y setenta y un mil ciento setenta
        a 120 km/h, con 5 l y 1/2 kg
            a ciento veinte kilómetros por hora, con cinco litros y medio kilogramo
        entre -7 °C y 30-40 %
            entre menos siete grados centígrados y treinta a cuarenta por ciento
        2/3 del tiempo, 5/12, 1/20
            dos tercios del tiempo, cinco doceavos, un veinteavo
        Perdimos 2-4 en 2006.
            Perdimos dos a cuatro en dos mil seis.
    """,
    "it": """
        Il libro costa 12,50 €.
            Il libro costa dodici euro cinquanta centesimi.
        un prestito di 1.000.000 €
            un prestito di un milione di euro
        1 giorno, 1 volta, 1 studente, 23 case
            un giorno, una volta, uno studente, ventitré case
        l'11 per cento, 8 m e 108 km
            l'undici per cento, otto metri e centotto chilometri
        a 120 km/h, -7 °C, 30-40 %
            a cento venti chilometri all'ora, meno sette gradi Celsius, trenta a quaranta percento
        2/3 del tempo, mezz'ora o 1/2 h
            due terzi del tempo, mezz'ora o mezza ora
        3,05 e 0,125
            tre virgola zero cinque e zero virgola cento venticinque
    """,
    "pt": """
        O livro custa R$ 12,50, ou 3 €.
            O livro custa doze reais e cinquenta centavos, ou três euros.
        um empréstimo de R$ 1.000.000
            um empréstimo de um milhão de reais
        R$ 2 mil por mês
            dois mil reais por mês
        2 casas, 1 pessoa, 22 dias, 300 mulheres
            duas casas, uma pessoa, vinte e dois dias, trezentas mulheres
        1.100 e 1.111 e 2.350.000
            mil e cem e mil cento e onze e dois milhões trezentos e cinquenta mil
        a 120 km/h, 1 m², 1/2 kg
            a cento e vinte quilômetros por hora, um metro quadrado, meio quilograma
        2/3 do tempo, 3/11
            dois terços do tempo, três onze avos
    """,
    "ru": """
        Книга стоит 12 руб. 50 коп.
            Книга стоит двенадцать рублей пятьдесят копеек.
        1 книга, 2 книги, 5 книг, 1 окно
            одна книга, две книги, пять книг, одно окно
        21 рубль, 2 стола
            двадцать один рубль, два стола
        в 3 городах, с 5 друзьями, к 10 годам
            в трёх городах, с пятью друзьями, к десяти годам
        от 2 до 7, около 40 человек
            от двух до семи, около сорока человек
        2 тыс. человек, 3,5 млн руб.
            две тысячи человек, три целых пять десятых миллиона рублей.
        1 кг, 2 кг, 5 кг, 1,5 кг
            один килограмм, два килограмма, пять килограммов, одна целая пять десятых килограмма
        Это 5 руб. Он ушёл.
            Это пять рублей. Он ушёл.
        120 км/ч при -7 °C, 1 %, 22 %
            сто двадцать километров в час при минус семь градусов Цельсия, один процент, двадцать два процента
        3/4 пути
            три четвёртых пути
    """,
    "sv": """
        21 hus, 3,25 och 5 %
            tjugoett hus, tre komma tjugofem och fem procent
        År 1984.
            År nittonhundraåttiofyra.
    """,
    "nl": """
        in 1984 en 7,5 %
            in negentien honderd vierentachtig en zeven komma vijf procent
    """,
    "uk": """
        1 %, 3 %, 5 %
            один відсоток, три відсотки, п'ять відсотків
    """,
    "cs": """
        2,5 a 5 %
            dvě celé pět a pět procent
    """,
    "tr": """
        %20 ve 5 %
            yüzde yirmi ve yüzde beş
        1999
            bin dokuz yüz doksan dokuz
    """,
    "hi": """
        1,00,000 में 3.5 और १२
            एक लाख में तीन दशमलव पाँच और बारह
    """,
    "hu": """
        3,05
            három egész öt század
    """,
}
ROWS = [
    (code, written.strip(), spoken.strip())
    for code, rows in SAID.items()
    for lines in [rows.strip().splitlines()]
    for written, spoken in zip(lines[::2], lines[1::2], strict=True)
]


@pytest.mark.parametrize(("code", "written", "spoken"), ROWS)
def test_numbers_are_said(code: str, written: str, spoken: str) -> None:
    assert speak(written, code).text == spoken


def test_a_change_names_its_kind() -> None:
    changes = speak("Ein Brot zu 3 € wiegt 500 g, 2/3 mehr.", "de").changes
    assert [change.kind for change in changes] == ["money", "measure", "fraction"]


@pytest.mark.parametrize("code", ["de", "fr", "es", "it", "pt", "ru"])
@pytest.mark.parametrize("written", ["9/1995", "24/7"])
def test_an_issue_of_a_year_is_no_fraction(code: str, written: str) -> None:
    assert [change.kind for change in speak(written, code).changes] == ["serial"]
