"""Rules for amounts of money, measures, ranges, fractions, decimals, whole numbers and strings of digits."""

import re
from collections.abc import Callable

from stages.text.spoken.european.numbers import (
    DASH,
    LEFT,
    MINUS,
    MOST_DIGITS,
    NUMBER,
    RIGHT,
    UNDER,
    WHOLE,
    Numbers,
    alternatives,
    join,
    rises,
)
from stages.text.spoken.european.tongue import Noun, Quantity, listed
from stages.text.spoken.rules import Rule, rule

Agree = Callable[[Quantity, str, str], str]
"""A number, the text before it and the text behind it to the gender of what it counts; empty where nothing follows."""

_LOOSE = frozenset(
    listed(
        "kwh mwh gwh wh mph kmh km/h hz khz mhz ghz db kw mw kv mv gb mb kb tb kg km cm mm ml cl mg ft km² m² kcal ghz"
    )
)
"""Units that are also taken in other letters than they should be in."""
_LIKE_WORDS = frozenset(listed("BOB COP PEN ARS CUP DOP MAD TRY PHP ALL TOP RON"))
"""Codes of currencies that are only such in capitals."""
_WORD = re.compile(r"\s?([^\W\d_][\w’'-]*)")


def next_word(text: str) -> str:
    """Returns the word with which a text begins, behind a space; empty where none does."""
    found = _WORD.match(text)
    return found[1] if found and text[:1] == " " else ""


def last_word(text: str) -> str:
    """Returns the last word of a text, in small letters."""
    words = text.rstrip().rsplit(None, 1)
    return words[-1].lower() if words else ""


def ended(match: re.Match[str], words: str, *, capitals: bool = False) -> str:
    """Returns words, with the point that ends both an abbreviation and the text, or the sentence.

    Args:
        match: What is said, with its point.
        words: How it is said.
        capitals: Whether a capital behind it begins a sentence.
    """
    behind = match.string[match.end() :]
    ends = not behind.strip(" \"'”’»") or (capitals and next_word(behind)[:1].isupper())
    return f"{words}." if ends and match[0].endswith(".") else words


def money(numbers: Numbers) -> tuple[Rule, ...]:
    """Returns the rules for amounts with a sign or code before or behind them."""
    known = numbers.tongue.currencies
    lower = {sign.lower(): amount for sign, amount in known.items() if len(sign) > 1 and sign not in _LIKE_WORDS}
    signs = rf"(?i:{alternatives(known)})"

    def say(match: re.Match[str]) -> str | None:
        sign = match["sign"]
        found = known.get(sign) or lower.get(sign.lower())
        number = match["number"]
        if first := "minus" in match.groupdict():
            # Amounts have two digits behind the comma: $1,000 is written the English way.
            number = re.sub(r"^([1-9]\d{0,2}),(\d{3})$", r"\1\2", number)
        said = numbers.money(number, found, match.string[: match.start()]) if found else None
        if said is None:
            return None
        if per := match["per"]:
            said = f"{said} {numbers.tongue.per(numbers.tongue.units.get(per) or Noun((per,)))}"
        said = f"{numbers.tongue.minus} {said}" if first and match["minus"] else said
        return ended(match, said, capitals=numbers.tongue.capitals)

    units = alternatives(numbers.tongue.units)
    per = rf"(?:/(?P<per>(?:{units})(?![\w²³])|[^\W\d_]{{3,}}(?!\w|\.[^\s]|\.\s[^\W\dA-ZА-Я])))?"
    before = rf"(?P<minus>{MINUS})(?<!\w)(?P<sign>{signs})\s?(?P<number>{numbers.range}){RIGHT}{per}"
    behind = rf"{LEFT}(?P<number>{numbers.range})(?:,[-–—]{{1,2}})?\s?(?P<sign>{signs})(?!\w){per}"
    return tuple(rule("money", pattern, say) for pattern in (behind, before))


