"""French, with numbers as in France."""

import re

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, Numbers, alternatives, thousands
from stages.text.spoken.european.quantities import ended, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, initials, links, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_SMALL = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf"
).split()
_TENS = "- dix vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt".split()
_GREAT = "million milliard billion billiard trillion trilliard".split()


def _hundreds(number: int, *, last: bool, one: str = "un") -> str:
    """Returns a number under 1000; `last` says whether `cents` and `quatre-vingts` take their s."""
    hundreds, rest = divmod(number, 100)
    words = [_SMALL[hundreds]] if hundreds > 1 else []
    if hundreds:
        words.append("cents" if hundreds > 1 and not rest and last else "cent")
    tens, units = divmod(rest, 10)
    if tens in (7, 9):
        units += 10
    if rest == 1:
        words.append(one)
    elif rest < 20:
        words += [_SMALL[rest]] if rest else []
    elif rest == 80:
        words.append("quatre-vingts" if last else "quatre-vingt")
    elif not units:
        words.append(_TENS[tens])
    elif units in (1, 11) and tens < 8:
        words.append(f"{_TENS[tens]} et {one if units == 1 else 'onze'}")
    else:
        words.append(f"{_TENS[tens]}-{one if units == 1 else _SMALL[units]}")
    return " ".join(words)


def _cardinal(number: int, gender: str) -> str:
    words = []
    for group, power in thousands(number):
        if power == 1:
            words.append("mille" if group == 1 else f"{_hundreds(group, last=False)} mille")
        elif power:
            words.append(f"{_hundreds(group, last=True)} {_GREAT[power - 2]}{'s' * (group > 1)}")
        else:
            words.append(_hundreds(group, last=True, one="une" if gender == "f" else "un"))
    return " ".join(words) or "zéro"


def _ordinal(number: int, *, female: bool = False) -> str:
    if number == 1:
        return "première" if female else "premier"
    words = re.sub(r"(?<=quatre-vingt|.{5}million|.{4}milliard)s$|(?<=cent)s$", "", _cardinal(number, ""))
    words = re.sub("cinq$", "cinqu", re.sub("neuf$", "neuv", words))
    return re.sub("e$", "", words) + "ième"


def _decimals(digits: str, _: str) -> str:
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    if len(rest) > 6:
        return " ".join(_SMALL[int(digit)] for digit in digits)
    parts = [rest] if len(rest) <= 3 else [rest[at : at + 2] for at in range(0, len(rest), 2)]
    words = ["zéro"] * zeros
    for part in filter(None, parts):
        words += (["zéro"] if part[0] == "0" else []) + ([_cardinal(int(part), "")] if int(part) or len(part) == 2 else [])
    return " ".join(words)


def _ratio(over: int, under: int) -> str | None:
    names = {2: "demi", 3: "tiers", 4: "quart"}
    name = names.get(under) or _ordinal(under)
    plural = "s" * (over > 1 and name != "tiers")
    return f"{_cardinal(over, '')} {name}{plural}"


def _mixed(whole: int, over: int, under: int) -> str:
    part = "demi" if (over, under) == (1, 2) else _ratio(over, under)
    return f"{_cardinal(whole, '')} et {part or ''}"


