"""Numbers in Russian words."""

from functools import lru_cache

from num2words import num2words

from stages.text.spoken.european.quantities import last_word
from stages.text.spoken.european.tongue import Quantity, listed

OF_GENITIVE = frozenset(
    listed("от до из с со у около после без свыше более менее больше меньше для против кроме ввиду среди")
)


def case_behind(before: str) -> str:
    """Returns `g` where the text before a number asks for the genitive, else nothing."""
    return "g" if last_word(before) in OF_GENITIVE else ""


@lru_cache(4096)
def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; a gender may be followed by a case: `f:g` is the genitive of feminines."""
    kind, _, case = gender.partition(":")
    said: str = num2words(number, lang="ru", gender=kind or "m", case=case or "n", animate=False)
    return said


@lru_cache(4096)
def ordinal(number: int, case: str = "n", gender: str = "m", *, plural: bool = False) -> str:
    """Returns an ordinal in words, in a case (`n g d a i p`) and gender, or in the plural."""
    said: str = num2words(number, lang="ru", to="ordinal", case=case, gender=gender, plural=plural, animate=False)
    return said


def form(number: Quantity) -> int:
    """Returns 0 for one, 1 for two to four and for fractions (the genitive), 2 for five and more."""
    if number.scale:
        return 2
    if number.fraction or number.part:
        return 1
    tens, units = number.whole // 10 % 10, number.whole % 10
    if tens == 1 or units == 0 or units > 4:
        return 2
    return int(units > 1)


_MOST_DECIMALS = 6


def decimal(whole: int, fraction: str, _: str) -> str:
    """Returns a decimal in words, which name the place of its last digit."""
    start = _wholes(whole)
    if len(fraction) > _MOST_DECIMALS:
        return f"{start} {' '.join(cardinal(int(digit), '') for digit in fraction)}"
    return f"{start} {_share(int(fraction), 10 ** len(fraction))}"


def _wholes(number: int) -> str:
    return f"{cardinal(number, 'f')} {'целая' if form(Quantity(number)) == 0 else 'целых'}"


def _share(over: int, under: int) -> str:
    one = form(Quantity(over)) == 0
    part = ordinal(under, gender="f") if one else ordinal(under, "g", plural=True)
    return f"{cardinal(over, 'f')} {part}"


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    return None if under > 10**6 else _share(over, under)


def mixed(whole: int, over: int, under: int) -> str:
    """Returns a whole number with a fraction in words."""
    return f"{_wholes(whole)} {_share(over, under)}"
