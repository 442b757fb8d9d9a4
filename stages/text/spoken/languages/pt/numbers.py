"""Numbers in Portuguese words."""

import re

from stages.text.spoken.european.numbers import thousands
from stages.text.spoken.european.tongue import Noun, listed

SMALL = listed(
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis"
    " dezessete dezoito dezenove"
)
_TENS = listed("- dez vinte trinta quarenta cinquenta sessenta setenta oitenta noventa")
_HUNDREDS = listed("- cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos")
_GREAT = listed("milhão bilhão trilhão quatrilhão quintilhão sextilhão")


def _hundreds(number: int, gender: str) -> str:
    if number == 100:
        return "cem"
    hundreds, rest = divmod(number, 100)
    female = gender == "f"
    words = [_HUNDREDS[hundreds][:-2] + "as" if female and hundreds > 1 else _HUNDREDS[hundreds]] if hundreds else []
    if rest >= 20:
        tens, rest = divmod(rest, 10)
        words.append(_TENS[tens])
    if rest:
        words.append({1: "uma", 2: "duas"}[rest] if female and rest < 3 else SMALL[rest])
    return " e ".join(words)


def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; its last word agrees with the gender of what is counted (`m`, `f`; empty alone)."""
    groups = thousands(number)
    words = ""
    for at, (group, power) in enumerate(groups):
        if power == 1:
            said = "mil" if group == 1 else f"{_hundreds(group, gender)} mil"
        elif power:
            great = _GREAT[power - 2]
            said = f"{_hundreds(group, 'm')} {great if group == 1 else great.replace('ão', 'ões')}"
        else:
            said = _hundreds(group, gender)
        # Only the last group is joined by `e`, where it has one word: under a hundred, or whole hundreds.
        last = at == len(groups) - 1 and (group < 100 or group % 100 == 0)
        words += (" e " if last else " ") * bool(words) + said
    return words or "zero"


_ORDINALS = listed("- primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono")
_ORDINAL_TENS = listed(
    "- décimo vigésimo trigésimo quadragésimo quinquagésimo sexagésimo septuagésimo octogésimo nonagésimo"
)
_ORDINAL_HUNDREDS = listed(
    "- centésimo ducentésimo trecentésimo quadringentésimo quingentésimo sexcentésimo septingentésimo"
    " octingentésimo nongentésimo"
)


def ordinal(number: int, ending: str = "o") -> str:
    """Returns an ordinal in words that ends in `o`, `a`, `os` or `as`."""
    thousand, rest = divmod(number, 1000)
    words = [] if not thousand else ["milésimo"] if thousand == 1 else [cardinal(thousand, "m"), "milésimo"]
    for names, digit in ((_ORDINAL_HUNDREDS, rest // 100), (_ORDINAL_TENS, rest // 10 % 10), (_ORDINALS, rest % 10)):
        words += [names[digit]] if digit else []
    said = " ".join(words)
    return said if ending == "o" else re.sub(r"o(?= |$)", ending, said)


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    several = "s" * (over > 1)
    if under == 2:
        name = f"meio{several}"
    elif under == 3:
        name = f"terço{several}"
    elif under <= 10 or under in (100, 1000):
        name = ordinal(under) + several
    else:
        name = f"{cardinal(under, '')} avo{several}"
    return f"{cardinal(over, 'm')} {name}"


def portion(over: int, under: int, thing: Noun) -> str | None:
    """Returns a fraction of a thing in words."""
    if (over, under) == (1, 2):
        return f"{'meia' if thing.gender == 'f' else 'meio'} {thing[0]}"
    said = ratio(over, under)
    return said and f"{said} de {thing[0]}"
