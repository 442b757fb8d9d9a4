"""Italian."""

import re

from stages.text.spoken.european.calendar import dates, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, alternatives
from stages.text.spoken.european.quantities import dialled, ended, measures, money, next_word, plain
from stages.text.spoken.european.romans import numbered, reigns
from stages.text.spoken.european.signs import abbreviations, don, initials, links, needed, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Quantity, listed
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.it.numbers import cardinal, ordinal
from stages.text.spoken.languages.it.words import NUMBERED, NUMBERS, TONGUE
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTH_NAMES = listed("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre")
_MONTHS = month_numbers(
    "gennaio genn gen",
    "febbraio febbr feb",
    "marzo mar",
    "aprile apr",
    "maggio mag",
    "giugno giu",
    "luglio lug",
    "agosto ago",
    "settembre sett set",
    "ottobre ott",
    "novembre nov",
    "dicembre dic",
)


_TITLES = {
    **{"sig": "signor", "dott": "dottor", "dr": "dottor", "prof": "professor", "ing": "ingegner", "rag": "ragionier"},
}


def _title(match: re.Match[str]) -> str:
    """Returns a title, which loses its last letter before a name."""
    title = _TITLES[match[0][:-1].lower()]
    return title if next_word(match.string[match.end() :])[:1].isupper() else ended(match, f"{title}e")


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    elided = match.string[: match.start()].endswith(("'", "’"))
    words = f"{'primo' if day == 1 and not elided else cardinal(day, '')} {_MONTH_NAMES[month - 1]}"
    return f"{words} {NUMBERS.year(year)}" if year else ended(match, words)


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = "una" if hour == 1 else cardinal(hour, "")
    if second is not None:
        minutes, seconds = NUMBERS.time(minute, "min"), NUMBERS.time(second, "s")
        return f"{words} {minutes} e {seconds}"
    return f"{words} e {cardinal(minute, '')}" if minute else words


def _alone(match: re.Match[str]) -> str | None:
    """Returns a time that is a whole text: nothing around it says that the second number is of minutes."""
    hour, minute = int(match[1]), int(match[2])
    return (
        f"{_clock(hour, minute, None, '')} minut{'i' if minute > 1 else 'o'}" if hour < 25 and 0 < minute < 60 else None
    )


_FEMININE = re.compile(
    r"(?:a|ione|tà|tù|trice|igine|udine|notte|parte|voce|mano|classe|legge|chiave|croce|gente|madre|morte"
    r"|sede|fase|base)$",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(
    r"(?:emma|ema|amma|oma|ista|eta)$|^(?:a|alla|la|una|sua|mia|tua|era|ma|da|fa|va|sta|sia|già|ancora"
    r"|prima|poi|sola|volta in)$",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(
    r"^(?:di|del|della|dei|delle|degli|dello|a|al|alla|e|ed|o|è|in|nel|nella|per|con|che|il|lo|la|i|gli|le"
    r"|si|no|non|su|sul|da|dal|dalla|ma|se|come"
    r"|fu|era|ha|sono|più|meno|fa|va|sta|già|poi|fino|tra|fra|anche|ci|punto|virgola|su)$",
    re.IGNORECASE,
)


def _agree(number: Quantity, _before: str, behind: str) -> str:
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
    return ordinal(number, "a" if match["ending"] in ("ª", "a") else "o")


_KINGS = listed(
    "Luigi Carlo Francesco Enrico Filippo Napoleone Giovanni Paolo Benedetto Pio Leone Giorgio Edoardo"
    " Guglielmo Federico Ferdinando"
    " Alessandro Nicola Pietro Ivan Caterina Elisabetta Alberto Leopoldo Baldovino Alfonso Gregorio"
    " Innocenzo Urbano Clemente Ramses"
    " Vittorio Emanuele Giacomo Riccardo Roberto Clodoveo Ottone Massimiliano Giuseppe Gustavo Cristiano"
    " Sisto Giulio Bonifacio"
    " Celestino Amedeo Umberto Ugo Costantino Tolomeo Dario Cleopatra Isabella Margherita Maria Felipe"
    " Juan Cosimo Lorenzo Corrado Adriano"
)
_QUEENS = frozenset(listed("Caterina Elisabetta Cleopatra Isabella Margherita Maria"))


def _century(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    found = match.groupdict()
    if before := found.get("before"):
        return f"{'secolo' if before == 'sec.' else before} {ordinal(number, 'o')}"
    return ordinal(number, "a" if re.search(r"(?:a|ione)$", found["thing"]) else "o")


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,6})"
_RULES: tuple[Rule, ...] = (
    *links(NUMBERS),
    *abbreviations(TONGUE, NUMBERED, frozenset(("ecc.", "etc."))),
    *don("S.", "San"),
    rule("abbreviation", rf"(?<![\w.])(?i:{alternatives(_TITLES)})\.(?!\w)", _title),
    rule("date", rf"{LEFT}1[°º](?= (?i:{alternatives(_MONTHS)})(?!\w))", lambda _: "primo"),
    *dates(_MONTHS, _date),
    rule("time", r"^\W*(\d\d?):(\d\d)\W*$", _alone),
    times(_clock, words="ore", to="a", zones=zone_said(NUMBERS)),
    rule(
        "time",
        r"(?:(?<=\bore )|(?<=\balle )|(?<=\bdalle )|(?<=\bdelle )|(?<=\ble ))(\d\d?)[.,](\d\d)(?!\w|[.,:]\d)",
        lambda match: (
            _clock(int(match[1]), int(match[2]), None, "") if int(match[1]) < 25 and int(match[2]) < 60 else None
        ),
    ),
    *money(NUMBERS),
    rule(
        "ordinal",
        rf"{LEFT}{_NUMBER}\.?(?P<ending>[ºª]|(?<=(?<!\d)\d)[ao]|(?<=(?<!\d)\d\d)[ao])(?!\w|\s?[CF]\b)",
        _ordinal_rule,
    ),
    rule(
        "ordinal",
        rf"{LEFT}{_NUMBER}(?P<ending>°)(?=\s+(?!C\b|F\b|c\b)[a-zA-Z]|\s*[.,;:!?)]|\s*$)",
        lambda match: _ordinal_rule(match) if int(re.sub(r"\D", "", match["number"])) < 20 else None,
    ),
    *measures(NUMBERS),
    rule("roman", r"(?<!\w)(?P<before>(?i:secolo|sec\.)) (?P<roman>[IVX]+)(?![\w’'])", _century),
    rule(
        "roman",
        r"(?<![\w’'])(?P<roman>[IVX]+)(?= (?P<thing>(?i:secolo|sec\.|edizione|legislatura|dinastia|congresso"
        r"|guerra|repubblica|conferenza))(?!\w))",
        _century,
    ),
    reigns(_KINGS, _QUEENS, ordinal, cardinal, up_to=39),
    numbered(r"(?i:capitolo|tomo|atto|parte|volume|articolo|titolo|libro|allegato|fase|tipo|gruppo)", cardinal),
    numbered(r"[A-ZÀ-Ý][a-zà-ÿ]+", cardinal, fewest=2),
    dialled(NUMBERS, r"(?:chiam\w+|compon\w+|numero) (?:il |al |lo )?", "112 113 115 117 118 911"),
    *plain(NUMBERS, _agree),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker("it", Rules(_RULES), needed=needed(TONGUE, r"\b[IVX] (?=[a-z])", titles=_TITLES), before=plainly)
