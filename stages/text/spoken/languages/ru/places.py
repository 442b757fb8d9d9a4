"""Russian numbers that are a thing's place in a row: 5 класс, на 3 этаже, с 1 по 5 июня."""

import re

from stages.text.spoken.european.numbers import LEFT, alternatives
from stages.text.spoken.european.quantities import last_word
from stages.text.spoken.european.tongue import listed
from stages.text.spoken.languages.ru.numbers import ordinal
from stages.text.spoken.rules import Rule, rule

_MALE = listed(
    "этаж класс век вагон подъезд раунд тур сезон номер кабинет зал курс квартал разряд пункт абзац параграф том"
    " маршрут павильон терминал канал"
)
_FEMALE = listed("глав страниц строк квартир комнат палат школ бригад камер платформ книг групп")
_MALE_CASES = {"": "n", "а": "g", "у": "d", "ом": "i", "е": "p"}
_FEMALE_CASES = {"а": "n", "ы": "g", "и": "g", "е": "p", "у": "a", "ой": "i"}
_ONE = listed("век подъезд тур этаж класс курс")
"""Said first with 1 too: `1 том` may be one volume."""


def _place(match: re.Match[str]) -> str | None:
    """Returns an ordinal before a singular noun that its number doesn't count.

    One thing is singular as well, and so are two, three and four in the genitive: 21 том, 3 этажа.
    """
    number, male = int(match["number"]), match["male"]
    case = _MALE_CASES[match["male_end"]] if male else _FEMALE_CASES[match["female_end"]]
    tens, units = number // 10 % 10, number % 10
    if not number or (units == 1 and tens != 1 and male not in _ONE):
        return None
    if tens != 1 and 1 < units < 5 and case == "g" and not _asks(match):
        return None
    return ordinal(number, case, "m" if male else "f")


def _asks(match: re.Match[str]) -> bool:
    """Returns whether the words before ask for the genitive, in which two to four things are plural."""
    return last_word(match.string[: match.start()]) in ("до", "из", "после", "возле", "около", "от")


def _first_day(match: re.Match[str]) -> str | None:
    return ordinal(int(match["number"]), "g", "n") if 0 < int(match["number"]) < 32 else None


def days(months: str) -> Rule:
    """Returns the rule of the first of two days of a month: `с 1 по 5 июня`.

    Args:
        months: A pattern of the months' names.
    """
    pattern = rf"(?:(?<=\b[Сс] )|(?<=\b[Сс]о ))(?P<number>\d{{1,2}})(?= (?:по|до) \d{{1,2}} (?:{months})(?!\w))"
    return rule("date", pattern, _first_day)


PLACES = rule(
    "ordinal",
    rf"{LEFT}(?P<number>\d{{1,3}})(?= (?:(?P<male>{alternatives(_MALE)})(?P<male_end>{alternatives(_MALE_CASES)})"
    rf"|(?:{alternatives(_FEMALE)})(?P<female_end>{alternatives(_FEMALE_CASES)}))(?!\w))",
    _place,
)
