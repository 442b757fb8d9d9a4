"""Finds numbers as the continent writes them (1.000.000,50 and 1 000 000,50), and says them."""

import re
from collections.abc import Iterable

from stages.text.spoken.european.tongue import Money, Noun, Quantity, Tongue

MOST_DIGITS = 24
"""Longer numbers are read digit by digit: nobody counts so far."""

_SPACE = "[ \u00a0\u2009\u202f]"
WHOLE = (
    rf"(?:[1-9]\d{{0,2}}(?:{_SPACE}\d{{3}})+(?!\d)|[1-9]\d{{0,2}}(?:\.\d{{3}})+(?!\d)|[1-9]\d{{0,2}}(?:['’]\d{{3}})+(?!\d)"
    r"|\d{1,3}(?:,\d{3}){2,}(?!\d)|[1-9]\d{0,2},\d{3}(?=\.\d\d?(?![\d.]))|\d+)"
)
"""A whole number, grouped or not; a single comma is no sign of groups."""
NUMBER = rf"{WHOLE}(?:,\d+|\.\d\d?(?!\d)|\.\d{{4,}}|(?<=(?<!\d)0)\.\d+|(?<=\d{{4}})\.\d+)?"
UNDER = r"(?:\d{1,3}(?:\.\d{3})+(?!\d)|\d+)"
"""A denominator."""
MINUS = r"(?:(?<![^\s(\[])[-−–])?"
LEFT = r"(?=[\d−–-])(?<![\w/])(?<!\d[.,:])(?<!\d[-−–])(?<!\w\.)"
"""What may not stand before a number: part of a word, of another number or of a name."""
RIGHT = r"(?!\w)(?![.,:/]\d)"
"""What may not stand behind one."""
DASH = r"(?:\s[-−–—]\s|[-−–—])"
"""Between the ends of a range; a minus stands close to its number, with a space before it."""
_GROUPS = re.compile(r"\D")


