"""Numbers in Spanish words."""

import re

from stages.text.spoken.european.tongue import listed

_SMALL = listed(
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
    " diecisiete dieciocho"
    " diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete"
    " veintiocho veintinueve"
)
_TENS = listed("- diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa")
_HUNDREDS = listed(
    "- ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
)
_GREAT = listed("- millón billón trillón cuatrillón")


def _hundreds(number: int, gender: str) -> str:
    """Returns a number under 1000; `m` is the form before a noun: un, veintiún."""
    if number == 100:
        return "cien"
    hundreds, rest = divmod(number, 100)
    words = []
    if hundreds:
        words.append(_HUNDREDS[hundreds][:-2] + "as" if gender == "f" and hundreds > 1 else _HUNDREDS[hundreds])
    if 0 < rest < 30:
        words.append(_SMALL[rest])
    elif rest:
        tens, units = divmod(rest, 10)
        words.append(f"{_TENS[tens]} y {_SMALL[units]}" if units else _TENS[tens])
    said = " ".join(words)
    if rest % 10 == 1 and rest != 11:
        if gender == "f":
            return f"{said[:-1]}a"
        if gender == "m":
            return "veintiún".join(said.rsplit("veintiuno", 1)) if rest == 21 else said[:-1]
    return said


def _thousands(number: int, gender: str) -> str:
    thousand, rest = divmod(number, 1000)
    before = {0: "", 1: "mil"}.get(thousand) if thousand < 2 else f"{_hundreds(thousand, gender or 'm')} mil"
    return f"{before} {_hundreds(rest, gender) if rest else ''}".strip()


def cardinal(number: int, gender: str) -> str:
    """Returns a number in words; its last word agrees with the gender of what is counted (`m`, `f`; empty alone)."""
    words, power = [], 0
    while number:
        number, group = divmod(number, 10**6)
        if group and power:
            great = _GREAT[power] if group == 1 else _GREAT[power].replace("ón", "ones")
            words.append(f"{_thousands(group, 'm')} {great}")
        elif group:
            words.append(_thousands(group, gender))
        power += 1
    return " ".join(reversed(words)) or "cero"


_ORDINALS = listed(
    "- primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo"
    " decimotercero decimocuarto"
    " decimoquinto decimosexto decimoséptimo decimoctavo decimonoveno"
)
_ORDINAL_TENS = listed(
    "- décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo"
)
_ORDINAL_HUNDREDS = listed(
    "- centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo septingentésimo"
    " octingentésimo noningentésimo"
)


def ordinal(number: int, ending: str) -> str:
    """Returns an ordinal that ends in `o`, `a`, or `r` (before a masculine noun: primer, tercer)."""
    thousands, rest = divmod(number, 1000)
    words = []
    if thousands:
        words.append(f"{'' if thousands == 1 else cardinal(thousands, 'm').replace(' ', '')}milésimo")
    hundreds, rest = divmod(rest, 100)
    if hundreds:
        words.append(_ORDINAL_HUNDREDS[hundreds])
    tens, units = divmod(rest, 10)
    if number == 11 and ending == "r":
        words.append("decimoprimero")
    elif 0 < rest < 20:
        words.append(_ORDINALS[rest])
    elif tens == 2 and units:
        words.append(f"vigesim{_ORDINALS[units] if units == 8 else 'o' + _ORDINALS[units]}")
    elif rest:
        words += [_ORDINAL_TENS[tens]] + ([_ORDINALS[units]] if units else [])
    said = " ".join(words)
    if ending == "a":
        return re.sub(r"o(?= |$)", "a", said)
    return re.sub(r"(primer|tercer)o$", r"\1", said) if ending == "r" else said


def decimals(digits: str, gender: str) -> str:
    """Returns the digits behind a comma in words."""
    zeros = len(digits) - len(digits.lstrip("0"))
    rest = digits[zeros:]
    if (zeros and len(rest) > 2) or len(rest) > 6:
        return " ".join([*(_SMALL[int(digit)] for digit in digits[:-1]), cardinal(int(digits[-1]), gender)])
    parts = [rest] if len(rest) <= 3 else [rest[at : at + 2] for at in range(0, len(rest), 2)]
    words = ["cero"] * zeros
    for at, part in enumerate(filter(None, parts), 1):
        agreed = "f" if gender == "f" else gender * (at == len(parts))
        words += [_SMALL[int(digit)] for digit in part] if part[0] == "0" else [cardinal(int(part), agreed)]
    return " ".join(words)


def ratio(over: int, under: int) -> str | None:
    """Returns a fraction in words."""
    over_said = cardinal(over, "m")
    small = {2: "medio", 3: "tercio"}
    if under in small:
        name = small[under]
    elif under <= 10:
        name = _ORDINALS[under]
    elif under < 100:
        words = cardinal(under, "").replace(" y ", "i").replace("é", "e").replace("ó", "o")
        name = f"{re.sub('[ao]$', '', words)}avo"
    elif under < 1000 and under % 100 == 0:
        name = _ORDINAL_HUNDREDS[under // 100]
    elif under < 10**6 and under % 1000 == 0:
        name = f"{'' if under == 1000 else cardinal(under // 1000, 'm').replace(' ', '')}milésimo"
    elif under % 10**6 == 0 and under < 10**9:
        name = f"{'' if under == 10**6 else cardinal(under // 10**6, 'm').replace(' ', '')}millonésimo"
    else:
        return f"{cardinal(over, '')} sobre {cardinal(under, '')}"
    return f"{over_said} {name}{'s' * (over > 1)}"


def mixed(whole: int, over: int, under: int) -> str:
    """Returns a whole number with a fraction in words."""
    return f"{cardinal(whole, '')} y {'medio' if (over, under) == (1, 2) else ratio(over, under) or ''}"
