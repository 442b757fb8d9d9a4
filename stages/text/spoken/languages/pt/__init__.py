"""Portuguese, read as in Brazil."""

import re

from stages.text.spoken.european.calendar import dates, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, alternatives
from stages.text.spoken.european.quantities import dialled, ended, measures, money, next_word, plain
from stages.text.spoken.european.romans import numbered, reigns
from stages.text.spoken.european.signs import abbreviations, don, initials, links, needed, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Quantity, listed
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.pt.numbers import cardinal, ordinal
from stages.text.spoken.languages.pt.words import NUMBERED, NUMBERS, TONGUE
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTH_NAMES = listed("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro")
_MONTHS = month_numbers(
    "janeiro jan",
    "fevereiro fev",
    "março mar",
    "abril abr",
    "maio mai",
    "junho jun",
    "julho jul",
    "agosto ago",
    "setembro set",
    "outubro out",
    "novembro nov",
    "dezembro dez",
)


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{'primeiro' if day == 1 else cardinal(day, '')} de {_MONTH_NAMES[month - 1]}"
    return f"{words} de {NUMBERS.year(year)}" if year else ended(match, words)


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = f"{cardinal(hour, 'f')} hora{'s' * (hour != 1)}"
    if second is not None:
        minutes, seconds = NUMBERS.time(minute, "min"), NUMBERS.time(second, "s")
        return f"{words} e {minutes} e {seconds}"
    return f"{words} e {cardinal(minute, '')}" if minute else words


def _hour(match: re.Match[str]) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if hour > 24 or minute > 59:
        return None
    evening = re.match(r" da (?:tarde|noite)(?!\w)", match.string[match.end() :])
    said = _clock(hour - 12 if evening and hour > 12 else hour, minute, None, "")
    return f"{said} a " if match["to"] else said


def _in_half(match: re.Match[str]) -> str | None:
    hour, minute, *rest = map(int, match["time"].split(":"))
    if not 12 < hour < 24 or minute > 59:
        return None
    return _clock(hour - 12, minute, rest[0] if rest else None, "")


