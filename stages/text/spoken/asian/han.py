"""Words of numbers in Chinese letters: Japanese ones, and Chinese ones."""

DIGITS = "零一二三四五六七八九"
_GROUPS = ((10**16, "京"), (10**12, "兆"), (10**8, "億"), (10**4, "万"), (1, ""))
_UNITS = ((1000, "千"), (100, "百"), (10, "十"), (1, ""))
LONGEST_KANJI = 20
"""Most digits of a number that `kanji_number` words."""
LONGEST_HANZI = 16
"""Most digits of a number that `hanzi_number` words."""


def one_by_one(digits: str) -> str:
    """Returns ASCII digits said one by one, other characters as they are."""
    return digits.translate(_ONE_BY_ONE)


_ONE_BY_ONE = {ord("0") + value: digit for value, digit in enumerate(DIGITS)}


def kanji_number(value: int) -> str:
    """Returns a whole number as Japanese says it: 11000 is 一万千, 10000000 is 一千万, 11000000 is 千百万.

    Args:
        value: From 0 to below 10²⁰.
    """
    if not value:
        return "零"
    words = ""
    for power, myriad in _GROUPS:
        group = value // power % 10**4
        for unit_power, unit in _UNITS if group else ():
            digit = group // unit_power % 10
            if digit == 1 and unit:
                words += f"一{unit}" if unit == "千" and myriad and group < 1100 else unit
            elif digit:
                words += DIGITS[digit] + unit
        words += myriad if group else ""
    return words


def hanzi_number(value: int) -> str:
    """Returns a whole number as Chinese says it: 10010 is 一万零一十, 2000 is 两千.

    Args:
        value: From 0 to below 10¹⁶.
    """
    if not value:
        return "零"
    if value >= 10**8:
        high, low = divmod(value, 10**8)
        return ("两" if high == 2 else hanzi_number(high)) + "亿" + _rest(low, 10**7)
    if value >= 10**4:
        high, low = divmod(value, 10**4)
        return ("两" if high == 2 else _hanzi_group(high)) + "万" + _rest(low, 10**3)
    return _hanzi_group(value)


def _rest(value: int, full: int) -> str:
    """Returns what follows 亿 or 万; `full` is the least value that has a digit in each place."""
    if not value:
        return ""
    words = hanzi_number(value)
    if value >= full:
        return words.replace("两", "二", 1) if words.startswith("两") else words
    if value < 10**4 and words.startswith("十"):
        words = f"一{words}"
    return f"零{words}"


def _hanzi_group(value: int) -> str:
    """Returns a number from 1 to 9999."""
    if 10 <= value < 20:
        return "十" + (DIGITS[value % 10] if value % 10 else "")
    words, gap = "", False
    for power, unit in _UNITS:
        digit = value // power % 10
        if not digit:
            gap = bool(words)
            continue
        words += ("零" if gap else "") + ("两" if digit == 2 and unit == "千" else DIGITS[digit]) + unit
        gap = False
    return words
