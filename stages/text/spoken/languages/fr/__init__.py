"""French, with numbers as in France."""

import re

from stages.text.spoken.european.calendar import dates, month_numbers, times
from stages.text.spoken.european.numbers import LEFT, alternatives
from stages.text.spoken.european.quantities import ended, measures, money, next_word, plain
from stages.text.spoken.european.romans import numbered, reigns
from stages.text.spoken.european.signs import abbreviations, initials, links, needed, plainly, signs, zone_said
from stages.text.spoken.european.tongue import Quantity, listed, noun
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.fr.numbers import cardinal, ordinal
from stages.text.spoken.languages.fr.words import NUMBERED, NUMBERS, TONGUE, UNITS
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, Rules, rule

_MONTH_NAMES = listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
_MONTHS = month_numbers(
    "janvier janv",
    "février févr fév fevrier",
    "mars",
    "avril avr",
    "mai",
    "juin",
    "juillet juil",
    "août aout",
    "septembre sept",
    "octobre oct",
    "novembre nov",
    "décembre déc decembre",
)


def _day(day: int) -> str:
    return "premier" if day == 1 else cardinal(day, "")


def _date(match: re.Match[str], day: int, month: int, year: str) -> str:
    words = f"{_day(day)} {_MONTH_NAMES[month - 1]}"
    return f"{words} {NUMBERS.year(year)}" if year else ended(match, words)


def _days(match: re.Match[str]) -> str | None:
    days = [int(day) for day in re.findall(r"\d+", match["days"])]
    if days != sorted(days) or not 1 <= days[0] <= days[-1] <= 31:
        return None
    year = f" {cardinal(int(match['year']), '')}" if match["year"] else ""
    return f"{' '.join(map(_day, days))} {_MONTH_NAMES[_MONTHS[match['month'].lower()] - 1]}{year}"


def _clock(hour: int, minute: int, second: int | None, _: str) -> str:
    words = NUMBERS.time(hour, "h") or ""
    if second is not None:
        minutes, seconds = NUMBERS.time(minute, "min"), NUMBERS.time(second, "s")
        return f"{words} {minutes} {seconds}"
    return f"{words} {cardinal(minute, 'f')}" if minute else words


_HOUR = re.compile(r"(\d\d?)\s?[hH](?:\s?(\d\d)(?:\s?min)?(?!\w))?")


def _hour(match: re.Match[str]) -> str | None:
    ends = [(int(hour), int(minute or 0)) for hour, minute in _HOUR.findall(match[0])]
    if any(hour > 24 or minute > 59 for hour, minute in ends):
        return None
    return " à ".join(_clock(hour, minute, None, "") for hour, minute in ends)


_FEMININE = re.compile(
    r"(?:[tsx]ion|té|ée|ette|ence|ance|ure|ade|esse|ie|elle|enne|ère|eure|ise|ouche|ille|aine)s?$|^(?:fois"
    r"|heure|minute|seconde|semaine"
    r"|année|personne|femme|fille|page|nuit|main|tonne|livre|place|ville|école|table|route|étoile|maison"
    r"|voiture|voix|chose|vache|bouteille|histoire|lettre|fleur|fenêtre|porte|pomme|robe|chemise|poule|entreprise|équipe|langue"
    r"|carte|photo|image|guerre|partie|chambre|dame|sœur|mère|tante|cousine|amie|voie|carte|chanson|feuille|marche|tasse|tranche)s?$",
    re.IGNORECASE,
)
_NOT_FEMININE = re.compile(
    r"(?:musée|lycée|trophée|génie|incendie|silence|anniversaire|domaine|côté|été|comité|père|frère)s?$", re.IGNORECASE
)


def _agree(number: Quantity, _before: str, behind: str) -> str:
    word = next_word(behind)
    return (
        "f"
        if number.whole % 10 == 1 and not number.fraction and _FEMININE.search(word) and not _NOT_FEMININE.search(word)
        else "m"
    )


def _ordinal_rule(match: re.Match[str]) -> str | None:
    number, ending = int(re.sub(r"\D", "", match["number"])), match["ending"]
    female = ending in ("re", "ère", "ere", "nde", "de")
    if ending.startswith("n") or ending in ("d", "ds", "de"):
        if number != 2:
            return None
        return f"second{'e' * female}"
    plural = "s" * (ending.endswith("s") and ending != "s")
    return ordinal(number, female=female) + plural


def _degree_ordinal(match: re.Match[str]) -> str | None:
    number = int(re.sub(r"\D", "", match["number"]))
    return ordinal(number) if 0 < number < 1000 else None


def _century(match: re.Match[str]) -> str | None:
    number = from_roman(match["roman"])
    if not number:
        return None
    return ordinal(number, female=match["ending"] in ("re", "ère"))


