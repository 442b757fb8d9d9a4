"""German."""

import re

from stages.text.spoken.european.calendar import dates, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, NUMBER, RIGHT, alternatives
from stages.text.spoken.european.quantities import dialled, ended, last_word, measures, money, next_word, plain
from stages.text.spoken.european.romans import ROMAN, numbered
from stages.text.spoken.european.signs import abbreviations, initials, links, needed, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Quantity, listed
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.de.numbers import (
    DETERMINERS,
    FEMININE,
    NOT_FEMININE,
    OPENERS,
    ORDINAL_NOUNS,
    SKIPPED,
    cardinal,
    ending,
    ordinal,
    year_words,
)
from stages.text.spoken.languages.de.words import LATE, NUMBERED, NUMBERS, TONGUE
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTHS = month_numbers(
    "januar jänner jan",
    "februar feber feb",
    "märz mär mrz",
    "april apr",
    "mai",
    "juni jun",
    "juli jul",
    "august aug",
    "september sept sep",
    "oktober okt",
    "november nov",
    "dezember dez",
)
_MONTH_NAMES = listed("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{ordinal(day, ending(match.string[: match.start()], ' Tag'))} {_MONTH_NAMES[month - 1]}"
    return ended(match, f"{words} {_year_said(year)}" if year else words)


def _short_date(match: re.Match[str]) -> str | None:
    day, month = int(match["day"]), int(match["month"])
    if last_word(match.string[: match.start()]) not in (
        "am",
        "vom",
        "bis",
        "zum",
        "den",
        "der",
        "dem",
        "seit",
        "ab",
        "beim",
    ):
        return None
    return _date(match, day, month, "") if 1 <= day <= 31 and 1 <= month <= 12 else None


def _year_said(year: str) -> str:
    return NUMBERS.digits(year) if len(year) == 2 and year[0] == "0" else year_words(int(year))


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = f"{cardinal(hour, 'm')} Uhr"
    if second is not None:
        return f"{words} {NUMBERS.time(minute, 'min')} {NUMBERS.time(second, 's')}"
    return f"{words} {cardinal(minute, '')}" if minute else words


_ADJECTIVE = re.compile(r" [a-zäöüß]+(e[rs]?) [A-ZÄÖÜ]")
"""Between a number and its noun: 1 neues Auto."""


def _agree(number: Quantity, _before: str, behind: str) -> str:
    word = next_word(behind)
    if number.whole != 1 or number.fraction or number.part or not word:
        return ""
    found = _ADJECTIVE.match(behind)
    if found:
        return "f" if found[1] == "e" else "m"
    if word[0].isupper():
        return "f" if FEMININE.search(word) and not NOT_FEMININE.search(word) else "m"
    return "m" if word == "uhr" else ""


def _ordinal_rule(match: re.Match[str]) -> str | None:
    before, behind = match.string[: match.start()], match.string[match.end() :]
    determined = last_word(SKIPPED.sub("", before)) in DETERMINERS
    word = next_word(behind)
    number = int(match[1])
    begins = not before.strip() and (number < 100 or (not behind.strip() and not 1100 <= number < 2100))
    joined = bool(re.match(r"\s?(?:und|bis|oder|–|-|/|,)\s?\d+\.", behind))
    if behind.strip(" \"'”’»)!?.") == "" and (determined or begins):
        return ended(match, ordinal(int(match[1]), ending(before, "")))
    # A small letter can't begin a sentence; before a capital only a determiner or a known noun tells.
    counted = bool(word) and ((word[0].islower() and not begins) or bool(ORDINAL_NOUNS.match(word)))
    counted |= bool(word) and word.lower() not in OPENERS and (determined or begins or joined)
    counted |= determined and (joined or bool(re.match(r"\s?[\ue000-\uf8ff,]", behind)))
    if not counted:
        return None
    return ordinal(int(match[1]), ending(before, behind))


def _from_day(match: re.Match[str]) -> str:
    """Returns the first day of two before a month: `1.-3. Mai`."""
    return f"{ordinal(int(match[1]), ending(match.string[: match.start()], ' Tag'))} bis "


def _suffixed(match: re.Match[str]) -> str:
    return ordinal(int(match[1]), match[2])


def _decade(match: re.Match[str]) -> str:
    return f"{year_words(int(match[1]))}er"


def _in_year(match: re.Match[str]) -> str | None:
    number, behind = int(match[0]), next_word(match.string[match.end() :])
    before = last_word(match.string[: match.start()])
    if not 1100 <= number <= 1999 or (behind[:1].isupper() and before not in _YEAR_WORDS):
        return None
    return year_words(number)


_YEAR_WORDS = frozenset(
    listed("jahr jahre jahres jahren seit anno sommer winter herbst frühjahr frühling ende anfang mitte")
    + list(_MONTHS)
)
_MALE = listed(
    "Ludwig Friedrich Wilhelm Heinrich Karl Carl Otto Leopold Franz Joseph Josef Johannes Johann Paul"
    " Benedikt Pius Leo Georg"
    " Eduard Philipp Ferdinand Maximilian Gustav Christian Napoleon Alexander Nikolaus Peter Iwan Konrad"
    " August Albrecht Rudolf"
    " Gregor Innozenz Urban Clemens Klemens Ramses Albert Stephan Julius Sixtus Alfons Jakob Richard"
    " Theodor Adolf Ernst Bernhard"
    " Felipe Juan Carlos Charles Mehmed Murad Selim Harald Olaf Erich Knut Ptolemaios Darius Amenophis"
    " Thutmosis Viktor Emanuel"
)
_FEMALE = listed(
    "Elisabeth Katharina Margarethe Margrethe Maria Viktoria Victoria Anna Beatrix Kleopatra Isabella Johanna"
)
_TITLES = re.compile(
    r"(?:\s|(?:König|Kaiser|Papst|Zar|Fürst|Herzog|Großherzog|Prinz|Kurfürst|Graf|Königin|Kaiserin|Zarin"
    r"|Sultan)(?:in|s)?(?!\w))+$"
)


def _monarch(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    last = match["names"].split()[-1]
    female = last in _FEMALE
    before = last_word(_TITLES.sub("", match.string[: match.start()]))
    if last.endswith("s") and last[:-1] in _MALE:
        article, ending = "des", "en"
    elif before in ("von", "mit", "bei", "unter", "zu", "nach", "seit", "vor", "aus", "dem", "neben", "gegenüber"):
        article, ending = ("der", "en") if female else ("dem", "en")
    elif before in ("gegen", "für", "durch", "ohne", "um", "den", "über", "an", "auf"):
        article, ending = ("die", "e") if female else ("den", "en")
    else:
        article, ending = ("die", "e") if female else ("der", "e")
    return ended(match, f"{match['names']} {article} {ordinal(number, ending).capitalize()}")


def _roman_ordinal(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    before, behind = match.string[: match.start()], match.string[match.end() :]
    return ordinal(number, ending(before, behind)) if number else None


def _times(match: re.Match[str]) -> str:
    return f"{cardinal(int(match[1]), 'm')}mal"


_RULES: tuple[Rule, ...] = (
    *links(NUMBERS),
    *abbreviations(TONGUE, NUMBERED, frozenset(("usw.", "etc.", "usf."))),
    rule("abbreviation", r"(?<=[a-zäöüß])str\.(?!\w)", lambda match: ended(match, "straße")),
    rule("abbreviation", r"(?<![\w.])Fr\.(?= (?:Dr\.|Prof\.|[A-ZÄÖÜ]\w))", lambda _: "Frau"),
    *dates(_MONTHS, _date, between=r"(?<=\.)\s"),
    rule("date", rf"{LEFT}(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?!\d)", _short_date),
    times(_clock, words="Uhr", to="bis", zones=zone_said(NUMBERS), more="|est|mez"),
    rule(
        "time",
        rf"{LEFT}(\d\d?) Uhr(?: (\d\d?)(?![\w.,:]))?",
        lambda match: _clock(int(match[1]), int(match[2] or 0), None, ""),
    ),
    rule(
        "measure",
        rf"{LEFT}({NUMBER})\s?%-?(ig(?:e[mnrs]?)?)(?!\w)",
        lambda match: f"{NUMBERS.said(match[1])}prozent{match[2]}",
    ),
    rule("measure", rf"{LEFT}(\d{{1,3}})[x×](?![\w-])(?! ?\d)", _times),
    *money(NUMBERS),
    *measures(NUMBERS),
    rule(
        "roman",
        rf"(?<!\w)(?P<names>(?:(?:{alternatives(_MALE)}|{alternatives(_FEMALE)})s?[ -])"
        rf"*(?:{alternatives(_MALE)}|{alternatives(_FEMALE)})s?) (?P<roman>{ROMAN})\.?",
        _monarch,
    ),
    rule("roman", rf"(?<![\w.])(?P<roman>{ROMAN})\.(?= (?:{ORDINAL_NOUNS.pattern}))", _roman_ordinal),
    numbered(r"Kapitel|Teil|Band|Akt|Klasse|Artikel|Anhang|Phase|Typ|Stufe|Gruppe|Abschnitt", cardinal),
    numbered(r"[A-ZÄÖÜ][a-zäöüß]+", cardinal, fewest=2),
    rule("ordinal", rf"{LEFT}(\d\d?)\.\s?[-–]\s?(?=[\ue000-\uf8ff])", _from_day),
    rule("ordinal", rf"{LEFT}(\d{{1,9}})\.(?![\w.:]|,\w|\s?\d)", _ordinal_rule),
    rule("ordinal", rf"{LEFT}(\d{{1,9}})-?s?t(e[nmrs]?)(?!\w)", _suffixed),
    rule("year", rf"{LEFT}(\d{{2,4}})er(?!\w)", _decade),
    rule(
        "range",
        rf"{LEFT}(1[1-9]\d\d)\s?[-–]\s?([12]\d\d\d){RIGHT}",
        lambda match: f"{year_words(int(match[1]))} bis {year_words(int(match[2]))}",
    ),
    rule("year", rf"{LEFT}1[1-9]\d\d(?![\w/%]|[.,:]\d|\s?[-–]\s?\d)", _in_year),
    dialled(NUMBERS, r"(?:wähl\w+|ruf\w*)(?: sie)? (?:die |den )?(?:notruf )?|notruf(?:nummer)? ", "110 112 115 911"),
    *plain(NUMBERS, _agree),
    rule(
        "abbreviation",
        rf"(?<!\w)(?:{alternatives(LATE)})(?!\w)",
        lambda match: ended(match, LATE[match[0]]),
    ),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker("de", Rules(_RULES), needed=needed(TONGUE), before=plainly)