def measures(numbers: Numbers) -> tuple[Rule, ...]:
    """Returns the rules for numbers with a unit, and for units that can't be words."""
    tongue = numbers.tongue
    degrees = {
        spelt: tongue.units[unit]
        for unit in ("°C", "°F")
        if unit in tongue.units
        for spelt in (unit.lower(), f"° {unit[1]}", f"° {unit[1]}".lower())
    }
    units: dict[str, Noun] = {**tongue.units, **degrees, "%": tongue.percent}
    loose = {unit.lower(): unit for unit in reversed(units) if unit.lower() in _LOOSE}
    one = rf"(?:{alternatives([*units, *loose, *(word.upper() for word in loose)])})"

    def found(symbol: str) -> Noun | None:
        return units.get(symbol) or units.get(loose.get(symbol.lower(), ""))

    def thing(written: str) -> Noun | None:
        first, *rest = written.split("/")
        noun = found(written) or found(first)
        if noun is None or not rest or found(written):
            return noun
        under = found(rest[0])
        return Noun(tuple(f"{form} {tongue.per(under)}" for form in noun.forms), noun.gender) if under else None

    def say(match: re.Match[str]) -> str | None:
        noun = thing(match["unit"])
        if match["unit"] in ("A", "L") and not match[0][:-1].endswith(" "):
            return None  # a suffix or a hexadecimal number
        said = numbers.said(match["number"], noun, match.string[: match.start()]) if noun else None
        return None if said is None else ended(match, said, capitals=tongue.capitals)

    def per(match: re.Match[str]) -> str | None:
        noun, said = found(match["unit"]), numbers.said(match["number"])
        return f"{said} {tongue.per(noun)}" if noun and said else None

    def alone(match: re.Match[str]) -> str | None:
        noun = thing(match["unit"])
        return noun[0] if noun else None

    end = r"(?![\w'’²³])"
    lone = [unit for unit in units if unit[-1] in "²³"] + ["km/h", "m/s", "км/ч", "м/с"]
    return (
        rule("measure", rf"{LEFT}(?P<number>{numbers.range})\s?(?P<unit>{one}(?:/{one})?){end}", say),
        rule("measure", rf"{LEFT}(?P<number>{numbers.quantity})\s?/(?P<unit>{one}){end}", per),
        rule("measure", rf"(?<![\w/])(?P<unit>{alternatives(lone)})(?![\w²³/])", alone),
    )


def dialled(numbers: Numbers, before: str, codes: str) -> Rule:
    """Returns the rule for short numbers to dial, such as those of the police, which are said digit by digit.

    Args:
        numbers: Of the language.
        before: Pattern of the words before them, with their spaces.
        codes: The numbers, with spaces between.
    """
    pattern = rf"(?<!\w)(?P<before>(?i:{before}))(?P<code>{'|'.join(codes.split())})(?!\w|[.,:/-]\d)"
    return rule("telephone", pattern, lambda match: match["before"] + numbers.digits(match["code"]))