_FEMININE = re.compile(
    r"(?:as?|ção|ções|são|sões|dades?|gem|gens|tudes?|vez|vezes|mulher|mulheres|noites?|tardes?|partes?"
    r"|cidades?|leis?|mães?|mãos?)$",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(
    r"^(?:dias?|mapas?|planetas?|cometas?|poetas?|sofás?|colegas?|atletas?|pijamas?|.*[eao]mas?|.*istas?|a"
    r"|à|às|as|da|das|na|nas|uma|para|contra"
    r"|era|fora|cada|esta|essa|nada|já|vá|mas|mais|atrás|além|agora|ainda|apenas|gramas?|pela|pelas|la|há"
    r"|lá|será|está|dará|aquela)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, _before: str, behind: str) -> str:
    word = next_word(behind)
    if number.part or (number.fraction and number.scale is None):
        return ""
    return "f" if word and _FEMININE.search(word) and not _NOT_FEMININE.match(word) else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    if not 0 < number < 10**6:
        return None
    ending = match["ending"]
    return ordinal(number, {"ª": "a", "a": "a", "as": "as", "ªs": "as", "os": "os", "ºs": "os"}.get(ending, "o"))


_KINGS = listed(
    "Pedro João Luís Luiz Carlos Manuel Afonso Sancho Fernando Filipe Felipe Henrique José Miguel Duarte"
    " Dinis Sebastião Bento Pio Leão Jorge"
    " Eduardo Guilherme Frederico Napoleão Alexandre Nicolau Ivan Catarina Isabel Elizabeth Alberto"
    " Leopoldo Gregório Inocêncio Urbano"
    " Clemente Ramsés Vítor Emanuel Jaime Ricardo Roberto Paulo Maximiliano Gustavo Cristiano Sisto Júlio"
    " Bonifácio Constantino Ptolomeu Dario"
    " Cleópatra Maria Joana Francisco Oto Margarida Juan Otão"
)
_QUEENS = frozenset(listed("Catarina Isabel Elizabeth Cleópatra Maria Joana Margarida"))


def _century(match: re.Match[str]) -> str | None:
    romans = re.findall(r"[IVX]+", match["romans"])
    numbers = [from_roman(roman) for roman in romans]
    if not all(numbers):
        return None
    said = iter([ordinal(number) if number <= 10 else cardinal(number, "") for number in numbers])
    words = re.sub(r"[IVX]+(?!\w)", lambda _: next(said), match["romans"])
    return f"{match['before']} {re.sub(r' ?[-–] ?', ' a ', words)}"


def _counted_roman(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    return ordinal(number, "a" if _FEMININE.search(match["thing"]) else "o") if number else None


def _half(match: re.Match[str]) -> str:
    word = match["word"]
    feminine = _FEMININE.search(word) and not _NOT_FEMININE.match(word)
    return "meia" if feminine else "meio"


def _room(match: re.Match[str]) -> str:
    return f"{match['before']} {cardinal(int(match['number']), 'm')}"


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_RULES: tuple[Rule, ...] = (
    *links(NUMBERS),
    *abbreviations(TONGUE, NUMBERED, frozenset(("etc.",))),
    *don("D.", "dom"),
    rule("date", rf"{LEFT}1[°ºo](?= de (?i:{alternatives(_MONTHS)})(?!\w))", lambda _: "primeiro"),
    *dates(_MONTHS, _date, between=r"de\s", behind=r"de\s"),
    rule("time", rf"{LEFT}(?P<time>\d\d(?::\d\d){{1,2}})(?= da (?:tarde|noite)(?!\w))", _in_half),
    times(_clock, words="h|hs|horas", to="a", zones=zone_said(NUMBERS)),
    rule(
        "time",
        rf"{LEFT}(?P<hour>\d\d?)\s?h(?:\s?(?P<minute>\d\d)(?:\s?min)?)?(?:(?P<to>\s?[-–]\s?(?=\d\d?\s?h))|(?![\w/]))",
        _hour,
    ),
    *money(NUMBERS),
    rule("ordinal", rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª]s?|(?<!\d\d\d)[ao]s?)(?!\w|\s?[CF]\b)", _ordinal_rule),
    rule("ordinal", rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C\b|F\b|c\b)[a-zA-Z]|\s*[-–:.)])", _ordinal_rule),
    *measures(NUMBERS),
    rule(
        "roman",
        r"(?<!\w)(?P<before>(?i:séculos?)) (?P<romans>[IVX]+(?:(?:, | e | ?[-–] ?| ao? )[IVX]+)*)(?!\w)",
        _century,
    ),
    rule(
        "roman",
        r"(?<![\w’'])(?P<roman>[IVX]+)(?= (?P<thing>(?i:guerra|congresso|república|reich|edição|semana"
        r"|festival|encontro|bienal|legislatura|dinastia|conferência|concílio|jornada|copa))(?!\w))",
        _counted_roman,
    ),
    reigns(_KINGS, _QUEENS, ordinal, cardinal, up_to=10),
    numbered(r"(?i:capítulo|tomo|ato|parte|volume|artigo|título|livro|anexo|fase|tipo|grupo)", cardinal),
    numbered(r"[A-ZÀ-Ý][a-zà-ÿ]+", cardinal, fewest=2),
    rule("fraction", rf"{LEFT}(?:1/2|½)(?= (?P<word>[a-zà-ÿ]{{3,}})(?!\w))", _half),
    rule(
        "cardinal",
        r"(?<!\w)(?P<before>(?i:quarto|sala|apartamento|apto|casa|número|linha|ônibus|voo|canal|porta|portão|bloco"
        r"|lote|artigo|página|capítulo)) (?P<number>[1-9]\d{0,3})(?!\w|[.,:/-]\d|\s?[ºª°%])",
        _room,
    ),
    dialled(
        NUMBERS,
        r"(?:lig\w+|disqu\w+|discar|telefone) (?:para |ao |o |pro )?(?:o )?",
        "190 191 192 193 188 180 100 112 911",
    ),
    *plain(NUMBERS, _agree),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker("pt", Rules(_RULES), needed=needed(TONGUE), before=plainly)