_LENGTHS = metric({"m": noun("mètre/mètres")}, {"k": "kilo", "c": "centi", "m": "milli", "d": "déci", "µ": "micro", "n": "nano"})
_UNITS = (
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
        {"k": "kilo", "c": "centi", "m": "milli", "d": "déci", "h": "hecto", "µ": "micro", "n": "nano", "M": "méga", "G": "giga", "T": "téra"},
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
    "M€": Money(noun("million d'euros/millions d'euros")),
}
_SCALES = {
    **dict.fromkeys(("million", "millions"), noun("million/millions")),
    **dict.fromkeys(("milliard", "milliards"), noun("milliard/milliards")),
    **dict.fromkeys(("billion", "billions"), noun("billion/billions")),
}
_ABBREVIATIONS = {
    "M.": "monsieur", "MM.": "messieurs", "Mme": "madame", "Mmes": "mesdames", "Mlle": "mademoiselle", "Mlles": "mesdemoiselles",
    "Dr": "docteur", "Dr.": "docteur", "Pr": "professeur", "Mgr": "monseigneur", "St": "saint", "Ste": "sainte",
    "etc.": "et cetera", "p. ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "av. J.-C.": "avant Jésus-Christ",
    "apr. J.-C.": "après Jésus-Christ", "ap. J.-C.": "après Jésus-Christ", "J.-C.": "Jésus-Christ", "env.": "environ",
    "bd.": "boulevard", "bld": "boulevard", "c.-a-d.": "c'est-à-dire", "cf.": "confer", "ste.": "sainte", "Cie": "compagnie",
    "svp": "s'il vous plaît", "s.v.p.": "s'il vous plaît", "tél.": "téléphone", "hab.": "habitants", "max.": "maximum",
    "min.": "minimum", "apr.": "après", "av.": "avenue", "adj.": "adjectif",
}  # fmt: skip
_NUMBERED = {
    "n°": "numéro", "nº": "numéro", "№": "numéro", "p.": "page", "pp.": "pages", "art.": "article", "chap.": "chapitre",
    "vol.": "volume", "fig.": "figure", "t.": "tome", "éd.": "édition", "§": "paragraphe", "#": "numéro", "al.": "alinéa", "n°s": "numéros",
}  # fmt: skip
_ELIDED = re.compile(r"[aeiouyhéèêâîôûàœ]", re.IGNORECASE)
_TONGUE = Tongue(
    "fr",
    cardinal=_cardinal,
    form=lambda number: int(number.whole > 1 or number.scale is not None),
    decimals=_decimals,
    ratio=_ratio,
    mixed=_mixed,
    whole_agrees=False,
    letters={"e": "eu", "y": "i grec"},
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    comma="virgule",
    point="point",
    minus="moins",
    plus="plus",
    to="à",
    versus="à",
    per=lambda unit: f"par {unit[0]}",
    percent=noun("pour cent"),
    signs={
        "%": "pour cent", "€": "euros", "&": "et", "+": "plus", "=": "égale", "<": "inférieur à", ">": "supérieur à", "±": "plus ou moins",
        "×": "fois", "÷": "divisé par", "§": "paragraphe", "@": "arobase", "#": "dièse", "~": "environ", "*": "fois", "−": "moins",
        "$": "dollars", "£": "livres", "‰": "pour mille", "©": "copyright", "≈": "environ", "≥": "supérieur ou égal à", "≤": "inférieur ou égal à",
        "°": "degré",
    },
    joined=lambda said, form: f"{said} d'{form}" if _ELIDED.match(form) else f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("USA FBI CIA TVA SA IBM BBC EDF RER UE IVG PIB PDG ADN UMP BNP ENA IA OGM FMI INA RTT HIV ONG UFC OMS".split()),
    web={".": "point", "@": "arobase", "/": "slash", "-": "tiret", "_": "tiret bas", ":": "deux points", "?": "point d'interrogation", "=": "égale", "&": "et", "#": "dièse", "%": "pour cent", "+": "plus", "~": "tilde"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTH_NAMES = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_MONTHS = month_numbers(
    "janvier janv", "février févr fév fevrier", "mars", "avril avr", "mai", "juin", "juillet juil", "août aout", "septembre sept",
    "octobre oct", "novembre nov", "décembre déc decembre",
)  # fmt: skip


def _day(day: int) -> str:
    return "premier" if day == 1 else _cardinal(day, "")


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{_day(day)} {_MONTH_NAMES[month - 1]}"
    if not year:
        return ended(match, words)
    return f"{words} {_NUMBERS.digits(year) if year[0] == '0' else _cardinal(int(year), '')}"


def _days(match: re.Match[str]) -> str | None:
    days = [int(day) for day in re.findall(r"\d+", match["days"])]
    if days != sorted(days) or not 1 <= days[0] <= days[-1] <= 31:
        return None
    year = f" {_cardinal(int(match['year']), '')}" if match["year"] else ""
    return f"{' '.join(map(_day, days))} {_MONTH_NAMES[_MONTHS[match['month'].lower()] - 1]}{year}"


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = _NUMBERS.counted(Quantity(hour), _UNITS["h"]) or ""
    if second is not None:
        minutes, seconds = (_NUMBERS.counted(Quantity(n), _UNITS[unit]) for n, unit in ((minute, "min"), (second, "s")))
        return f"{words} {minutes} {seconds}"
    return f"{words} {_cardinal(minute, 'f')}" if minute else words


def _hour(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    return _clock(hour, minute, None, "") if hour <= 24 and minute < 60 else None


_FEMININE = re.compile(
    r"(?:[tsx]ion|té|ée|ette|ence|ance|ure|ade|esse|ie|elle|enne|ère|eure|ise|ouche|ille|aine)s?$|^(?:fois|heure|minute|seconde|semaine"
    r"|année|personne|femme|fille|page|nuit|main|tonne|livre|place|ville|école|table|route|étoile|maison|voiture|voix|chose)s?$",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(r"(?:musée|lycée|trophée|génie|incendie|silence|anniversaire|domaine|côté|été|comité|père|frère)s?$", re.IGNORECASE)


def _agree(number: Quantity, before: str, behind: str) -> str:
    word = next_word(behind)
    return "f" if number.whole % 10 == 1 and not number.fraction and _FEMININE.search(word) and not _NOT_FEMININE.search(word) else "m"


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number, ending = int(re.sub(r"\D", "", match["number"])), match["ending"]
    female = ending in ("re", "ère", "ere", "nde", "de")
    if ending.startswith("n") or ending in ("d", "ds", "de"):
        if number != 2:
            return None
        return f"second{'e' * female}"
    plural = "s" * (ending.endswith("s") and ending != "s")
    return _ordinal(number, female=female) + plural


def _degree_ordinal(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    return _ordinal(number) if 0 < number < 1000 else None


def _century(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    return _ordinal(number, female=match["ending"] in ("re", "ère"))


_KINGS = (
    "Louis Charles François Henri Philippe Napoléon Jean Paul Benoît Pie Léon Georges Édouard Edouard Guillaume Frédéric Ferdinand"
    " Alexandre Nicolas Pierre Ivan Catherine Élisabeth Elisabeth Elizabeth Albert Léopold Baudouin Alphonse Grégoire Innocent Urbain"
    " Clément Ramsès Victor Emmanuel Jacques Richard Robert Childéric Clovis Dagobert Otton Maximilien Joseph Gustave Christian Juan"
    " Carlos Mohammed Hassan Sixte Jules Boniface Célestin Amédée Raymond Thibaut Hugues Constantin Ptolémée Darius Cléopâtre Isabelle"
).split()  # fmt: skip
_QUEENS = frozenset("Catherine Élisabeth Elisabeth Elizabeth Cléopâtre Isabelle".split())


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    first = "première" if match["name"] in _QUEENS else "premier"
    return f"{match['name']} {first if number == 1 else _cardinal(number, '')}"


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return f"{match['before']} {_cardinal(number, '')}" if number else None


def _decade(match: re.Match[str]) -> str:
    return f"{match[1]} {_cardinal(int(match[2]), '')}"


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,10})"
_HOURS = r"(?:[àdÀ]|vers|dès|depuis|avant|après|jusqu'à|entre|de)"
_RULES: tuple[Rule, ...] = (
    *links(_NUMBERS),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("etc.",))),
    Rule("abbreviation", re.compile(r"(?<!\w)Me(?= [A-ZÀ-Ý][a-zà-ÿ])"), lambda _: "maître"),
    Rule("date", re.compile(rf"{LEFT}(?P<days>\d\d?(?:[/-]\d\d?)+) (?P<month>(?i:{alternatives(_MONTHS)}))(?!\w)(?: (?P<year>\d{{4}})(?!\w|[.,]\d))?"), _days),
    Rule("date", re.compile(rf"{LEFT}1er(?= (?i:{alternatives(_MONTHS)})(?!\w))"), lambda _: "premier"),
    *dates(_MONTHS, _date),
    times(_clock, words="heures?|h", to="à", zones=zone_said(_NUMBERS)),
    Rule("time", re.compile(rf"{LEFT}(?P<hour>\d\d?)\s?[hH]\s?(?P<minute>\d\d)(?![\w/])"), _hour),
    Rule("telephone", re.compile(r"(?<![\w+])0\d(?:[ .]\d\d){4}(?!\w)"), lambda match: " ".join(("zéro " if part[0] == "0" and part != "00" else "") + ("zéro zéro" if part == "00" else _cardinal(int(part), "")) for part in re.split("[ .]", match[0]))),
    Rule("year", re.compile(r"(?<!\w)((?i:années|les|des)) (\d\d)'?s(?!\w)"), _decade),
    *money(_NUMBERS),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}(?P<ending>(?<=1)(?:ers?|res?|ères?|ere)|(?:i?[èe]mes?|es?)|(?<=2)(?:nde?s?|de?s?))(?!\w)"), _ordinal_rule),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}[°º](?![\w°]|\s?[CFcf]\b)"), _degree_ordinal),
    *measures(_NUMBERS),
    Rule("roman", re.compile(r"(?<![\w’'.])(?P<roman>[IVX]+)(?P<ending>(?<=I)(?:er|re|ère)|(?:i?[èe]me|e))(?!\w)"), _century),
    Rule("roman", re.compile(rf"(?<!\w)(?P<name>{alternatives(_KINGS)}) (?P<roman>{ROMAN})"), _monarch),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?i:chapitre|tome|acte|partie|volume|article|titre|livre|annexe|phase|type|groupe)) (?P<roman>{ROMAN})"), _roman),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>[A-ZÀ-Ý][a-zà-ÿ]+) (?P<roman>(?=[IVX]{{2}}){ROMAN})"), _roman),
    *plain(_NUMBERS, _agree),
    *signs(_TONGUE),
    *initials(_TONGUE),
)  # fmt: skip
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽¥*\u2212\u02b0-\u02b8\u02e1-\u02e3\u1d43-\u1d61]|\.\s?\w|[A-ZÀ-Ý]{2}|\bMe [A-ZÀ-Ý]|\b[A-Z]\."
    r"|\b(?:etc|cf|env)\.|\b(?:Mme|Mlle|Mgr|Dr|Pr|St|Ste|Cie|svp|Mmes|Mlles|n°)\b|\b[IVX]+(?:er|re|e|ème)?\b"
)
LANGUAGE = Speaker("fr", _RULES, needed=_NEEDED, before=plainly)
