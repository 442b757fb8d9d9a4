"""Italian."""

import re

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, Numbers, alternatives, thousands
from stages.text.spoken.european.quantities import ended, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, don, initials, links, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_SMALL = (
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici diciassette diciotto"
    " diciannove"
).split()
_TENS = "- dieci venti trenta quaranta cinquanta sessanta settanta ottanta novanta".split()
_GREAT = "milione miliardo bilione biliardo trilione triliardo".split()


def _tens(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, units = divmod(number, 10)
    word = _TENS[tens][:-1] if units in (1, 8) else _TENS[tens]
    return word + ("tré" if units == 3 else _SMALL[units] if units else "")


def _hundreds(number: int) -> str:
    """Returns a number under 1000; with a space behind the hundreds, where espeak-ng sets a wrong stress else."""
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds] if hundreds > 1 else ''}cento"] if hundreds else []
    return " ".join(words + ([_tens(rest)] if rest else []))


def _cardinal(number: int, gender: str) -> str:
    if number == 1:
        return {"m": "un", "f": "una"}.get(gender, "uno")
    words = []
    for group, power in thousands(number):
        if power == 1:
            words.append("mille" if group == 1 else f"{_hundreds(group).replace('tré', 'tre')}mila")
        elif power:
            great = _GREAT[power - 2]
            words.append(f"un {great}" if group == 1 else f"{_hundreds(group)} {great[:-1]}i")
        else:
            words.append(_hundreds(group))
    return " ".join(words) or "zero"


_ORDINALS = "- primo secondo terzo quarto quinto sesto settimo ottavo nono decimo".split()


def _ordinal(number: int, ending: str = "o") -> str:
    if number <= 10:
        return _ORDINALS[number][:-1] + ending
    words = _cardinal(number, "")
    if number % 1000 == 0:
        words = re.sub(r"(?:mille|mila)$", "mill", words)
    elif words.endswith("tré"):
        words = f"{words[:-1]}e"
    elif not words.endswith("sei"):
        words = words[:-1]
    return f"{re.sub('^un (?=mili)', '', words)}esim{ending}"


def _decimals(digits: str, _: str) -> str:
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    said = [_cardinal(int(rest), "")] if 0 < len(rest) <= 3 else [_SMALL[int(digit)] for digit in rest]
    return " ".join(["zero"] * zeros + said)


def _ratio(over: int, under: int) -> str | None:
    one = over == 1
    name = ("mezzo" if one else "mezzi") if under == 2 else _ordinal(under, "o" if one else "i")
    return f"{_cardinal(over, 'm')} {name}"


def _mixed(whole: int, over: int, under: int) -> str:
    return f"{_cardinal(whole, '')} e {'mezzo' if (over, under) == (1, 2) else _ratio(over, under) or ''}"


def _portion(over: int, under: int, thing: Noun) -> str | None:
    if (over, under) == (1, 2):
        return f"{'mezza' if thing.gender == 'f' else 'mezzo'} {thing[0]}"
    said = _ratio(over, under)
    return said and f"{said} di {thing[0]}"


def _per(unit: Noun) -> str:
    if re.match("[aeiouh]", unit[0]):
        return f"all'{unit[0]}"
    return f"{'alla' if unit.gender == 'f' else 'al'} {unit[0]}"


