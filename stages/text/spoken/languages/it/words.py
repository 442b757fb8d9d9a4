"""Units, currencies, abbreviations and signs in Italian."""

from stages.text.spoken.european.numbers import Numbers
from stages.text.spoken.european.tongue import Money, Tongue, below_two, listed, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.languages.it.numbers import cardinal, decimals, mixed, per, portion, ratio

_LENGTHS = metric(
    {"m": noun("metro/metri")}, {"k": "chilo", "c": "centi", "m": "milli", "d": "deci", "µ": "micro", "n": "nano"}
)
UNITS = (
    metric(
        nouns(
            """
            g grammo/grammi
            l,L litro/litri
            W watt
            V volt
            A ampere
            Hz hertz
            J joule
            Pa pascal
            N newton
            B byte
            Wh wattora/wattora
            """
        ),
        {
            "k": "chilo",
            "c": "centi",
            "m": "milli",
            "d": "deci",
            "h": "etto",
            "µ": "micro",
            "n": "nano",
            "M": "mega",
            "G": "giga",
            "T": "tera",
        },
    )
    | _LENGTHS
    | {"km": noun("chilometro/chilometri")}
    | powers(_LENGTHS, ("quadrato", "quadrati"), ("cubo", "cubi"), before=False)
    | nouns(
        """
        s,sec secondo/secondi
        ms millisecondo/millisecondi
        min minuto/minuti
        h ora/ore f
        t tonnellata/tonnellate f
        ha ettaro/ettari
        °C grado_Celsius/gradi_Celsius
        °F grado_Fahrenheit/gradi_Fahrenheit
        dB decibel
        kcal chilocaloria/chilocalorie f
        CV cavallo/cavalli
        mph miglio_orario/miglia_orarie
        mi miglio/miglia
        ft piede/piedi
        lb,lbs libbra/libbre f
        ‰ per_mille
        """
    )
)
_CENT = noun("centesimo/centesimi")
_CURRENCIES = {
    **dict.fromkeys(("€", "EUR"), Money(noun("euro"), _CENT)),
    **dict.fromkeys(("$", "US$", "USD"), Money(noun("dollaro/dollari"), _CENT)),
    **dict.fromkeys(("£", "GBP"), Money(noun("sterlina/sterline", "f"), noun("penny"))),
    **dict.fromkeys(("CHF",), Money(noun("franco svizzero/franchi svizzeri"), _CENT)),
    **dict.fromkeys(("¥", "JPY"), Money(noun("yen"))),
    **dict.fromkeys(("₽", "RUB"), Money(noun("rublo/rubli"), noun("copeco/copechi"))),
    **dict.fromkeys(("₩", "KRW"), Money(noun("won"))),
    **dict.fromkeys(("₤", "ITL"), Money(noun("lira/lire", "f"))),
    **dict.fromkeys(("₹", "INR"), Money(noun("rupia/rupie", "f"))),
}
_SCALES = {
    **dict.fromkeys(("milione", "milioni"), noun("milione/milioni")),
    **dict.fromkeys(("miliardo", "miliardi"), noun("miliardo/miliardi")),
    "mln": noun("milione/milioni"),
    "mld": noun("miliardo/miliardi"),
    "mila": noun("mila", ""),
}
_ABBREVIATIONS = {
    "Sig.ra": "signora",
    "Sig.na": "signorina",
    "Sigg.": "signori",
    "Sig.re": "signore",
    "Dott.ssa": "dottoressa",
    "Dr.ssa": "dottoressa",
    "Prof.ssa": "professoressa",
    "Avv.": "avvocato",
    "Arch.": "architetto",
    "Geom.": "geometra",
    "On.": "onorevole",
    "Sen.": "senatore",
    "Gen.": "generale",
    "Mons.": "monsignor",
    "ecc.": "eccetera",
    "per es.": "per esempio",
    "etc.": "eccetera",
    "p. es.": "per esempio",
    "ad es.": "ad esempio",
    "a. C.": "avanti Cristo",
    "d. C.": "dopo Cristo",
    "c.a.": "corrente anno",
    "ca.": "circa",
    "vs.": "contro",
    "tel.": "telefono",
    "pag.": "pagina",
    "pagg.": "pagine",
    "cfr.": "confronta",
    "max.": "massimo",
    "S.p.A.": "società per azioni",
    "S.r.l.": "società a responsabilità limitata",
    "spett.le": "spettabile",
    "gent.mo": "gentilissimo",
    "gent.ma": "gentilissima",
    "egr.": "egregio",
    "F.lli": "fratelli",
    "c.so": "corso",
    "p.zza": "piazza",
    "v.le": "viale",
    "n.d.r.": "nota del redattore",
}
NUMBERED = {
    "n.": "numero",
    "n°": "numero",
    "nº": "numero",
    "№": "numero",
    "pag.": "pagina",
    "pagg.": "pagine",
    "p.": "pagina",
    "pp.": "pagine",
    "art.": "articolo",
    "artt.": "articoli",
    "cap.": "capitolo",
    "vol.": "volume",
    "fig.": "figura",
    "#": "numero",
    "§": "paragrafo",
    "co.": "comma",
}
TONGUE = Tongue(
    "it",
    cardinal=cardinal,
    form=below_two,
    decimals=decimals,
    ratio=ratio,
    mixed=mixed,
    portion=portion,
    halves={"m": "mezzo", "f": "mezza"},
    letters={"y": "ipsilon"},
    scales=_SCALES,
    units=UNITS,
    currencies=_CURRENCIES,
    comma="virgola",
    point="punto",
    minus="meno",
    plus="più",
    to="a",
    over="su",
    versus="a",
    per=per,
    percent=noun("percento", ""),
    whole_agrees=False,
    signs={
        "%": "percento",
        "€": "euro",
        "&": "e",
        "+": "più",
        "=": "uguale",
        "<": "minore di",
        ">": "maggiore di",
        "±": "più o meno",
        "×": "per",
        "÷": "diviso",
        "§": "paragrafo",
        "@": "chiocciola",
        "#": "cancelletto",
        "~": "circa",
        "*": "per",
        "−": "meno",
        "$": "dollari",
        "£": "sterline",
        "‰": "per mille",
        "©": "copyright",
        "≈": "circa",
        "≥": "maggiore o uguale a",
        "≤": "minore o uguale a",
        "°": "gradi",
    },
    joined=lambda said, form: f"{said} di {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset(listed("UE FBI CIA IBM BBC PD PDF TG CGIL DJ ADSL OGM ADHD")),
    web={
        ".": "punto",
        "@": "chiocciola",
        "/": "barra",
        "-": "trattino",
        "_": "trattino basso",
        ":": "due punti",
        "?": "punto interrogativo",
        "=": "uguale",
        "&": "e",
        "#": "cancelletto",
        "%": "percento",
        "+": "più",
        "~": "tilde",
    },
)
NUMBERS = Numbers(TONGUE)
