"""Units, currencies, abbreviations and signs in German."""

from stages.text.spoken.european.numbers import Numbers
from stages.text.spoken.european.tongue import Money, Tongue, listed, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.languages.de.numbers import SMALL, cardinal, ratio

_LENGTHS = metric(
    {"m": noun("Meter")}, {"k": "Kilo", "c": "Zenti", "m": "Milli", "d": "Dezi", "µ": "Mikro", "n": "Nano"}
)
UNITS = (
    metric(
        nouns(
            """
            g Gramm
            l,L Liter
            W Watt
            V Volt
            A Ampere
            Hz Hertz
            J Joule
            Pa Pascal
            N Newton
            B Byte
            Wh Wattstunde/Wattstunden f
            """
        ),
        {
            "k": "Kilo",
            "c": "Zenti",
            "m": "Milli",
            "d": "Dezi",
            "h": "Hekto",
            "µ": "Mikro",
            "n": "Nano",
            "M": "Mega",
            "G": "Giga",
            "T": "Tera",
        },
    )
    | _LENGTHS
    | powers(_LENGTHS, ("Quadrat-",), ("Kubik-",), before=True)
    | nouns(
        """
        s,sec,sek,Sek. Sekunde/Sekunden f
        ms Millisekunde/Millisekunden f
        min,Min.,Min Minute/Minuten f
        h,Std.,Std Stunde/Stunden f
        t Tonne/Tonnen f
        ha Hektar
        °C Grad_Celsius n
        °F Grad_Fahrenheit n
        ° Grad n
        dB Dezibel
        kn Knoten
        kcal Kilokalorie/Kilokalorien f
        PS P_S f
        mph Meile_pro_Stunde/Meilen_pro_Stunde f
        mi Meile/Meilen f
        ft Fuß
        lb,lbs Pfund n
        ‰ Promille
        Jh.,Jhd. Jahrhundert/Jahrhunderte n
        """
    )
)
_CENT = noun("Cent")
_PENNY = noun("Penny/Pence")
_CURRENCIES = {
    **dict.fromkeys(("€", "EUR"), Money(noun("Euro"), _CENT)),
    **dict.fromkeys(("$", "US$", "USD"), Money(noun("Dollar"), _CENT)),
    **dict.fromkeys(("£", "GBP"), Money(noun("Pfund", "n"), _PENNY)),
    **dict.fromkeys(("CHF", "SFr.", "sFr."), Money(noun("Schweizer Franken"), noun("Rappen"))),
    **dict.fromkeys(("¥", "JPY"), Money(noun("Yen"))),
    "₽": Money(noun("Rubel"), noun("Kopeke/Kopeken", "f")),
    "₩": Money(noun("Won")),
    "DM": Money(noun("Mark", "f"), noun("Pfennig")),
    "ct": Money(_CENT),
    "Ct.": Money(_CENT),
}
_MILLION, _MILLIARD = noun("Million/Millionen", "f"), noun("Milliarde/Milliarden", "f")
_BILLION, _BILLIARD = noun("Billion/Billionen", "f"), noun("Billiarde/Billiarden", "f")
_SCALES = {
    **dict.fromkeys(("mio.", "mio", "million", "millionen"), _MILLION),
    **dict.fromkeys(("mrd.", "mrd", "milliarde", "milliarden"), _MILLIARD),
    **dict.fromkeys(("billion", "billionen"), _BILLION),
    **dict.fromkeys(("billiarde", "billiarden"), _BILLIARD),
    "tausend": noun("tausend"),
    "tsd.": noun("tausend"),
}
_ABBREVIATIONS = {
    "z. B.": "zum Beispiel",
    "d. h.": "das heißt",
    "u. a.": "unter anderem",
    "u. U.": "unter Umständen",
    "z. T.": "zum Teil",
    "i. d. R.": "in der Regel",
    "o. ä.": "oder ähnliches",
    "o. g.": "oben genannt",
    "u. ä.": "und ähnliches",
    "s. o.": "siehe oben",
    "s. u.": "siehe unten",
    "v. a.": "vor allem",
    "v. Chr.": "vor Christus",
    "n. Chr.": "nach Christus",
    "i. e.": "das ist",
    "usw.": "und so weiter",
    "usf.": "und so fort",
    "bzw.": "beziehungsweise",
    "etc.": "et cetera",
    "ca.": "circa",
    "Dr.": "Doktor",
    "Prof.": "Professor",
    "Hr.": "Herr",
    "Hrn.": "Herrn",
    "Frl.": "Fräulein",
    "St.": "Sankt",
    "Mr.": "Mister",
    "Mrs.": "Misses",
    "Ms.": "Miss",
    "Dipl.-Ing.": "Diplomingenieur",
    "inkl.": "inklusive",
    "exkl.": "exklusive",
    "zzgl.": "zuzüglich",
    "abzgl.": "abzüglich",
    "ggf.": "gegebenenfalls",
    "evtl.": "eventuell",
    "vgl.": "vergleiche",
    "bspw.": "beispielsweise",
    "geb.": "geboren",
    "gest.": "gestorben",
    "Hrsg.": "Herausgeber",
    "allg.": "allgemein",
    "sog.": "sogenannt",
    "m. E.": "meines Erachtens",
    "u. v. m.": "und vieles mehr",
    "einschl.": "einschließlich",
    "Jh.": "Jahrhundert",
    "Jhd.": "Jahrhundert",
    "zw.": "zwischen",
    "Tel.": "Telefon",
}
LATE = {"Mio.": "Millionen", "Mrd.": "Milliarden", "Std.": "Stunden"}
"""Units without a number of their own; tried after those that have one."""
NUMBERED = {
    "Nr.": "Nummer",
    "Nrn.": "Nummern",
    "S.": "Seite",
    "Bd.": "Band",
    "Kap.": "Kapitel",
    "Abb.": "Abbildung",
    "Art.": "Artikel",
    "Abs.": "Absatz",
    "Tab.": "Tabelle",
    "Aufl.": "Auflage",
    "Str.": "Straße",
    "§": "Paragraf",
    "§§": "Paragrafen",
    "#": "Nummer",
    "Pos.": "Position",
    "Ziff.": "Ziffer",
    "max.": "maximal",
    "mind.": "mindestens",
    "min.": "mindestens",
    "№": "Nummer",
    "Hbf.": "Hauptbahnhof",
}
TONGUE = Tongue(
    "de",
    cardinal=cardinal,
    form=lambda number: 0 if number.is_one else 1,
    decimals=lambda digits, _: " ".join(SMALL[int(digit)] for digit in digits),
    ratio=ratio,
    mixed=lambda whole, over, under: f"{cardinal(whole, 'm')} {ratio(over, under) or ''}",
    letters={},
    scales=_SCALES,
    units=UNITS,
    currencies=_CURRENCIES,
    whole_agrees=False,
    capitals=False,
    comma="Komma",
    point="Punkt",
    minus="minus",
    plus="plus",
    to="bis",
    over="von",
    versus="zu",
    per=lambda unit: f"pro {unit[0]}",
    percent=noun("Prozent", "n"),
    signs={
        "%": "Prozent",
        "€": "Euro",
        "&": "und",
        "+": "plus",
        "=": "gleich",
        "<": "kleiner als",
        ">": "größer als",
        "±": "plus minus",
        "×": "mal",
        "÷": "geteilt durch",
        "°": "Grad",
        "§": "Paragraf",
        "@": "at",
        "#": "Raute",
        "~": "ungefähr",
        "*": "mal",
        "−": "minus",
        "$": "Dollar",
        "£": "Pfund",
        "‰": "Promille",
        "©": "Copyright",
        "≈": "ungefähr",
        "≥": "größer gleich",
        "≤": "kleiner gleich",
    },
    joined=lambda said, form: f"{said} {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset(
        listed("USA EU ARD UN WHO IBM AOK ICE ADAC AG LKA BKA EZB UKW IT OP AFD UFA EDV EKG UV IQ ADHS ABC AKW SUV VIP")
    ),
    web={
        ".": "Punkt",
        "@": "at",
        "/": "Schrägstrich",
        "-": "Minus",
        "_": "Unterstrich",
        ":": "Doppelpunkt",
        "?": "Fragezeichen",
        "=": "gleich",
        "&": "und",
        "#": "Raute",
        "%": "Prozent",
        "+": "plus",
        "~": "Tilde",
    },
)
NUMBERS = Numbers(TONGUE)
