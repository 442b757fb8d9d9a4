"""The values of Roman numbers."""

_SIGNS = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X")),
    *((9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
_MOST = 3999


def from_roman(letters: str) -> int:
    """Returns the value of a Roman number, up to 3999; 0 where the letters aren't one."""
    rest, value = letters.upper(), 0
    for worth, sign in _SIGNS:
        while rest.startswith(sign):
            value, rest = value + worth, rest[len(sign) :]
    return value if not rest and value <= _MOST and to_roman(value) == letters.upper() else 0


def to_roman(value: int) -> str:
    """Returns a number in Roman letters."""
    made = ""
    for worth, sign in _SIGNS:
        made, value = made + sign * (value // worth), value % worth
    return made