_LENGTHS = metric({"m": noun("metro/metri")}, {"k": "chilo", "c": "centi", "m": "milli", "d": "deci", "µ": "micro", "n": "nano"})
_UNITS = (
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
        {"k": "chilo", "c": "centi", "m": "milli", "d": "deci", "h": "etto", "µ": "micro", "n": "nano", "M": "mega", "G": "giga", "T": "tera"},
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
    "Sig.": "signor", "Sig.ra": "signora", "Sig.na": "signorina", "Sigg.": "signori", "Sig.re": "signore", "Dott.": "dottor", "Dott.ssa": "dottoressa",
    "Dr.": "dottor", "Dr.ssa": "dottoressa", "Prof.": "professor", "Prof.ssa": "professoressa", "Avv.": "avvocato", "Ing.": "ingegner",
    "Arch.": "architetto", "Geom.": "geometra", "Rag.": "ragionier", "On.": "onorevole", "Sen.": "senatore", "Gen.": "generale", "Mons.": "monsignor",
    "ecc.": "eccetera", "etc.": "eccetera", "p. es.": "per esempio", "ad es.": "ad esempio", "a. C.": "avanti Cristo",
    "d. C.": "dopo Cristo", "c.a.": "corrente anno", "ca.": "circa", "vs.": "contro", "tel.": "telefono", "pag.": "pagina", "pagg.": "pagine",
    "cfr.": "confronta", "max.": "massimo", "S.p.A.": "società per azioni", "S.r.l.": "società a responsabilità limitata",
    "spett.le": "spettabile", "gent.mo": "gentilissimo", "gent.ma": "gentilissima", "egr.": "egregio", "F.lli": "fratelli", "c.so": "corso",
    "p.zza": "piazza", "v.le": "viale", "n.d.r.": "nota del redattore",
}  # fmt: skip
_NUMBERED = {
    "n.": "numero", "n°": "numero", "nº": "numero", "№": "numero", "pag.": "pagina", "pagg.": "pagine", "p.": "pagina", "pp.": "pagine",
    "art.": "articolo", "artt.": "articoli", "cap.": "capitolo", "vol.": "volume", "fig.": "figura", "#": "numero", "§": "paragrafo", "co.": "comma",
}  # fmt: skip
_TONGUE = Tongue(
    "it",
    cardinal=_cardinal,
    form=lambda number: 0 if number.is_one or (number.part and number.whole < 2) else 1,
    decimals=_decimals,
    ratio=_ratio,
    mixed=_mixed,
    portion=_portion,
    letters={"y": "ipsilon"},
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    comma="virgola",
    point="punto",
    minus="meno",
    plus="più",
    to="a",
    versus="a",
    per=_per,
    percent=noun("percento", ""),
    whole_agrees=False,
    signs={
        "%": "percento", "€": "euro", "&": "e", "+": "più", "=": "uguale", "<": "minore di", ">": "maggiore di", "±": "più o meno",
        "×": "per", "÷": "diviso", "§": "paragrafo", "@": "chiocciola", "#": "cancelletto", "~": "circa", "*": "per", "−": "meno",
        "$": "dollari", "£": "sterline", "‰": "per mille", "©": "copyright", "≈": "circa", "≥": "maggiore o uguale a", "≤": "minore o uguale a", "°": "gradi",
    },
    joined=lambda said, form: f"{said} di {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("UE FBI CIA IBM BBC PD PDF TG CGIL DJ ADSL OGM ADHD".split()),
    web={".": "punto", "@": "chiocciola", "/": "barra", "-": "trattino", "_": "trattino basso", ":": "due punti", "?": "punto interrogativo", "=": "uguale", "&": "e", "#": "cancelletto", "%": "percento", "+": "più", "~": "tilde"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTH_NAMES = "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split()
_MONTHS = month_numbers(
    "gennaio genn gen", "febbraio febbr feb", "marzo mar", "aprile apr", "maggio mag", "giugno giu", "luglio lug", "agosto ago",
    "settembre sett set", "ottobre ott", "novembre nov", "dicembre dic",
)  # fmt: skip


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{'primo' if day == 1 else _cardinal(day, '')} {_MONTH_NAMES[month - 1]}"
    if not year:
        return ended(match, words)
    return f"{words} {_NUMBERS.digits(year) if year[0] == '0' else _cardinal(int(year), '')}"


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = "una" if hour == 1 else _cardinal(hour, "")
    if second is not None:
        return f"{words} {minute and _NUMBERS.counted(Quantity(minute), _UNITS['min']) or 'zero minuti'} e {_NUMBERS.counted(Quantity(second), _UNITS['s'])}"
    return f"{words} e {_cardinal(minute, '')}" if minute else words


_FEMININE = re.compile(r"(?:a|ione|tà|tù|trice|igine|udine|notte|parte|voce|mano|classe|legge|chiave|croce|gente|madre|morte|sede|fase|base)$", re.IGNORECASE)
_NOT_FEMININE = re.compile(r"(?:emma|ema|amma|oma|ista|eta)$|^(?:a|alla|la|una|sua|mia|tua|era|ma|da|fa|va|sta|sia|già|ora|ancora|prima|poi|sola|volta in)$", re.IGNORECASE)
_NOT_COUNTED = re.compile(
    r"^(?:di|del|della|dei|delle|degli|dello|a|al|alla|e|ed|o|è|in|nel|nella|per|con|che|il|lo|la|i|gli|le|si|no|non|su|sul|da|dal|dalla|ma|se|come"
    r"|fu|era|ha|sono|più|meno|fa|va|sta|già|ora|poi|fino|tra|fra|anche|ci|punto|virgola|su)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, before: str, behind: str) -> str:
    word = next_word(behind)
    if number.whole != 1 or number.fraction or number.part or not word or _NOT_COUNTED.match(word):
        return ""
    if _FEMININE.search(word) and not _NOT_FEMININE.search(word):
        return "f"
    return "" if re.match(r"s[^aeiou]|z|gn|ps|pn|x|y", word) else "m"


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    if not 0 < number < 10**6:
        return None
    return _ordinal(number, "a" if match["ending"] in ("ª", "a") else "o")


_KINGS = (
    "Luigi Carlo Francesco Enrico Filippo Napoleone Giovanni Paolo Benedetto Pio Leone Giorgio Edoardo Guglielmo Federico Ferdinando"
    " Alessandro Nicola Pietro Ivan Caterina Elisabetta Alberto Leopoldo Baldovino Alfonso Gregorio Innocenzo Urbano Clemente Ramses"
    " Vittorio Emanuele Giacomo Riccardo Roberto Clodoveo Ottone Massimiliano Giuseppe Gustavo Cristiano Sisto Giulio Bonifacio"
    " Celestino Amedeo Umberto Ugo Costantino Tolomeo Dario Cleopatra Isabella Margherita Maria Felipe Juan Cosimo Lorenzo Corrado Adriano"
).split()  # fmt: skip
_QUEENS = frozenset("Caterina Elisabetta Cleopatra Isabella Margherita Maria".split())


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['name']} {_ordinal(number, 'a' if match['name'] in _QUEENS else 'o')}" if number else None


def _century(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    said = _ordinal(number, "o")
    return f"{match['before']} {said}" if match.groupdict().get("before") else said


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['before']} {_cardinal(number, '')}" if number else None


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_RULES: tuple[Rule, ...] = (
    *links(_NUMBERS),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("ecc.", "etc."))),
    *don("S.", "San"),
    Rule("date", re.compile(rf"{LEFT}1[°º](?= (?i:{alternatives(_MONTHS)})(?!\w))"), lambda _: "primo"),
    *dates(_MONTHS, _date),
    times(_clock, words="ore", to="a", zones=zone_said(_NUMBERS)),
    Rule("time", re.compile(r"(?:(?<=\bore )|(?<=[ad]alle )|(?<=[ad]elle )|(?<=\ble ))(\d\d?)[.,](\d\d)(?!\w|[.,:]\d)"), lambda match: _clock(int(match[1]), int(match[2]), None, "") if int(match[1]) < 25 and int(match[2]) < 60 else None),
    *money(_NUMBERS),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª])(?!\w|\s?[CF]\b)"), _ordinal_rule),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C\b|F\b|c\b)[a-zA-Z]|\s*[.,;:!?)]|\s*$)"), lambda match: _ordinal_rule(match) if int(re.sub(r"\D", "", match["number"])) < 20 else None),
    *measures(_NUMBERS),
    Rule("roman", re.compile(r"(?<!\w)(?P<before>(?i:secolo)) (?P<roman>[IVX]+)(?![\w’'])"), _century),
    Rule("roman", re.compile(r"(?<![\w’'])(?P<roman>[IVX]+)(?= (?i:secolo|sec\.|edizione|legislatura|dinastia|congresso|guerra)(?!\w))"), _century),
    Rule("roman", re.compile(rf"(?<!\w)(?P<name>{alternatives(_KINGS)}) (?P<roman>{ROMAN})"), _monarch),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?i:capitolo|tomo|atto|parte|volume|articolo|titolo|libro|allegato|fase|tipo|gruppo)) (?P<roman>{ROMAN})"), _roman),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>[A-ZÀ-Ý][a-zà-ÿ]+) (?P<roman>(?=[IVX]{{2}}){ROMAN})"), _roman),
    *plain(_NUMBERS, _agree),
    *signs(_TONGUE),
    *initials(_TONGUE),
)  # fmt: skip
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽¥*\u2212₤₩₹]|\.\s?\w|[A-ZÀ-Ý]{2}|\b[A-Z]\.|(?i:\b(?:ecc|etc|ca|cfr|tel|sig|dott|avv|ing|prof|dr)\.)"
    r"|\b[IVX]+ sec|\b[A-ZÀ-Ý]\w+ [IVX]+\b|\b(?i:secolo) [IVX]"
)
LANGUAGE = Speaker("it", _RULES, needed=_NEEDED, before=plainly)