def alternatives(words: Iterable[str]) -> str:
    """Returns a pattern that finds any of the words, the longest first; nothing, if there are none."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"


def join(*words: str | None) -> str:
    """Returns words with spaces between them, without those that are empty."""
    return " ".join(filter(None, words))


def rises(first: Quantity, last: Quantity) -> bool:
    """Returns whether two numbers with a dash between them are a range: also years before Christ, which fall."""
    if min(first.whole, last.whole) > 31 and not (first.fraction or last.fraction):
        return first.whole != last.whole
    return (first.whole, float(f"0.{first.fraction}0")) < (last.whole, float(f"0.{last.fraction}0"))


def is_fraction(over: int, under: int) -> bool:
    """Returns whether numbers with a slash between them are a fraction, rather than issue 9 of 1995."""
    if under < 2 or 1900 <= under < 2100 or (over > 12 and over > under):
        return False
    return over == 1 or under <= 30 or (under % 10 == 0 and under <= 100) or under in (1000, 10**4, 10**5, 10**6)


class Numbers:
    """Reads and says the numbers of a language."""

    def __init__(self, tongue: Tongue) -> None:
        self.tongue = tongue
        self.scale = rf"(?:{alternatives(tongue.scales)})"
        self.quantity = rf"{MINUS}(?:(?:\d+\s)?\d+/{UNDER}|{NUMBER})(?:\s?(?i:{self.scale})(?!\w))?"
        """Pattern of a number with its sign and million."""
        self.range = rf"(?:{NUMBER}{DASH})?{self.quantity}"
        """Pattern of a number, or of two with a dash between them."""
        self._parsed = re.compile(
            rf"(?P<minus>[-−–])?(?:(?:(?P<mixed>\d+)\s)?(?P<over>\d+)/(?P<under>{UNDER})"
            rf"|(?P<whole>{WHOLE})(?:(?P<sign>[.,])(?P<fraction>\d+))?)(?:\s?(?P<scale>(?i:{self.scale})))?"
        )
        self._pair = re.compile(rf"({NUMBER}){DASH}({NUMBER}.*)")

    def parse(self, text: str) -> Quantity | None:
        """Returns the number that a match of `quantity` holds; None for one that nobody says so."""
        found = self._parsed.fullmatch(text.strip())
        if not found or any(len(run) > MOST_DIGITS for run in re.findall(r"\d+", text)):
            return None
        part = (int(found["over"]), int(_GROUPS.sub("", found["under"]))) if found["over"] else None
        digits = _GROUPS.sub("", found["whole"] or found["mixed"] or "0")
        if len(digits) > MOST_DIGITS:
            return None
        written = (found["scale"] or "").lower()
        scale = self.tongue.scales.get(written)
        form = written if scale and written in map(str.lower, scale.forms) else ""
        point, minus = found["sign"] == ".", bool(found["minus"])
        return Quantity(int(digits), found["fraction"] or "", point, part, scale, form, minus)

    def words(self, number: Quantity, gender: str = "") -> str | None:
        """Returns a number in words; the gender is that of what is counted."""
        tongue = self.tongue
        kind, colon, case = gender.partition(":")
        counted = f"{number.scale.gender or kind}{colon}{case}" if number.scale else gender
        if number.part:
            said = self._part(number)
            if said is None:
                return None
        elif number.fraction and tongue.decimal:
            said = tongue.decimal(number.whole, number.fraction, counted)
        elif number.fraction:
            sign = tongue.point if number.point else tongue.comma
            whole = tongue.cardinal(number.whole, "f" if counted == "f" and tongue.whole_agrees else "")
            said = f"{whole} {sign} {tongue.decimals(number.fraction, counted)}"
        else:
            said = tongue.cardinal(number.whole, counted)
        if number.scale:
            bare = Quantity(number.whole, number.fraction, number.point, number.part)
            form = self._formed(number.scale, bare, case)
            said = f"{said} {form if form.lower() == number.scale_form else number.scale_form or form}"
        return f"{tongue.minus} {said}" if number.minus else said

    def _part(self, number: Quantity) -> str | None:
        tongue = self.tongue
        over, under = number.part or (0, 0)
        if not is_fraction(over, under):
            return None
        if not number.whole:
            return tongue.ratio(over, under)
        if tongue.mixed:
            return tongue.mixed(number.whole, over, under)
        part = tongue.ratio(over, under)
        return None if part is None else f"{tongue.cardinal(number.whole, '')}{tongue.half}{part}"

    def _formed(self, thing: Noun, number: Quantity, case: str) -> str:
        """Returns a noun behind a number; in the genitive its singular behind one, else its plural."""
        form = self.tongue.form(number)
        whole = not (number.fraction or number.part)
        return thing[(1 if form == 0 else 2) if case and whole else form]

    def counted(self, number: Quantity, thing: Noun, case: str = "") -> str | None:
        """Returns a number and what it counts, in words."""
        if number.part and is_fraction(*number.part) and not number.whole and not number.scale and self.tongue.portion:
            said = self.tongue.portion(*number.part, thing)
            return said and (f"{self.tongue.minus} {said}" if number.minus else said)
        said = self.words(number, f"{thing.gender}:{case}" if case else thing.gender)
        if said is None:
            return None
        form = self._formed(thing, number, case)
        return self.tongue.joined(said, form) if number.is_round else f"{said} {form}"

    def said(self, text: str, thing: Noun | None = None, before: str = "") -> str | None:
        """Returns what a match of `range` says, with what is counted behind it; a text before it may rule its case."""
        case, gender = self.tongue.case(before) if self.tongue.case else "", thing.gender if thing else ""
        if pair := self._pair.fullmatch(text.strip()):
            first, last = self.parse(pair[1]), self.parse(pair[2])
            if first is None or last is None or not rises(first, last):
                return None
            start = self.words(first, f"{gender}:{case}" if case else gender)
        else:
            first, start, last = None, None, self.parse(text)
        if last is None:
            return None
        end = self.counted(last, thing, case) if thing else self.words(last)
        if end is None or (first and start is None):
            return None
        return join(start, self.tongue.to, end) if start else end

    def money(self, text: str, money: Money, before: str = "") -> str | None:
        """Returns an amount in words: with hundredths, where it has two digits behind the comma."""
        number = self.parse(text)
        cents = number.fraction.rstrip("0") if number else ""
        if number is None or not money.cent or not cents or number.scale or len(cents) > 2:
            if number and number.fraction and number.fraction != cents and not number.scale:
                text = re.sub("0+$", "", text) if cents else f"{'-' * number.minus}{number.whole}"
            return self.said(text, money.unit, before)
        small = self.counted(Quantity(int(cents.ljust(2, "0"))), money.cent)
        sign = f"{self.tongue.minus} " if number.minus else ""
        if not number.whole:
            return f"{sign}{small}"
        return f"{sign}{self.counted(Quantity(number.whole), money.unit)}{self.tongue.cents}{small}"

    def time(self, number: int, unit: str) -> str | None:
        """Returns so many of a unit of time, such as `h`, `min` and `s`."""
        return self.counted(Quantity(number), self.tongue.units[unit])

    def year(self, digits: str) -> str:
        """Returns the words of a year; of one with a zero in front each digit's."""
        return self.digits(digits) if digits[0] == "0" else self.tongue.cardinal(int(digits), "")

    def digits(self, text: str) -> str:
        """Returns digits said one by one."""
        return " ".join(self.tongue.cardinal(int(digit), "") for digit in text if digit.isdecimal())


def thousands(number: int) -> list[tuple[int, int]]:
    """Returns the groups of three digits of a number that aren't zero, each with its power of a thousand."""
    groups: list[tuple[int, int]] = []
    power = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append((group, power))
        power += 1
    return groups[::-1]
