"""Numbers in Italian words."""

import re

from stages.text.spoken.european.numbers import thousands
from stages.text.spoken.european.tongue import Noun, listed

_SMALL = listed(
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici"
    " sedici diciassette diciotto"
    " diciannove"
)
_TENS = listed("- dieci venti trenta quaranta cinquanta sessanta settanta ottanta novanta")
_GREAT = listed("milione miliardo bilione biliardo trilione triliardo")


def _tens(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, units = divmod(number, 10)
    word = _TENS[tens][:-1] if units in (1, 8) else _TENS[tens]
    return word + ("tré" if units == 3 else _SMALL[units] if units else "")


def _hundreds(number: int) -> str:
    """Returns a number under 1000; with a space behind the hundreds, where espeak-ng sets a wrong stress else."""
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds] if hundreds > 1 else ''}cento"] if hundreds else []
    if hundreds and (rest == 8 or rest // 10 == 8):
        return words[0][:-1] + _tens(rest)
    return " ".join(words + ([_tens(rest)] if rest else []))


def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; its last word agrees with the gender of what is counted (`m`, `f`; empty alone)."""
    if number == 1:
        return {"m": "un", "f": "una"}.get(gender, "uno")
    words = []
    for group, power in thousands(number):
        if power == 1:
            words.append("mille" if group == 1 else f"{_hundreds(group).replace('tré', 'tre')}mila")
        elif power:
            great = _GREAT[power - 2]
            words.append(f"un {great}" if group == 1 else f"{_hundreds(group)} {great[:-1]}i")
        else:
            words.append(_hundreds(group))
    return " ".join(words) or "zero"


_ORDINALS = listed("- primo secondo terzo quarto quinto sesto settimo ottavo nono decimo")


def ordinal(number: int, ending: str = "o") -> str:
    """Returns an ordinal in words that ends in `o`, `a`, `i` or `e`."""
    if number <= 10:
        return _ORDINALS[number][:-1] + ending
    words = cardinal(number, "")
    if number % 1000 == 0:
        words = re.sub(r"(?:mille|mila)$", "mill", words)
    elif words.endswith("tré"):
        words = f"{words[:-1]}e"
    elif not words.endswith("sei"):
        words = words[:-1]
    return f"{re.sub('^un (?=mili)', '', words)}esim{ending}"


def decimals(digits: str, _: str) -> str:
    """Returns the digits behind a comma in words."""
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    said = [cardinal(int(rest), "")] if 0 < len(rest) <= 3 else [_SMALL[int(digit)] for digit in rest]
    return " ".join(["zero"] * zeros + said)


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    one = over == 1
    name = ("mezzo" if one else "mezzi") if under == 2 else ordinal(under, "o" if one else "i")
    return f"{cardinal(over, 'm')} {name}"


def mixed(whole: int, over: int, under: int) -> str:
    """Returns a whole number with a fraction in words."""
    return f"{cardinal(whole, '')} e {'mezzo' if (over, under) == (1, 2) else ratio(over, under) or ''}"


def portion(over: int, under: int, thing: Noun) -> str | None:
    """Returns a fraction of a thing in words."""
    if (over, under) == (1, 2):
        return f"{'mezza' if thing.gender == 'f' else 'mezzo'} {thing[0]}"
    said = ratio(over, under)
    return said and f"{said} di {thing[0]}"


def per(unit: Noun) -> str:
    """Returns a unit that another is divided by: `al secondo`."""
    if re.match("[aeiouh]", unit[0]):
        return f"all'{unit[0]}"
    return f"{'alla' if unit.gender == 'f' else 'al'} {unit[0]}"
