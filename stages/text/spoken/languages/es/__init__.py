"""Spanish, with numbers as in Spain: a decimal comma, and a point or a space between groups."""

import re

from stages.text.spoken.european.calendar import dates, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, alternatives, join
from stages.text.spoken.european.quantities import dialled, ended, measures, money, next_word, plain
from stages.text.spoken.european.romans import numbered, reigns
from stages.text.spoken.european.signs import (
    abbreviations,
    don,
    initials,
    links,
    needed,
    plainly,
    signs,
    spelling,
    zone_said,
)
from stages.text.spoken.european.tongue import Quantity, listed
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.es.numbers import cardinal, ordinal
from stages.text.spoken.languages.es.words import NUMBERED, NUMBERS, TONGUE
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTH_NAMES = listed("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")
_MONTHS = month_numbers(
    "enero ene",
    "febrero feb",
    "marzo mar",
    "abril abr",
    "mayo",
    "junio jun",
    "julio jul",
    "agosto ago",
    "septiembre setiembre sept sep",
    "octubre oct",
    "noviembre nov",
    "diciembre dic",
)


_WEEKDAYS = {
    **{"lun": "lunes", "mar": "martes", "mié": "miércoles", "miér": "miércoles", "jue": "jueves", "juev": "jueves"},
    **{"vie": "viernes", "vier": "viernes", "sáb": "sábado", "dom": "domingo"},
}


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{'primero' if day == 1 else cardinal(day, '')} de {_MONTH_NAMES[month - 1]}"
    return f"{words} de {NUMBERS.year(year)}" if year else ended(match, words)


def _month_first(match: re.Match[str]) -> str | None:
    day = int(match["day"])
    return _date(match, day, _MONTHS[match["month"].lower()], match["year"]) if 1 <= day <= 31 else None


_HALVES = {"am": "de la mañana", "pm": "de la tarde"}


def _clock(hour: int, minute: int, second: int | None, word: str) -> str:
    half = re.sub(r"[^apm]", "", word.lower())
    if half in _HALVES:
        return f"{_hand(hour, minute)} {_HALVES[half] if (half, hour) != ('am', 12) else 'de la noche'}"
    if second:
        hours = NUMBERS.time(hour, "h")
        minutes, seconds = NUMBERS.time(minute, "min"), NUMBERS.time(second, "s")
        return f"{hours} {minutes} y {seconds}"
    return _hand(hour, minute)


def _half_day(match: re.Match[str]) -> str | None:
    hour = int(match["last"])
    return join(_clock(hour, 0, None, match["word"]), spelling(TONGUE, match["zone"] or "")) if hour <= 24 else None


def _hand(hour: int, minute: int) -> str:
    words = cardinal(hour, "f")
    if not minute:
        return words
    return f"{words} y {({15: 'cuarto', 30: 'media'}).get(minute) or cardinal(minute, '')}"


def _duration(match: re.Match[str]) -> str:
    hours, minutes, seconds = match["hours"], match["minutes"], match["seconds"]
    if not seconds:
        return _hand(int(hours), int(minutes))
    parts = [NUMBERS.time(int(n), unit) for n, unit in ((hours, "h"), (minutes, "min"), (seconds, "s"))]
    return f"{parts[0]} {parts[1]} y {parts[2]}"