def plain(numbers: Numbers, agree: Agree) -> tuple[Rule, ...]:
    """Returns the rules for numbers that count words or nothing: ranges, versions, fractions, decimals, whole ones."""
    tongue = numbers.tongue

    def number(match: re.Match[str]) -> str | None:
        text = match[0]
        if re.match(r"0\d", text):
            return None
        found = numbers.parse(text)
        if found is None:
            return None
        behind = match.string[match.end() :]
        if found.part == (1, 2) and not found.whole and (half := tongue.halves.get(agree(Quantity(1), "", behind))):
            return half
        said = numbers.words(found, agree(found, match.string[: match.start()], behind))
        return said and ended(match, said)

    def pair(match: re.Match[str]) -> str | None:
        found = numbers.parse(match["last"])
        if found is None or match["first"].startswith("0") or match["last"].startswith("0"):
            return None
        behind = match.string[match.end() :]
        first, last = numbers.parse(match["first"]), found
        # Years before Christ fall: what the abbreviation says is there already.
        falls = re.match(r"\s?[\ue000-\uf8ff]", behind) and "." not in match[0]
        if first is None or not (falls or rises(first, last)):
            return None
        before = match.string[: match.start()]
        start = numbers.words(first, agree(first, before, f" {tongue.to}"))
        return join(start, tongue.to, numbers.words(last, agree(last, before, behind)))

    def score(match: re.Match[str]) -> str:
        return join(_spelt(numbers, match[1]), tongue.versus, _spelt(numbers, match[2]))

    def by(match: re.Match[str]) -> str:
        return join(_spelt(numbers, match[1]), tongue.signs.get("×", "x"), _spelt(numbers, match[2]))

    def version(match: re.Match[str]) -> str | None:
        if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", match[0]):
            return None  # grouped
        return f" {tongue.point} ".join(_spelt(numbers, run) for run in match[0].split("."))

    def marks(match: re.Match[str]) -> str | None:
        first, last = (numbers.parse(part) for part in match[0].split("/"))
        return join(numbers.words(first), tongue.over, numbers.words(last)) if first and last else None

    def named(match: re.Match[str]) -> str:
        return f"{match[1]} " + f" {tongue.point} ".join(_spelt(numbers, run) for run in match[2].split("."))

    def apart(match: re.Match[str]) -> str:
        return " ".join(_spelt(numbers, part) for part in match[0].split("/"))

    def flat(match: re.Match[str]) -> str | None:
        found = numbers.parse(match[0].rstrip(",-–—"))
        return numbers.words(found) if found else None

    def run(match: re.Match[str]) -> str:
        words = _spelt(numbers, match[0])
        before, behind = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        return f"{' ' * before.isalnum()}{words}{' ' * behind.isalpha()}"

    def telephone(match: re.Match[str]) -> str:
        return (f"{tongue.plus} " if match[0][0] == "+" else "") + numbers.digits(match[0])

    return (
        rule(
            "telephone",
            r"(?<![\w+])(?<!\d[ .,])(?:\+\d{1,3}[\s/()-]{0,2}|\(?0(?!0[\s/)-])\d{1,4}\)?[\s/-]{1,2})(?:\d[\s/()"
            r"-]?){5,12}\d(?!\w)",
            telephone,
        ),
        rule("telephone", _DIALLED, telephone),
        rule("serial", r"(?<![\w.])([vV])\s?(\d{1,5}(?:\.\d{1,5})+)(?!\w)", named),
        rule("symbol", r"(?<=\d)\s[-−–]\s(?=\d+\s?=)", lambda _: f" {tongue.minus} "),
        rule("range", "(?<=[\ue000-\uf8ff])[-–](?=[\ue000-\uf8ff])", lambda _: f" {tongue.to} "),
        rule("fraction", rf"{LEFT}\d{{1,3}}[.,]\d\d?/\d{{1,3}}(?![\w/]|[.,]\d)", marks),
        rule("serial", rf"{LEFT}\d{{1,5}}(?:\.\d{{1,5}}){{2,}}(?!\w)", version),
        rule(
            "range",
            rf"{LEFT}(?P<first>{NUMBER}){DASH}(?P<last>{NUMBER}(?:\s?(?i:{numbers.scale})(?!\w))?)"
            rf"{RIGHT}(?![-−–—]\d)",
            pair,
        ),
        rule("score", rf"{LEFT}(\d{{1,3}})(?: : |:)(\d{{1,3}})(?![\w:])", score),
        rule("score", rf"{LEFT}([1-9]\d{{0,3}})\s?[x×х]\s?(\d{{1,4}})(?![\w:])", by),
        rule("money", rf"{LEFT}{WHOLE}(?=(,[-–—]{{1,2}})(?![\w-]))\1", flat),
        rule("fraction", rf"(?<!\[){LEFT}{MINUS}(?:\d+\s)?\d+/{UNDER}(?![\w/])(?!\s?[²³])", number),
        rule("serial", rf"{LEFT}\d+(?:/\d+)+(?![\w/])", apart),
        rule("decimal", rf"{LEFT}{MINUS}{numbers.quantity}(?:(?<=[^\d])|(?<=,\d)){RIGHT}", number),
        rule("cardinal", rf"{LEFT}{numbers.quantity}{RIGHT}", number),
        rule("serial", r"\d+", run),
    )


_DIALLED = "|".join(
    (
        r"(?<![\w.,+-])(?:\d{1,2}\s)?\(\d{2,5}\)\s?\d{2,5}(?:[\s-]\d{2,4}){1,3}(?![\w-])",
        r"(?<![\w.,+-])(?:\d[\s-])?\d{3}[\s-]\d{3}-\d\d-\d\d(?![\w-])",
        r"(?<![\w.,+-])(?<!\d\s)(?:\d\d \d{3}|\d{3} \d\d) \d\d \d\d(?![\w-]|[.,]\d| \d)",
        r"(?<![\w.,+-])\d{3}(?:\.\d{3}){2}-\d\d(?!\w)",
        r"(?<![\w.,+-])\d+(?:-\d+){3,}(?![\w-])",
    )
)
"""Numbers to dial and to copy: with a prefix in brackets, in groups of two, an ISBN, a Brazilian tax number."""


def _spelt(numbers: Numbers, digits: str) -> str:
    """Returns a string of digits as a number, or digit by digit where it begins with a zero or has very many."""
    if len(digits) > MOST_DIGITS or (digits[0] == "0" and len(digits) > 1):
        return numbers.digits(digits)
    return numbers.tongue.cardinal(int(digits), "")
