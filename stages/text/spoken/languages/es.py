"""Spanish, with numbers as in Spain: a decimal comma, and a point or a space between groups."""

import re

from stages.text.spoken.european.calendar import ROMAN, dates, from_roman, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, Numbers, alternatives
from stages.text.spoken.european.quantities import ended, measures, money, next_word, plain
from stages.text.spoken.european.signs import abbreviations, don, initials, links, plainly, signs, spelling, zone_said
from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue, noun, nouns
from stages.text.spoken.european.units import metric, powers
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_SMALL = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho"
    " diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
_TENS = "- diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = "- ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos".split()
_GREAT = "- millón billón trillón cuatrillón".split()


def _hundreds(number: int, gender: str) -> str:
    """Returns a number under 1000; `m` is the form before a noun: un, veintiún."""
    if number == 100:
        return "cien"
    hundreds, rest = divmod(number, 100)
    words = []
    if hundreds:
        words.append(_HUNDREDS[hundreds][:-2] + "as" if gender == "f" and hundreds > 1 else _HUNDREDS[hundreds])
    if 0 < rest < 30:
        words.append(_SMALL[rest])
    elif rest:
        tens, units = divmod(rest, 10)
        words.append(f"{_TENS[tens]} y {_SMALL[units]}" if units else _TENS[tens])
    said = " ".join(words)
    if rest % 10 == 1 and rest != 11:
        if gender == "f":
            return f"{said[:-1]}a"
        if gender == "m":
            return "veintiún".join(said.rsplit("veintiuno", 1)) if rest == 21 else said[:-1]
    return said


def _thousands(number: int, gender: str) -> str:
    thousand, rest = divmod(number, 1000)
    before = {0: "", 1: "mil"}.get(thousand) if thousand < 2 else f"{_hundreds(thousand, gender or 'm')} mil"
    return f"{before} {_hundreds(rest, gender) if rest else ''}".strip()


def _cardinal(number: int, gender: str) -> str:
    words, power = [], 0
    while number:
        number, group = divmod(number, 10**6)
        if group and power:
            great = _GREAT[power] if group == 1 else _GREAT[power].replace("ón", "ones")
            words.append(f"{_thousands(group, 'm')} {great}")
        elif group:
            words.append(_thousands(group, gender))
        power += 1
    return " ".join(reversed(words)) or "cero"


_ORDINALS = (
    "- primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo decimotercero decimocuarto"
    " decimoquinto decimosexto decimoséptimo decimoctavo decimonoveno"
).split()
_ORDINAL_TENS = "- décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
_ORDINAL_HUNDREDS = (
    "- centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo noningentésimo"
).split()


def _ordinal(number: int, ending: str) -> str:
    """Returns an ordinal that ends in `o`, `a`, or `r` (before a masculine noun: primer, tercer)."""
    thousands, rest = divmod(number, 1000)
    words = []
    if thousands:
        words.append(f"{'' if thousands == 1 else _cardinal(thousands, 'm').replace(' ', '')}milésimo")
    hundreds, rest = divmod(rest, 100)
    if hundreds:
        words.append(_ORDINAL_HUNDREDS[hundreds])
    tens, units = divmod(rest, 10)
    if number == 11 and ending == "r":
        words.append("decimoprimero")
    elif 0 < rest < 20:
        words.append(_ORDINALS[rest])
    elif tens == 2 and units:
        words.append(f"vigesim{_ORDINALS[units] if units == 8 else 'o' + _ORDINALS[units]}")
    elif rest:
        words += [_ORDINAL_TENS[tens]] + ([_ORDINALS[units]] if units else [])
    said = " ".join(words)
    if ending == "a":
        return re.sub(r"o(?= |$)", "a", said)
    return re.sub(r"(primer|tercer)o$", r"\1", said) if ending == "r" else said


def _decimals(digits: str, gender: str) -> str:
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    if (zeros and len(rest) > 2) or len(rest) > 6:
        return " ".join([*(_SMALL[int(digit)] for digit in digits[:-1]), _cardinal(int(digits[-1]), gender)])
    parts = [rest] if len(rest) <= 3 else [rest[at : at + 2] for at in range(0, len(rest), 2)]
    words = ["cero"] * zeros
    for at, part in enumerate(filter(None, parts), 1):
        agreed = "f" if gender == "f" else gender * (at == len(parts))
        words += [_SMALL[int(digit)] for digit in part] if part[0] == "0" else [_cardinal(int(part), agreed)]
    return " ".join(words)


