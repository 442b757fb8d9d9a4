"""Abbreviations, initials, acronyms, addresses and signs, and what must stay as it is written."""

import pytest

from stages.text.spoken.table import speak

SAID = {
    "de": """
        Obst, z. B. Äpfel, d. h. Kernobst usw. Die Birnen fehlen.
            Obst, zum Beispiel Äpfel, das heißt Kernobst und so weiter. Die Birnen fehlen.
        Prof. Dr. Meier, Fr. Lang, St. Gallen
            Professor Doktor Meier, Frau Lang, Sankt Gallen
        Gartenstr. 8, S. 12, § 4
            Gartenstraße acht, Seite zwölf, Paragraf vier
        H. G. Wells und J.-P. Sartre
            h g Wells und j p Sartre
        Das BKA der BRD und die USA, aber NATO
            Das b k a der b r d und die u s a, aber NATO
        www.haus-bau.de, post@haus.de
            w w w Punkt haus Minus bau Punkt d e, post at haus Punkt d e
        Meier & Sohn, 2 + 3 = 5
            Meier und Sohn, zwei plus drei gleich fünf
    """,
    "fr": """
        M. Petit, Mme Roux et Mlle Blanc, etc. Puis rien.
            monsieur Petit, madame Roux et mademoiselle Blanc, et cetera. Puis rien.
        le Dr Roy, Me Roy, p. ex. n° 8
            le docteur Roy, maître Roy, par exemple numéro huit
        Petit & Fils, la SNCF, le FBI
            Petit et Fils, la s n c f, le f b i
        contact@maison.fr
            contact arobase maison point f r
    """,
    "es": """
        El Sr. Paz, la Dra. Gil y D. Luis, etc. Luego nada.
            El señor Paz, la doctora Gil y don Luis, etcétera. Luego nada.
        EE. UU. y la UE, nº 8, pág. 3
            Estados Unidos y la u e, número ocho, página tres
        Hijos & Cía., 2 + 3 = 5
            Hijos y compañía, dos más tres igual a cinco
    """,
    "it": """
        il Sig. Rossi e la Dott.ssa Neri, ecc. Poi nulla.
            il signor Rossi e la dottoressa Neri, eccetera. Poi nulla.
        n. 8, pag. 3, S. Marco
            numero otto, pagina tre, San Marco
    """,
    "pt": """
        O Sr. Paz, a Dra. Gil, etc. Depois nada.
            O senhor Paz, a doutora Gil, et cetera. Depois nada.
        nº 8, pág. 3, os EUA, D. João
            número oito, página três, os é u a, dom João
    """,
    "ru": """
        Яблоки, т. е. фрукты и т. д. Потом обед.
            Яблоки, то есть фрукты и так далее. Потом обед.
        г. Тула, ул. Мира, д. 8, в г. Туле
            город Тула, улица Мира, дом восемь, в городе Туле
        Л. Н. Толстой, США, МВД, №8
            эль эн Толстой, эс ша а, эм вэ дэ, номер восемь
        четвертый из трех
            четвёртый из трёх
    """,
}
ROWS = [
    (code, written.strip(), spoken.strip())
    for code, rows in SAID.items()
    for lines in [rows.strip().splitlines()]
    for written, spoken in zip(lines[::2], lines[1::2], strict=True)
]


@pytest.mark.parametrize(("code", "written", "spoken"), ROWS)
def test_abbreviations_and_signs_are_said(code: str, written: str, spoken: str) -> None:
    assert speak(written, code).text == spoken


UNCHANGED = {
    "de": "Ich war da. Im Saal war es still; am Ende, so hieß es, kam Karl. Nr? Ja!\nDer Max ist klein, und Ida auch.",
    "fr": "Me voilà. Il y a des jours. Je vis un homme ; la vie, dit-il, va. M'as-tu vu ?\nNos amis et le sien.",
    "es": "Y yo no. Xi es un nombre. La A y la B. Él va a casa, y ella también.\nMi vida civil.",
    "it": "Io e mia zia. Di chi è? Non lo so. Ma dai!\nI sei amici vivi.",
    "pt": "E a vida? Não sei. Vi a dor. Era o fim.\nO mil e uma noites.",
    "ru": "Я и он. В саду темно. С утра шёл дождь, и я вышел.\nНе т.",
}


@pytest.mark.parametrize(
    ("code", "text"), [(code, line) for code, lines in UNCHANGED.items() for line in lines.splitlines()]
)
def test_words_stay_as_they_are(code: str, text: str) -> None:
    assert speak(text, code).text == text