_FEMININE = re.compile(
    r"(?:as?|[cs]i[óo]n(?:es)?|dad(?:es)?|tud(?:es)?|veces|mujeres|noches|tardes|clases|calles|partes"
    r"|bases|fases|series|leyes|luces|mujer|vez|noche|tarde|clase|calle|parte|base|fase|serie|ley|luz)$",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(
    r"^(?:días?|mapas?|planetas?|cometas?|poetas?|sofás?|colegas?|atletas?|pijamas?|.*[eao]mas?|.*istas?"
    r"|yogas?|pumas?|gorilas?|papas?"
    r"|a|la|las|una|para|contra|hasta|era|fue|mañana|cada|esta|nada|ya|va|hacia|desde|más|tras|además"
    r"|jamás|quizás|atrás|eran|otra|ésta|esa)$",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(
    r"^(?:de|del|al|y|e|o|u|a|en|es|por|con|que|el|la|los|las|se|no|su|sus|para|como|más|menos|fue|era|son"
    r"|está|están|hasta|desde|entre|sobre"
    r"|sin|ni|pero|si|lo|le|les|me|te|nos|ya|muy|tan|cuando|donde|porque|según|contra|han|ha|hay|también"
    r"|punto|coma|mil)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, _before: str, behind: str) -> str:
    word = next_word(behind)
    if not word or _NOT_COUNTED.match(word) or number.part:
        return ""
    if _FEMININE.search(word) and not _NOT_FEMININE.match(word):
        return "f"
    plural = word.endswith("s") or (number.whole == 1 and re.search(r"(?:o|or|én|ón|ar|al|er|e|a|ro)$", word))
    return "m" if plural and not number.fraction else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    if not 0 < number < 10**6:
        return None
    ending = match["ending"]
    if len(ending) == 2 and ending[0] != ("m" if number % 10 == 0 else "rrdrtttmvn"[number % 10]) and ending != "er":
        return None
    if ending in ("ª", "a", "ra", "da", "ta", "va", "na", "ma"):
        return ordinal(number, "a")
    return ordinal(number, "r" if "r" in ending and ending.endswith("r") else "o")


_KINGS = listed(
    "Felipe Juan Carlos Alfonso Fernando Enrique Pedro Jaime Luis Francisco Benedicto Pío León Jorge"
    " Eduardo Guillermo Federico Napoleón"
    " Alejandro Nicolás Iván Catalina Isabel Alberto Leopoldo Gregorio Inocencio Urbano Clemente Ramsés"
    " Víctor Manuel Jacobo Ricardo Roberto"
    " Sancho Ramiro Ordoño Bermudo García Ramón Pablo Maximiliano José Gustavo Cristián Mohamed Hassan"
    " Sixto Julio Bonifacio Amadeo Teobaldo"
    " Constantino Ptolomeo Darío Cleopatra María Juana Otón Luis Carlos Enrique Martín Abderramán Margarita"
)
_QUEENS = frozenset(listed("Catalina Isabel Cleopatra María Juana Margarita"))


def _counted_roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    female = _FEMININE.search(match["thing"]) and not _NOT_FEMININE.match(match["thing"])
    return ordinal(number, "a" if female else "o") if number else None


def _century(match: re.Match[str]) -> str | None:
    romans = match["romans"] or match["list"]
    letters = re.findall(r"[IVXivx]+", romans)
    numbers = [from_roman(roman.upper()) for roman in letters]
    if not all(numbers):
        return None
    said = iter([ordinal(number, "o") if number < 10 else cardinal(number, "") for number in numbers])
    words = re.sub(r"[IVXivx]+(?!\w)", lambda _: next(said), romans)
    before = match["several"] or (
        "siglo" if match["before"] == "s." else "siglos" if match["before"] == "ss." else match["before"]
    )
    return f"{before} {re.sub(r' ?[-–] ?', ' al ', words)}"


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_HALF = r"[ap]\.\s?m\.?|[ap]m"
_RULES: tuple[Rule, ...] = (
    *links(NUMBERS),
    *abbreviations(TONGUE, NUMBERED, frozenset(("etc.",))),
    *don("D.", "don"),
    rule(
        "abbreviation",
        rf"(?<!\w)(?i:{alternatives(_WEEKDAYS)})\.(?=,? \d)",
        lambda match: _WEEKDAYS[match[0][:-1].lower()],
    ),
    rule(
        "date",
        rf"(?<!\w)(?P<month>(?i:{'|'.join(_MONTH_NAMES)})) (?P<day>\d\d?),? (?P<year>\d{{4}})(?!\w|[.,]\d)",
        _month_first,
    ),
    *dates(_MONTHS, _date, between=r"de\s", behind=r"del?\s"),
    times(_clock, words=rf"{_HALF}|h\.|hs|hrs|horas|h", to="a", zones=zone_said(NUMBERS), more="|est"),
    rule(
        "time",
        rf"{LEFT}(?P<last>\d\d?)\s?(?P<word>(?i:{_HALF}))(?!\w)(?:\s?(?P<zone>gmt|GMT|est|EST))?",
        _half_day,
    ),
    rule(
        "time",
        rf"{LEFT}(?P<hours>\d\d?) ?h (?P<minutes>[0-5]?\d) ?min\.?(?: (?P<seconds>[0-5]?\d) ?se?g?\.?)?(?!\w)",
        _duration,
    ),
    *money(NUMBERS),
    rule(
        "ordinal",
        rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª]|(?<!\d\d\d)[ao](?!\w)|(?:er|[rdtmnv][oa])(?!\w))",
        _ordinal_rule,
    ),
    rule("ordinal", rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C|F|c\b)[a-zA-Z])", _ordinal_rule),
    *measures(NUMBERS),
    rule(
        "roman",
        r"(?<!\w)(?P<before>(?i:siglo)|ss?\.) (?P<romans>[IVX]+(?:(?: ?[-–] ?| y | al )[IVX]+)*|[ivx]+)(?!\w)"
        r"|(?<!\w)(?P<several>(?i:siglos)) (?P<list>[IVX]+(?:(?:, | y | ?[-–] ?| al? )[IVX]+)+)(?!\w)",
        _century,
    ),
    rule(
        "roman",
        r"(?<![\w’'])(?P<roman>[IVX]+)(?= (?P<thing>(?i:guerra|congreso|república|reich|cumbre|edición|jornadas"
        r"|concilio|feria|semana|festival|premio|bienal|olimpiada|legislatura|dinastía|conferencia|encuentro|plan|convenio))(?!\w))",
        _counted_roman,
    ),
    reigns(_KINGS, _QUEENS, ordinal, cardinal, up_to=10),
    numbered(r"(?i:capítulo|tomo|acto|parte|volumen|artículo|título|libro|anexo|fase|tipo|grupo)", cardinal),
    numbered(r"[A-ZÁÉÍÓÚÑ][a-záéíóúñü]+", cardinal, fewest=2),
    dialled(NUMBERS, r"(?:llam\w+|marqu\w+|marcar|teléfono) (?:al |el )?", "112 911 091 061 062 016"),
    *plain(NUMBERS, _agree),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker("es", Rules(_RULES), needed=needed(TONGUE, r"\b[Ss]iglos? [ivx]"), before=plainly)
