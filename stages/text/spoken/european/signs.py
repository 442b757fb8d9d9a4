"""Rules for addresses, abbreviations, initials, acronyms and signs."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from stages.text.spoken.european.numbers import Numbers, alternatives
from stages.text.spoken.european.quantities import ended
from stages.text.spoken.european.tongue import Tongue
from stages.text.spoken.romans import from_roman
from stages.text.spoken.rules import Rule, rule

_VULGAR = re.compile(r"(?:(\d)\s?)?([¼-¾⅐-⅞])")
_DEGREES = re.compile(r"º(?=\s?[CF]\b)")
_RAISED = re.compile("[\u02b0-\u02b8\u02e1-\u02e3\u1d43-\u1d61]")
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


def plainly(text: str) -> str:
    """Returns a text with ½ as 1/2, and raised letters (1ᵉʳ) on the line, ºC as °C, and single spaces."""
    if not text.isascii():
        text = _RAISED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
        text = _DEGREES.sub("°", _VULGAR.sub(_vulgar, text))
    return " ".join(text.split())


def _vulgar(match: re.Match[str]) -> str:
    over, under = unicodedata.normalize("NFKC", match[2]).split("\u2044")
    return f"{match[1]} {over}/{under}" if match[1] else f"{over}/{under}"


def links(numbers: Numbers) -> tuple[Rule, ...]:
    """Returns the rules for addresses of pages and of mail."""
    tongue = numbers.tongue

    def say(match: re.Match[str]) -> str:
        text = re.sub(r"^https?://", "", match[0], flags=re.IGNORECASE).rstrip("/")
        parts = re.findall(r"\d+|[^\W\d_]+|.", text)
        return " ".join(filter(None, (part_said(part, number == len(parts) - 1) for number, part in enumerate(parts))))

    def part_said(part: str, last: bool) -> str:
        if part.isdecimal():
            return numbers.digits(part) if len(part) > 4 or part[0] == "0" else tongue.cardinal(int(part), "")
        if part in tongue.web:
            return tongue.web[part]
        if not part.isalpha():
            return ""
        spelt = part.lower() == "www" or (last and len(part) == 2) or not _VOWELS.search(part.lower())
        return spelling(tongue, part) if spelt else part

    local = r"[\w.+-]*\w"
    host = r"(?:[^\W_][\w-]*\.)+[^\W\d_]{2,}"
    page = rf"(?:https?://|www\.){host}(?::\d+)?(?:[/?#][\w./?=&%#~+-]*[\w/])?"
    bare = r"(?:[^\W_][\w-]*\.)+(?:com|org|net|de|fr|es|it|pt|br|ru|eu|info|io|рф)(?:/[\w./-]*\w)?"
    return (
        rule("link", rf"(?<![\w@]){local}@{host}(?!\w)", say),
        rule("link", rf"(?<!\w){page}", say, ignore_case=True),
        rule("link", rf"(?<![\w@.]){bare}(?![\w@]|\.\w)", say),
    )


_VOWELS = re.compile("[aeiouyäöüáéíóúàèìòùâêîôûãõëïœаеёиоуыэюя]")


def spelling(tongue: Tongue, letters: str) -> str:
    """Returns letters by their names."""
    return " ".join(tongue.letters.get(letter, letter) for letter in letters.lower() if letter.isalpha())


def zone_said(numbers: Numbers) -> Callable[[str], str]:
    """Returns a function that says a time zone, such as `GMT-3`."""
    tongue = numbers.tongue

    def say(written: str) -> str:
        letters, sign, offset = re.match(r"(\w+?)\s?([+-])?([\d:]*)$", written).groups()  # type: ignore[union-attr]
        parts = [spelling(tongue, letters)]
        if sign:
            parts += [tongue.minus if sign == "-" else tongue.plus]
            parts += [tongue.cardinal(int(part), "") for part in offset.split(":")]
        return " ".join(parts)

    return say


def abbreviations(tongue: Tongue, numbered: Mapping[str, str], final: frozenset[str] = frozenset()) -> tuple[Rule, ...]:
    """Returns the rules for abbreviations.

    Args:
        tongue: Gives them. Those of one letter or two are case-sensitive.
        numbered: Those that are such only before a number, such as `Nr.`.
        final: Those after which a sentence ends where a capital follows, such as `usw.`.
    """
    short = {_key(word): said for word, said in tongue.abbreviations.items() if _is_short(word)}
    long = {_key(word).lower(): said for word, said in tongue.abbreviations.items() if not _is_short(word)}

    def say(match: re.Match[str]) -> str | None:
        key = _key(match[0])
        said = short.get(key) or long.get(key.lower())
        if said is None:
            return None
        behind = match.string[match.end() :]
        if behind.startswith("."):
            return f"{said}."  # the first of three
        if (
            match[0].lower() in final
            and re.match(r"\s+[“«„¿¡(]?[^\W\d_]", behind)
            and behind.lstrip(" “«„¿¡(")[:1].isupper()
        ):
            return f"{said}."
        return ended(match, said)

    def before_number(match: re.Match[str]) -> str:
        return f"{numbers_said[_key(match[1]).lower()]} "

    numbers_said = {_key(word).lower(): said for word, said in numbered.items()}
    made = []
    if long:
        words = [word for word in tongue.abbreviations if not _is_short(word)]
        made.append(rule("abbreviation", rf"(?<![\w.])(?i:{_spaced(words)})(?!\w)", say))
    if short:
        words = [word for word in tongue.abbreviations if _is_short(word)]
        made.append(rule("abbreviation", rf"(?<![\w.])(?:{_spaced(words)})(?!\w)", say))
    if numbered:
        made.append(rule("abbreviation", rf"(?<![\w.])((?i:{_spaced(numbered)}))\s?(?=\d|[IVXLC]+\b)", before_number))
    return tuple(made)


def _is_short(word: str) -> bool:
    return len(word.rstrip(".")) < 2 or (word[:1].isupper() and len(word) < 3)


def _key(word: str) -> str:
    return re.sub(r"\s", "", word)


def _spaced(words: Iterable[str]) -> str:
    return alternatives(words).replace(r"\ ", r"\s?")


def don(written: str, said: str) -> tuple[Rule, ...]:
    """Returns the rule for a title of one letter before a name; elsewhere it is an initial."""

    def say(match: re.Match[str]) -> str | None:
        *_, before = match.string[: match.start()].split() or [""]
        return None if before[:1].isupper() and before[-1].isalpha() else said

    return (rule("abbreviation", rf"(?<![\w.]){re.escape(written)}(?=\s?[^\W\d_a-zà-ÿ][^\W\d_]+)", say),)


def initials(tongue: Tongue) -> tuple[Rule, ...]:
    """Returns the rules for initials and acronyms, with points and without."""
    capital = "[A-ZÀ-ÖØ-ÞА-ЯЁ]"

    def spelt(match: re.Match[str]) -> str:
        return ended(match, spelling(tongue, match[0]))

    def name(match: re.Match[str]) -> str | None:
        *_, before = match.string[: match.start()].split() or [""]
        if len(match[0].rstrip()) < 3 and before and before[-1].isalpha() and not before[0].isupper():
            return None  # a sentence ends there: `plan B. Luego`
        return f"{spelling(tongue, match[0])} "

    def acronym(match: re.Match[str]) -> str | None:
        word = match[0]
        # C, D, L and M make acronyms more often: CD, DM.
        if not word.strip("IVX") and (number := from_roman(word)):
            return tongue.cardinal(number, "")
        if word in tongue.acronyms or not _VOWELS.search(word.lower()):
            return spelling(tongue, word)
        return None

    return (
        rule("initials", rf"(?<![\w.])(?:{capital}\.[ -]?)+(?={capital}\w+)", name),
        rule("acronym", rf"(?<![\w.])(?:{capital}\.){{2,}}", spelt),
        rule("acronym", rf"(?<![\w.]){capital}{{2,6}}(?!\w)", acronym),
    )


def raised(tongue: Tongue) -> tuple[Rule, ...]:
    """Returns the rule for small digits above or below the line, said one by one."""

    def say(match: re.Match[str]) -> str:
        said = " ".join(tongue.cardinal(int(digit), "") for digit in match[0].translate(_POWERS))
        return f" {said} "

    return (rule("symbol", "[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉]+", say),)


def signs(tongue: Tongue) -> tuple[Rule, ...]:
    """Returns the rules for signs, each where it is meant as a word."""

    def say(match: re.Match[str]) -> str:
        before, behind = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        words = tongue.signs[match[0]]
        return f"{' ' * (before not in ('', ' ', '('))}{words}{' ' * bool(behind and behind not in ' .,;:!?)')}"

    def those(places: str) -> str:
        return f"(?:{alternatives(sign for sign in tongue.signs if sign in places)})"

    said = "[\ue000-\uf8ff]"
    between = those(_BETWEEN)
    return (
        *raised(tongue),
        rule(
            "symbol",
            f"(?:{alternatives(sign for sign in tongue.signs if sign not in _BETWEEN + _BEFORE)})",
            say,
        ),
        rule(
            "symbol",
            rf"(?<=\S\s){between}(?=\s\S)|(?<={said}){between}(?={said})|(?<=[\w\ue000-\uf8ff])&(?=[\w\ue000-\uf8ff])",
            say,
        ),
        rule("symbol", rf"(?<![^\s(]){those(_BEFORE)}(?=\w|{said})|(?<![^\s(])\+(?={said})", say),
    )


def needed(tongue: Tongue, more: str = "", titles: Iterable[str] = ()) -> re.Pattern[str]:
    """Returns the pattern that finds what a language's rules could change; quick where a text has nothing of the kind.

    Args:
        tongue: Gives its signs and abbreviations.
        more: Pattern of what else the rules of the language find.
        titles: Abbreviations besides those of the language, without their point.
    """
    signs_of = {sign for sign in (*tongue.signs, *tongue.currencies) if len(sign) == 1 and not sign.isalnum()}
    within = re.escape("".join(sorted(signs_of))) + "⁰¹²³⁴-⁹₀-₉½¼¾⅐-⅞ʰ-ʸˡ-ˣᵃ-ᵡ"
    ends: dict[int, list[str]] = {}
    for word in {*(_key(key)[:-1] for key in tongue.abbreviations if key.endswith(".")), *titles}:
        ends.setdefault(len(word), []).append(word)
    # A look behind needs words of one length.
    pointed = "".join(rf"|(?<=(?i:\b(?:{alternatives(words)})\.))" for words in ends.values())
    whole = alternatives(key for key in tongue.abbreviations if not key.endswith("."))
    return re.compile(
        rf"[\d{within}]|\.(?:\s?\w{pointed})|[A-ZÀ-ÖØ-ÞА-ЯЁ](?:[A-ZÀ-ÖØ-ÞА-ЯЁ.]|(?<= [IVX])(?![\w’']))"
        rf"|/[hsчс]\b|\b(?:{whole})(?!\w){f'|{more}' if more else ''}"
    )


_BETWEEN = "+=<>*÷×~−&$£"
"""Signs that are words where spaces or numbers stand on both sides."""
_BEFORE = "#@"
"""Signs that are words before a word."""
