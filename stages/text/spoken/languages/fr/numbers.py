"""Numbers in French words."""

import re

from stages.text.spoken.european.numbers import thousands
from stages.text.spoken.european.tongue import Noun, listed

_SMALL = listed(
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    " dix-sept dix-huit dix-neuf"
)
_TENS = listed("- dix vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt")
_GREAT = listed("million milliard billion billiard trillion trilliard")


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


def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; its last word agrees with the gender of what is counted (`m`, `f`; empty alone)."""
    words = []
    for group, power in thousands(number):
        if power == 1:
            words.append("mille" if group == 1 else f"{_hundreds(group, last=False)} mille")
        elif power:
            words.append(f"{_hundreds(group, last=True)} {_GREAT[power - 2]}{'s' * (group > 1)}")
        else:
            words.append(_hundreds(group, last=True, one="une" if gender == "f" else "un"))
    return " ".join(words) or "zéro"


def ordinal(number: int, *, female: bool = False) -> str:
    """Returns an ordinal in words."""
    if number == 1:
        return "première" if female else "premier"
    words = re.sub(r"(?<=quatre-vingt|.{5}million|.{4}milliard)s$|(?<=cent)s$", "", cardinal(number, ""))
    words = re.sub("cinq$", "cinqu", re.sub("neuf$", "neuv", words))
    return re.sub("e$", "", words) + "ième"


def decimals(digits: str, _: str) -> str:
    """Returns the digits behind a comma in words."""
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    if len(rest) > 6:
        return " ".join(_SMALL[int(digit)] for digit in digits)
    parts = [rest] if len(rest) <= 3 else [rest[at : at + 2] for at in range(0, len(rest), 2)]
    words = ["zéro"] * zeros
    for part in filter(None, parts):
        words += (["zéro"] if part[0] == "0" else []) + (
            [cardinal(int(part), "")] if int(part) or len(part) == 2 else []
        )
    return " ".join(words)


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    names = {2: "demi", 3: "tiers", 4: "quart"}
    name = names.get(under) or ordinal(under)
    plural = "s" * (over > 1 and name != "tiers")
    return f"{cardinal(over, '')} {name}{plural}"


def portion(over: int, under: int, thing: Noun) -> str | None:
    """Returns a fraction of a thing in words."""
    if (over, under) == (1, 2):
        return f"{'une' if thing.gender == 'f' else 'un'} demi-{thing[0]}"
    said = ratio(over, under)
    return said and f"{said} de {thing[0]}"


def mixed(whole: int, over: int, under: int) -> str:
    """Returns a whole number with a fraction in words."""
    part = "demi" if (over, under) == (1, 2) else ratio(over, under)
    return f"{cardinal(whole, '')} et {part or ''}"
