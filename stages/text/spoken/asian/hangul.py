"""Korean words of numbers, Sino-Korean and native, and the particles after them."""

DIGITS = "영일이삼사오육칠팔구"
LONGEST = 20
"""Most digits of a number that `sino` words."""
_GROUPS = ((10**16, "경"), (10**12, "조"), (10**8, "억"), (10**4, "만"), (1, ""))
_UNITS = ((1000, "천"), (100, "백"), (10, "십"), (1, ""))
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_PARTICLES = (("이", "가"), ("은", "는"), ("을", "를"), ("과", "와"), ("으로", "로"))
"""Particles after a closed syllable, and after an open one."""
_L = 8
"""The final ㄹ, after which 로 stands as after an open syllable."""


def one_by_one(digits: str, zero: str = "영") -> str:
    """Returns ASCII digits said one by one."""
    return "".join(zero if digit == "0" else DIGITS[int(digit)] for digit in digits)


def sino(value: int) -> str:
    """Returns a whole number in Sino-Korean words: 10000 is 만, 110000 is 십일만.

    Args:
        value: From 0 to below 10²⁰.
    """
    words = ""
    for power, myriad in _GROUPS:
        group = value // power % 10**4
        if group and not (group == 1 and myriad == "만" and not words):
            for unit_power, unit in _UNITS:
                digit = group // unit_power % 10
                words += (("" if digit == 1 and unit else DIGITS[digit]) + unit) if digit else ""
        words += myriad if group else ""
    return words or DIGITS[0]


def native(value: int) -> str:
    """Returns a number from 1 to 99 in native words, as they stand before a counter: 3 is 세, 20 is 스무."""
    return "스무" if value == 20 else _TENS[value // 10] + _ONES[value % 10]


def agreeing(particle: str, word: str) -> str:
    """Returns the form that a particle takes after a word in Hangul: 이 after 삼, 가 after 구."""
    closed = (ord(word[-1]) - ord("가")) % 28
    after_closed, after_open = next(pair for pair in _PARTICLES if particle in pair)
    return after_closed if closed and not (after_closed == "으로" and closed == _L) else after_open
