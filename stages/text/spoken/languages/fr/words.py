"""Units, currencies, abbreviations and signs in French."""

import re

from stages.text.spoken.european.numbers import Numbers
from stages.text.spoken.european.tongue import Money, Tongue, listed, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.languages.fr.numbers import cardinal, decimals, mixed, portion, ratio

_LENGTHS = metric(
    {"m": noun("mètre/mètres")}, {"k": "kilo", "c": "centi", "m": "milli", "d": "déci", "µ": "micro", "n": "nano"}
)
UNITS = (
    metric(
        nouns(
            """
            g gramme/grammes
            l,L litre/litres
            W watt/watts
            V volt/volts
            A ampère/ampères
            Hz hertz
            J joule/joules
            Pa pascal/pascals
            N newton/newtons
            B octet/octets
            """
        ),
        {
            "k": "kilo",
            "c": "centi",
            "m": "milli",
            "d": "déci",
            "h": "hecto",
            "µ": "micro",
            "n": "nano",
            "M": "méga",
            "G": "giga",
            "T": "téra",
        },
    )
    | _LENGTHS
    | powers(_LENGTHS, ("carré", "carrés"), ("cube", "cubes"), before=False)
    | nouns(
        """
        s,sec seconde/secondes f
        ms milliseconde/millisecondes f
        min,mn minute/minutes f
        h heure/heures f
        t tonne/tonnes f
        ha hectare/hectares
        ko kilooctet/kilooctets
        Mo mégaoctet/mégaoctets
        Go gigaoctet/gigaoctets
        To téraoctet/téraoctets
        Wh wattheure/wattheures
        kWh kilowattheure/kilowattheures
        MWh mégawattheure/mégawattheures
        GWh gigawattheure/gigawattheures
        °C degré_Celsius/degrés_Celsius
        °F degré_Fahrenheit/degrés_Fahrenheit
        ° degré/degrés
        dB décibel/décibels
        kcal kilocalorie/kilocalories f
        ch cheval/chevaux
        mph mile_par_heure/miles_par_heure
        ft pied/pieds
        lb,lbs livre/livres f
        ‰ pour_mille
        """
    )
)
_CENTIME = noun("centime/centimes")
_CURRENCIES = {
    **dict.fromkeys(("€", "EUR"), Money(noun("euro/euros"), _CENTIME)),
    **dict.fromkeys(("$", "US$", "USD", "$US"), Money(noun("dollar/dollars"), noun("cent/cents"))),
    **dict.fromkeys(("£", "GBP"), Money(noun("livre/livres", "f"), noun("penny/pence"))),
    **dict.fromkeys(("CHF",), Money(noun("franc suisse/francs suisses"), _CENTIME)),
    **dict.fromkeys(("¥", "JPY"), Money(noun("yen/yens"))),
    "FF": Money(noun("franc/francs"), _CENTIME),
    "₽": Money(noun("rouble/roubles"), noun("kopeck/kopecks")),
    "₩": Money(noun("won/wons")),
    "k€": Money(noun("mille euros")),
    **dict.fromkeys(("Md€", "Mds€", "Mrd€"), Money(noun("milliard d'euros/milliards d'euros"))),
    "M€": Money(noun("million d'euros/millions d'euros")),
}
_SCALES = {
    **dict.fromkeys(("million", "millions"), noun("million/millions")),
    **dict.fromkeys(("milliard", "milliards", "md", "mds", "mrd"), noun("milliard/milliards")),
    **dict.fromkeys(("billion", "billions"), noun("billion/billions")),
}
_ABBREVIATIONS = {
    "M.": "monsieur",
    "MM.": "messieurs",
    "Mme": "madame",
    "Mmes": "mesdames",
    "Mlle": "mademoiselle",
    "Mlles": "mesdemoiselles",
    "Dr": "docteur",
    "Dr.": "docteur",
    "Pr": "professeur",
    "Mgr": "monseigneur",
    "St": "saint",
    "Ste": "sainte",
    "etc.": "et cetera",
    "p. ex.": "par exemple",
    "c.-à-d.": "c'est-à-dire",
    "av. J.-C.": "avant Jésus-Christ",
    "apr. J.-C.": "après Jésus-Christ",
    "ap. J.-C.": "après Jésus-Christ",
    "J.-C.": "Jésus-Christ",
    "env.": "environ",
    "bd.": "boulevard",
    "bld": "boulevard",
    "c.-a-d.": "c'est-à-dire",
    "cf.": "confer",
    "ste.": "sainte",
    "Cie": "compagnie",
    "svp": "s'il vous plaît",
    "s.v.p.": "s'il vous plaît",
    "tél.": "téléphone",
    "hab.": "habitants",
    "max.": "maximum",
    "min.": "minimum",
    "apr.": "après",
    "av.": "avenue",
    "adj.": "adjectif",
}
NUMBERED = {
    "n°": "numéro",
    "nº": "numéro",
    "№": "numéro",
    "p.": "page",
    "pp.": "pages",
    "art.": "article",
    "chap.": "chapitre",
    "vol.": "volume",
    "fig.": "figure",
    "t.": "tome",
    "éd.": "édition",
    "§": "paragraphe",
    "#": "numéro",
    "al.": "alinéa",
    "n°s": "numéros",
}
_ELIDED = re.compile(r"[aeiouyhéèêâîôûàœ]", re.IGNORECASE)
TONGUE = Tongue(
    "fr",
    cardinal=cardinal,
    form=lambda number: int(number.whole > 1 or number.scale is not None),
    decimals=decimals,
    ratio=ratio,
    mixed=mixed,
    portion=portion,
    whole_agrees=False,
    letters={"y": "i grec"},
    scales=_SCALES,
    units=UNITS,
    currencies=_CURRENCIES,
    comma="virgule",
    point="point",
    minus="moins",
    plus="plus",
    to="à",
    over="sur",
    versus="à",
    per=lambda unit: f"par {unit[0]}",
    percent=noun("pour cent"),
    signs={
        "%": "pour cent",
        "€": "euros",
        "&": "et",
        "+": "plus",
        "=": "égale",
        "<": "inférieur à",
        ">": "supérieur à",
        "±": "plus ou moins",
        "×": "fois",
        "÷": "divisé par",
        "§": "paragraphe",
        "@": "arobase",
        "#": "dièse",
        "~": "environ",
        "*": "fois",
        "−": "moins",
        "$": "dollars",
        "£": "livres",
        "‰": "pour mille",
        "©": "copyright",
        "≈": "environ",
        "≥": "supérieur ou égal à",
        "≤": "inférieur ou égal à",
        "°": "degré",
    },
    joined=lambda said, form: f"{said} d'{form}" if _ELIDED.match(form) else f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset(
        listed("USA FBI CIA TVA SA IBM BBC EDF RER UE IVG PIB PDG ADN UMP BNP ENA IA OGM FMI INA RTT HIV ONG UFC OMS")
    ),
    web={
        ".": "point",
        "@": "arobase",
        "/": "slash",
        "-": "tiret",
        "_": "tiret bas",
        ":": "deux points",
        "?": "point d'interrogation",
        "=": "égale",
        "&": "et",
        "#": "dièse",
        "%": "pour cent",
        "+": "plus",
        "~": "tilde",
    },
)
NUMBERS = Numbers(TONGUE)