def _ratio(over: int, under: int) -> str | None:
    over_said = _cardinal(over, "m")
    small = {2: "medio", 3: "tercio"}
    if under in small:
        name = small[under]
    elif under <= 10:
        name = _ORDINALS[under]
    elif under < 100:
        words = _cardinal(under, "").replace(" y ", "i").replace("é", "e").replace("ó", "o")
        name = f"{re.sub('[ao]$', '', words)}avo"
    elif under < 1000 and under % 100 == 0:
        name = _ORDINAL_HUNDREDS[under // 100]
    elif under < 10**6 and under % 1000 == 0:
        name = f"{'' if under == 1000 else _cardinal(under // 1000, 'm').replace(' ', '')}milésimo"
    elif under % 10**6 == 0 and under < 10**9:
        name = f"{'' if under == 10**6 else _cardinal(under // 10**6, 'm').replace(' ', '')}millonésimo"
    else:
        return f"{_cardinal(over, '')} sobre {_cardinal(under, '')}"
    return f"{over_said} {name}{'s' * (over > 1)}"


def _mixed(whole: int, over: int, under: int) -> str:
    return f"{_cardinal(whole, '')} y {'medio' if (over, under) == (1, 2) else _ratio(over, under) or ''}"


_LENGTHS = metric({"m": noun("metro/metros")}, {"k": "kiló", "c": "centí", "m": "milí", "d": "decí", "µ": "micró", "n": "nanó"})
_UNITS = (
    metric(
        nouns(
            """
            g gramo/gramos
            l,L litro/litros
            W vatio/vatios
            V voltio/voltios
            A amperio/amperios
            Hz hercio/hercios
            J julio/julios
            Pa pascal/pascales
            N newton/newtons
            B byte/bytes
            Wh vatio_hora/vatios_hora
            """
        ),
        {"k": "kilo", "c": "centi", "m": "mili", "d": "deci", "h": "hecto", "µ": "micro", "n": "nano", "M": "mega", "G": "giga", "T": "tera"},
    )
    | _LENGTHS
    | powers(_LENGTHS, ("cuadrado", "cuadrados"), ("cúbico", "cúbicos"), before=False)
    | nouns(
        """
        s,seg,sec segundo/segundos
        ms milisegundo/milisegundos
        min minuto/minutos
        h,hs,hrs hora/horas f
        t tonelada/toneladas f
        ha hectárea/hectáreas f
        °C grado_centígrado/grados_centígrados
        °F grado_Fahrenheit/grados_Fahrenheit
        ° grado/grados
        dB decibelio/decibelios
        kcal kilocaloría/kilocalorías f
        cv,CV caballo/caballos
        mph milla_por_hora/millas_por_hora f
        mi milla/millas f
        ft pie/pies
        psi p_s_i
        lb,lbs libra/libras f
        oz onza/onzas f
        ‰ por_mil
        """
    )
)
_CENTAVO, _CENTIMO = noun("centavo/centavos"), noun("céntimo/céntimos")
_DOLLARS = {
    "": ("$", "US$", "USD", "U$S"), " canadiense": ("CAD", "CA$", "C$"), " australiano": ("AUD", "A$", "AU$"), " de Hong Kong": ("HKD", "HK$"),
    " neozelandés": ("NZD",), " de Singapur": ("SGD",),
}  # fmt: skip


def _dollar(kind: str, sign: str) -> Money:
    of_us = " estadounidense" if sign in ("US$", "USD", "U$S") else kind
    several = "" if of_us.startswith(" de ") or not of_us else of_us.replace("és", "es") + ("es" if of_us.endswith("és") else "s")
    return Money(noun(f"dólar{of_us}/dólares{several or of_us}"), _CENTAVO)


_CURRENCIES = {
    **{sign: _dollar(kind, sign) for kind, signs_of in _DOLLARS.items() for sign in signs_of},
    **dict.fromkeys(("€", "EUR"), Money(noun("euro/euros"), _CENTIMO)),
    **dict.fromkeys(("£", "GBP"), Money(noun("libra/libras", "f"), noun("penique/peniques"))),
    **dict.fromkeys(("CHF",), Money(noun("franco suizo/francos suizos"), _CENTIMO)),
    **dict.fromkeys(("fr",), Money(noun("franco/francos"), _CENTIMO)),
    **dict.fromkeys(("¥", "JPY"), Money(noun("yen/yenes"), _CENTAVO)),
    **dict.fromkeys(("₩", "KRW"), Money(noun("won/wones"))),
    **dict.fromkeys(("₽", "RUB"), Money(noun("rublo/rublos"), noun("kopek/kopeks"))),
    **dict.fromkeys(("₡", "CRC"), Money(noun("colón/colones"), _CENTIMO)),
    **dict.fromkeys(("₧", "ptas.", "ptas", "pts.", "pta."), Money(noun("peseta/pesetas", "f"), _CENTIMO)),
    **dict.fromkeys(("MXN", "MX$"), Money(noun("peso mexicano/pesos mexicanos"), _CENTAVO)),
    **dict.fromkeys(("ARS", "AR$"), Money(noun("peso argentino/pesos argentinos"), _CENTAVO)),
    **dict.fromkeys(("COP",), Money(noun("peso colombiano/pesos colombianos"), _CENTAVO)),
    **dict.fromkeys(("CLP",), Money(noun("peso chileno/pesos chilenos"), _CENTAVO)),
    **dict.fromkeys(("BRL", "R$"), Money(noun("real brasileño/reales brasileños"), _CENTAVO)),
    **dict.fromkeys(("PEN", "S/"), Money(noun("sol/soles"), _CENTIMO)),
    **dict.fromkeys(("GTQ", "Q"), Money(noun("quetzal/quetzales"), _CENTAVO)),
    **dict.fromkeys(("NIO",), Money(noun("córdoba/córdobas", "f"), _CENTAVO)),
    **dict.fromkeys(("PAB",), Money(noun("balboa/balboas"), _CENTIMO)),
    **dict.fromkeys(("AWG",), Money(noun("florín arubeño/florines arubeños"), _CENTAVO)),
    **dict.fromkeys(("₹", "Rs", "INR"), Money(noun("rupia/rupias", "f"), noun("paisa/paisas", "f"))),
    **dict.fromkeys(("CNY",), Money(noun("yuan/yuanes"))),
    **dict.fromkeys(("HNL",), Money(noun("lempira/lempiras"), _CENTAVO)),
    **dict.fromkeys(("BOB",), Money(noun("boliviano/bolivianos"), _CENTAVO)),
    **dict.fromkeys(("kr",), Money(noun("corona/coronas", "f"))),
    **dict.fromkeys(("mk",), Money(noun("marco/marcos"))),
}
_SCALES = {
    **dict.fromkeys(("millón", "millon", "millones"), noun("millón/millones")),
    **dict.fromkeys(("billón", "billones"), noun("billón/billones")),
    **dict.fromkeys(("trillón", "trillones"), noun("trillón/trillones")),
    "mil millones": noun("mil millones"),
    "mill.": noun("millones"),
}
_ABBREVIATIONS = {
    "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Sras.": "señoras", "Dr.": "doctor", "Dra.": "doctora",
    "Drs.": "doctores", "Dña.": "doña", "D.ª": "doña", "Prof.": "profesor", "Profa.": "profesora", "Ud.": "usted",
    "Uds.": "ustedes", "Vd.": "usted", "Vds.": "ustedes", "Ing.": "ingeniero", "Lic.": "licenciado", "Gral.": "general", "Avda.": "avenida",
    "Av.": "avenida", "pza.": "plaza", "plza.": "plaza", "esq.": "esquina", "dcha.": "derecha", "izda.": "izquierda", "izq.": "izquierda",
    "etc.": "etcétera", "p. ej.": "por ejemplo", "ej.": "ejemplo", "EE. UU.": "Estados Unidos", "EE UU": "Estados Unidos", "EEUU": "Estados Unidos",
    "JJ. OO.": "Juegos Olímpicos", "a. C.": "antes de Cristo", "d. C.": "después de Cristo", "a. de C.": "antes de Cristo",
    "d. de C.": "después de Cristo", "aprox.": "aproximadamente", "máx.": "máximo", "mín.": "mínimo", "depto.": "departamento",
    "dpto.": "departamento", "Sto.": "santo", "Sta.": "santa", "S. A.": "sociedad anónima", "c/": "calle", "tel.": "teléfono",
    "tfno.": "teléfono", "admón.": "administración", "atte.": "atentamente", "pág.": "página", "págs.": "páginas", "núm.": "número",
    "ntra.": "nuestra", "vs.": "versus", "Cía.": "compañía", "hnos.": "hermanos", "FF. AA.": "Fuerzas Armadas",
}  # fmt: skip
_NUMBERED = {
    "nº": "número", "n.º": "número", "n°": "número", "№": "número", "núm.": "número", "pág.": "página", "págs.": "páginas", "p.": "página",
    "pp.": "páginas", "art.": "artículo", "arts.": "artículos", "cap.": "capítulo", "vol.": "volumen", "fig.": "figura", "t.": "tomo",
    "#": "número", "km.": "kilómetro",
}  # fmt: skip


def _portion(over: int, under: int, thing: Noun) -> str | None:
    if (over, under) == (1, 2):
        return f"{'media' if thing.gender == 'f' else 'medio'} {thing[0]}"
    said = _ratio(over, under)
    return said and f"{said} de {thing[0]}"


_TONGUE = Tongue(
    "es",
    cardinal=_cardinal,
    form=lambda number: 0 if number.is_one or (number.part and number.whole < 2) else 1,
    decimals=_decimals,
    ratio=_ratio,
    mixed=_mixed,
    portion=_portion,
    letters={"y": "i griega"},
    scales=_SCALES,
    units=_UNITS,
    currencies=_CURRENCIES,
    comma="coma",
    point="punto",
    minus="menos",
    plus="más",
    to="a",
    versus="a",
    per=lambda unit: f"por {unit[0]}",
    percent=noun("por ciento", ""),
    signs={
        "%": "por ciento", "€": "euros", "&": "y", "+": "más", "=": "igual a", "<": "menor que", ">": "mayor que", "±": "más menos",
        "×": "por", "÷": "entre", "§": "párrafo", "@": "arroba", "#": "almohadilla", "~": "aproximadamente", "*": "por", "−": "menos",
        "$": "dólares", "£": "libras", "‰": "por mil", "©": "copyright", "≈": "aproximadamente", "≥": "mayor o igual que", "≤": "menor o igual que",
        "°": "grado",
    },
    joined=lambda said, form: f"{said} de {form}",
    abbreviations=_ABBREVIATIONS,
    acronyms=frozenset("ADN UE FBI CIA DNI IBM BBC USA UCI PP PIB ARN RTVE CEO IRPF ITV EPS ADSL".split()) - {"PP"},
    web={".": "punto", "@": "arroba", "/": "barra", "-": "guion", "_": "guion bajo", ":": "dos puntos", "?": "interrogación", "=": "igual", "&": "y", "#": "almohadilla", "%": "por ciento", "+": "más", "~": "tilde"},
)  # fmt: skip
_NUMBERS = Numbers(_TONGUE)
_MONTH_NAMES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
_MONTHS = month_numbers(
    "enero ene", "febrero feb", "marzo mar", "abril abr", "mayo", "junio jun", "julio jul", "agosto ago", "septiembre setiembre sept sep",
    "octubre oct", "noviembre nov", "diciembre dic",
)  # fmt: skip


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{'primero' if day == 1 else _cardinal(day, '')} de {_MONTH_NAMES[month - 1]}"
    return f"{words} de {_NUMBERS.digits(year) if year[0] == '0' else _cardinal(int(year), '')}" if year else ended(match, words)


def _month_first(match: re.Match[str]) -> str | None:
    day = int(match["day"])
    return _date(match, day, _MONTHS[match["month"].lower()], match["year"]) if 1 <= day <= 31 else None


_HALVES = {"am": "de la mañana", "pm": "de la tarde"}


def _clock(hour: int, minute: int, second: int | None, word: str) -> str:
    half = re.sub(r"[^apm]", "", word.lower())
    if half:
        return f"{_hand(hour, minute)} {_HALVES[half] if (half, hour) != ('am', 12) else 'de la noche'}"
    if second:
        hours = _NUMBERS.counted(Quantity(hour), _UNITS["h"])
        minutes, seconds = (_NUMBERS.counted(Quantity(n), _UNITS[unit]) for n, unit in ((minute, "min"), (second, "s")))
        return f"{hours} {minutes} y {seconds}"
    return _hand(hour, minute)


def _hand(hour: int, minute: int) -> str:
    words = _cardinal(hour, "f")
    if not minute:
        return words
    return f"{words} y {({15: 'cuarto', 30: 'media'}).get(minute) or _cardinal(minute, '')}"


def _duration(match: re.Match[str]) -> str:
    hours, minutes, seconds = match["hours"], match["minutes"], match["seconds"]
    if not seconds:
        return _hand(int(hours), int(minutes))
    parts = [_NUMBERS.counted(Quantity(int(n)), _UNITS[unit]) for n, unit in ((hours, "h"), (minutes, "min"), (seconds, "s"))]
    return f"{parts[0]} {parts[1]} y {parts[2]}"


_FEMININE = re.compile(r"(?:as?|[cs]i[óo]n(?:es)?|dad(?:es)?|tud(?:es)?|veces|mujeres|noches|tardes|clases|calles|partes|bases|fases|series|leyes|luces)$", re.IGNORECASE)
_NOT_FEMININE = re.compile(
    r"^(?:días?|mapas?|planetas?|cometas?|poetas?|sofás?|colegas?|atletas?|pijamas?|.*[eao]mas?|.*istas?|yogas?|pumas?|gorilas?|papas?"
    r"|a|la|las|una|para|contra|hasta|era|fue|mañana|cada|esta|nada|ya|va|hacia|desde|más|tras|además|jamás|quizás|atrás|eran|otra|ésta|esa)$",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(
    r"^(?:de|del|al|y|e|o|u|a|en|es|por|con|que|el|la|los|las|se|no|su|sus|para|como|más|menos|fue|era|son|está|están|hasta|desde|entre|sobre"
    r"|sin|ni|pero|si|lo|le|les|me|te|nos|ya|muy|tan|cuando|donde|porque|según|contra|han|ha|hay|también|punto|coma|mil)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, before: str, behind: str) -> str:
    word = next_word(behind)
    if not word or _NOT_COUNTED.match(word) or number.part:
        return ""
    if _FEMININE.search(word) and not _NOT_FEMININE.match(word):
        return "f"
    plural = word.endswith("s") or number.whole == 1 and re.search(r"(?:o|or|én|ón|ar|al|er|e|a|ro)$", word)
    return "m" if plural and not number.fraction else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    if not 0 < number < 10**6:
        return None
    ending = match["ending"]
    if ending in ("ª", "a", "ra", "da", "ta", "va", "na", "ma"):
        return _ordinal(number, "a")
    return _ordinal(number, "r" if "r" in ending and ending.endswith("r") else "o")


_KINGS = (
    "Felipe Juan Carlos Alfonso Fernando Enrique Pedro Jaime Luis Francisco Benedicto Pío León Jorge Eduardo Guillermo Federico Napoleón"
    " Alejandro Nicolás Iván Catalina Isabel Alberto Leopoldo Gregorio Inocencio Urbano Clemente Ramsés Víctor Manuel Jacobo Ricardo Roberto"
    " Sancho Ramiro Ordoño Bermudo García Ramón Pablo Maximiliano José Gustavo Cristián Mohamed Hassan Sixto Julio Bonifacio Amadeo Teobaldo"
    " Constantino Ptolomeo Darío Cleopatra María Juana Otón Luis Carlos Enrique Martín Abderramán Margarita"
).split()  # fmt: skip
_QUEENS = frozenset("Catalina Isabel Cleopatra María Juana Margarita".split())


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    ending = "a" if match["name"] in _QUEENS else "o"
    return f"{match['name']} {_ordinal(number, ending) if number <= 10 else _cardinal(number, '')}"


def _roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"].upper())
    return f"{match['before']} {_cardinal(number, '')}" if number else None


def _century(match: re.Match[str]) -> str | None:
    letters = re.findall(r"[IVXivx]+", match["romans"])
    numbers = [from_roman(roman.upper()) for roman in letters]
    if not all(numbers):
        return None
    said = iter([_ordinal(number, "o") if number < 10 else _cardinal(number, "") for number in numbers])
    words = re.sub(r"[IVXivx]+(?!\w)", lambda _: next(said), match["romans"])
    return f"{match['before']} {re.sub(r' ?[-–] ?', ' al ', words)}"


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_HALF = r"[ap]\.\s?m\.?|[ap]m"
_RULES: tuple[Rule, ...] = (
    *links(_NUMBERS),
    *abbreviations(_TONGUE, _NUMBERED, frozenset(("etc.",))),
    *don("D.", "don"),
    Rule("abbreviation", re.compile(r"(?<!\w)vier\.(?= \d)"), lambda _: "viernes"),
    Rule("date", re.compile(rf"(?<!\w)(?P<month>(?i:{'|'.join(_MONTH_NAMES)})) (?P<day>\d\d?),? (?P<year>\d{{4}})(?!\w|[.,]\d)"), _month_first),
    *dates(_MONTHS, _date, between=r"de\s", behind=r"del?\s"),
    times(_clock, words=rf"{_HALF}|h\.|hs|hrs|horas|h", to="a", zones=zone_said(_NUMBERS), more="|est"),
    Rule("time", re.compile(rf"{LEFT}(?P<last>\d\d?)\s?(?P<word>(?i:{_HALF}))(?!\w)(?:\s?(?P<zone>gmt|GMT|est|EST))?"), lambda match: f"{_clock(int(match['last']), 0, None, match['word'])}{' ' + spelling(_TONGUE, match['zone']) if match['zone'] else ''}" if int(match["last"]) <= 24 else None),
    Rule("time", re.compile(rf"{LEFT}(?P<hours>\d\d?) ?h (?P<minutes>[0-5]?\d) ?min\.?(?: (?P<seconds>[0-5]?\d) ?se?g?\.?)?(?!\w)"), _duration),
    *money(_NUMBERS),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª]|(?<!\d\d\d)[ao](?!\w)|er(?!\w)|(?<=1)r[oa](?!\w)|(?<=2)d[oa](?!\w)|(?<=3)r[oa](?!\w)|(?<=[456])t[oa](?!\w)|(?<=[79])[mn][oa](?!\w)|(?<=8)v[oa](?!\w)|(?<=[13])er(?!\w))"), _ordinal_rule),
    Rule("ordinal", re.compile(rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C|F|c\b)[a-zA-Z])"), _ordinal_rule),
    *measures(_NUMBERS),
    Rule("roman", re.compile(r"(?<!\w)(?P<before>(?i:siglos?)) (?P<romans>[IVX]+(?:(?:, | y | ?[-–] ?| al? )[IVX]+)*|[ivx]+)(?!\w)"), _century),
    Rule("roman", re.compile(rf"(?<!\w)(?P<name>{alternatives(_KINGS)}) (?P<roman>{ROMAN})"), _monarch),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>(?i:capítulo|tomo|acto|parte|volumen|artículo|título|libro|anexo|fase|tipo|grupo)) (?P<roman>{ROMAN})"), _roman),
    Rule("roman", re.compile(rf"(?<!\w)(?P<before>[A-ZÁÉÍÓÚÑ][a-záéíóúñü]+) (?P<roman>(?=[IVX]{{2}}){ROMAN})"), _roman),
    *plain(_NUMBERS, _agree),
    *signs(_TONGUE),
    *initials(_TONGUE),
)  # fmt: skip
_NEEDED = re.compile(
    r"[0-9%€$£&§°²³±×÷@#=+<>~½¼¾⅐-⅞©≈≥≤‰₽¥*\u2212₡₧₩₹\u02b0-\u02b8\u02e1-\u02e3\u1d43-\u1d61]|\.\s?\w|[A-ZÁÉÍÓÚÑ]{2}|\b[A-Z]\.|c/"
    r"|(?i:\b(?:etc|uu|pza|plza|esq|dcha|izda|izq|aprox|dpto|depto|c|ej|sr|sra|dr|dra)\.)|\b[Ss]iglos? [ivxIVX]|\b[A-ZÁÉÍÓÚÑ]\w+ [IVX]+\b"
)
LANGUAGE = Speaker("es", _RULES, needed=_NEEDED, before=plainly)