_KINGS = listed(
    "Louis Charles François Henri Philippe Napoléon Jean Paul Benoît Pie Léon Georges Édouard Edouard"
    " Guillaume Frédéric Ferdinand"
    " Alexandre Nicolas Pierre Ivan Catherine Élisabeth Elisabeth Elizabeth Albert Léopold Baudouin"
    " Alphonse Grégoire Innocent Urbain"
    " Clément Ramsès Victor Emmanuel Jacques Richard Robert Childéric Clovis Dagobert Otton Maximilien"
    " Joseph Gustave Christian Juan"
    " Carlos Mohammed Hassan Sixte Jules Boniface Célestin Amédée Raymond Thibaut Hugues Constantin"
    " Ptolémée Darius Cléopâtre Isabelle"
)
_QUEENS = frozenset(listed("Catherine Élisabeth Elisabeth Elizabeth Cléopâtre Isabelle"))


def _first(_: int, ending: str) -> str:
    return "première" if ending == "a" else "premier"


def _decade(match: re.Match[str]) -> str:
    return f"{match[1]} {cardinal(int(match[2]), '')}"


_IN_ALL = {"h": UNITS["h"], "j": noun("jour/jours")}


def _in_all(match: re.Match[str]) -> str:
    """Returns `24h/24` and `7j/7` in words."""
    return f"{NUMBERS.counted(Quantity(int(match[1])), _IN_ALL[match[2]])} sur {cardinal(int(match[3]), '')}"


def _times(match: re.Match[str]) -> str:
    return f"{cardinal(int(match[1]), 'f')} fois"


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0\u202f.]\d{3})+|\d{1,10})"
_HOURS = r"(?:[àdÀ]|vers|dès|depuis|avant|après|jusqu'à|entre|de)"
_RULES: tuple[Rule, ...] = (
    *links(NUMBERS),
    *abbreviations(TONGUE, NUMBERED, frozenset(("etc.",))),
    rule("abbreviation", r"(?<!\w)Me(?= [A-ZÀ-Ý][a-zà-ÿ])", lambda _: "maître"),
    rule(
        "date",
        rf"{LEFT}(?P<days>\d\d?(?:[/-]\d\d?)+) (?P<month>(?i:{alternatives(_MONTHS)}))(?!\w)(?:"
        rf" (?P<year>\d{{4}})(?!\w|[.,]\d))?",
        _days,
    ),
    rule("date", rf"{LEFT}1er(?= (?i:{alternatives(_MONTHS)})(?!\w))", lambda _: "premier"),
    *dates(_MONTHS, _date),
    times(_clock, words="heures?|h", to="à", zones=zone_said(NUMBERS)),
    rule("time", rf"{LEFT}{_HOUR.pattern}(?:\s?[-–]\s?{_HOUR.pattern})?(?![\w/])", _hour),
    rule(
        "telephone",
        r"(?<![\w+])0\d(?:[ .]\d\d){4}(?!\w)",
        lambda match: " ".join(
            ("zéro " if part[0] == "0" and part != "00" else "")
            + ("zéro zéro" if part == "00" else cardinal(int(part), ""))
            for part in re.split("[ .]", match[0])
        ),
    ),
    rule("year", r"(?<!\w)((?i:années|les|des)) (\d\d)'?s(?!\w)", _decade),
    rule(
        "time",
        rf"{LEFT}(\d\d?)\s?([hj])/([1-9]\d?)(?![\w/]|[.,]\d)",
        _in_all,
    ),
    rule("measure", rf"{LEFT}(\d{{1,3}})[x×](?![\w-])(?! ?\d)", _times),
    *money(NUMBERS),
    rule(
        "ordinal",
        rf"{LEFT}{_NUMBER}(?P<ending>(?<=1)(?:ers?|res?|ères?|ere)|(?:i?[èe]mes?|es?)|(?<=2)(?:nde?s?|de?s?))(?!\w)",
        _ordinal_rule,
    ),
    rule("ordinal", rf"{LEFT}{_NUMBER}[°º](?![\w°]|\s?[CFcf]\b)", _degree_ordinal),
    *measures(NUMBERS),
    rule(
        "roman",
        r"(?<![\w’'.])(?P<roman>[IVX]+)(?P<ending>(?<=I)(?:er|re|ère)|(?:i?[èe]me|e))(?!\w)",
        _century,
    ),
    reigns(_KINGS, _QUEENS, _first, cardinal, up_to=1),
    numbered(r"(?i:chapitre|tome|acte|partie|volume|article|titre|livre|annexe|phase|type|groupe)", cardinal),
    numbered(r"[A-ZÀ-Ý][a-zà-ÿ]+", cardinal, fewest=2),
    *plain(NUMBERS, _agree),
    *signs(TONGUE),
    *initials(TONGUE),
)
LANGUAGE = Speaker(
    "fr", Rules(_RULES), needed=needed(TONGUE, r"\bMe [A-ZÀ-Ý]|\b[IVX]+(?:er|re|e|ème)\b"), before=plainly
)
