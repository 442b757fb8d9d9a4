"""Languages without a module of their own: numbers, percent and, where num2words knows them, years."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from num2words import num2words

from stages.text.spoken.european.numbers import LEFT, Numbers
from stages.text.spoken.european.quantities import measures, plain
from stages.text.spoken.european.signs import plainly, raised
from stages.text.spoken.european.tongue import Quantity, Tongue, noun
from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.others.numerals import greek, hindi, turkish
from stages.text.spoken.rules import Rule, Rules, rule


@dataclass(frozen=True, slots=True)
class _Other:
    """The words of such a language."""

    comma: str
    minus: str
    percent: str
    """With its forms: one, several, many."""
    to: str = ""
    point: str = ""
    plus: str = "plus"
    years: str = ""
    """`library` where num2words says years; else what stands between the hundreds of a year and the rest."""
    slavic: str = ""
    """`last` where the last digit decides between the forms of percent (21 відсоток), `whole` where the number does."""
    pairs: bool = False
    """Whether two digits behind the comma are said as one number."""
    percent_first: bool = False


_OTHERS = {
    "sv": _Other("komma", "minus", "procent", "till", "punkt", years="hundra", pairs=True),
    "nl": _Other("komma", "min", "procent", "tot", "punt", years="library"),
    "pl": _Other("przecinek", "minus", "procent", "do", "kropka"),
    "uk": _Other("кома", "мінус", "відсоток/відсотки/відсотків", "до", "крапка", "плюс", slavic="last"),
    "cs": _Other("celá", "minus", "procento/procenta/procent", "až", "tečka", slavic="whole"),
    "da": _Other("komma", "minus", "procent", "til", "punktum", years="library"),
    "no": _Other("komma", "minus", "prosent", "til", "punktum", "pluss", years="library"),
    "fi": _Other("pilkku", "miinus", "prosentti/prosenttia", "–", "piste"),
    "hu": _Other("egész", "mínusz", "százalék", "–", "pont", "plusz"),
    "ro": _Other("virgulă", "minus", "la sută", "la", "punct"),
    "tr": _Other("virgül", "eksi", "yüzde", "ile", "nokta", "artı", percent_first=True),
    "el": _Other("κόμμα", "μείον", "τοις εκατό", "έως", "τελεία", "συν"),
    "hi": _Other("दशमलव", "ऋण", "प्रतिशत", "से", "पॉइंट", "धन"),
}
_OWN: dict[str, Callable[[int], str]] = {"tr": turkish, "el": greek, "hi": hindi}
_MISSPELT = {
    "sv": (("etttusen", "ettusen"),),
    "da": (("en millioner", "en million"), ("en milliarder", "en milliard"), ("en billioner", "en billion")),
    "ro": (("^(trilion|cvadrilion)", r"un \1"), ("/e", "e")),
}
"""What num2words misspells, with what it should be."""


@lru_cache(4096)
def _said(code: str, number: int, to: str = "cardinal") -> str:
    if code in _OWN:
        return _OWN[code](number)
    words: str = num2words(number, lang=code, to=to)
    for wrong, right in _MISSPELT.get(code, ()):
        words = re.sub(wrong, right, words)
    return words


def _form(other: _Other, number: Quantity) -> int:
    if not other.slavic:
        return int(not number.is_one)
    if number.fraction:
        return 1
    tens, units = number.whole // 10 % 10, number.whole % 10
    count = number.whole if other.slavic == "whole" else 0 if tens == 1 else units
    return {1: 0, 2: 1, 3: 1, 4: 1}.get(count, 2)


def _decimals(code: str, other: _Other, digits: str, _: str) -> str:
    if code == "hu" and len(digits) <= 3:
        # Hungarians name the place of the last digit: öt század.
        return str(num2words(f"0.{digits}", lang=code)).removeprefix("nulla egész ") if int(digits) else "nulla"
    if other.pairs and len(digits) == 2 and digits[0] != "0":
        return _said(code, int(digits))
    return " ".join(_said(code, int(digit)) for digit in digits)


def _czech(whole: int, fraction: str, _: str) -> str:
    sign = {0: "celá", 1: "celá", 2: "celé", 3: "celé", 4: "celé"}.get(whole, "celých")
    start = "dvě" if whole == 2 else _said("cs", whole)
    return f"{start} {sign} {' '.join(_said('cs', int(digit)) for digit in fraction)}"


_NOT_A_YEAR = r"(?![\w/%°$€£]|[.,:]\d|\s?[-–%°$€£]|\s\d{3}(?!\d))"
_INDIAN = re.compile(r"(?<![\d,])\d{1,3}(?:,\d\d)*,\d{3}(?![\d,])")


def _indian(text: str) -> str:
    """Returns a text with numbers as 1,00,000.5 without their commas, and with a comma for the decimal point."""
    text = _INDIAN.sub(lambda match: match[0].replace(",", ""), plainly(text))
    return re.sub(r"(?<![\d.])(\d+)\.(?=\d+(?![\d.]))", r"\1,", text)


def speaker(code: str) -> Speaker | None:
    """Returns how a language without a module of its own is spoken; None for one that isn't known here either."""
    other = _OTHERS.get(code)
    if other is None:
        return None
    percent = noun(other.percent)
    tongue = Tongue(
        code,
        cardinal=lambda number, _: _said(code, number),
        form=partial(_form, other),
        decimals=partial(_decimals, code, other),
        decimal=_czech if code == "cs" else None,
        ratio=lambda *_: None,
        letters={},
        scales={},
        units={},
        currencies={},
        comma=other.comma,
        point=other.point,
        minus=other.minus,
        plus=other.plus,
        to=other.to.strip("–"),
        versus="",
        over="",
        per=lambda unit: unit[0],
        percent=percent,
        signs={},
        joined=lambda said, form: f"{said} {form}",
    )
    numbers = Numbers(tongue)

    def year(match: re.Match[str]) -> str:
        number = int(match[0])
        if other.years == "library":
            return _said(code, number, "year")
        hundreds, rest = divmod(number, 100)
        return f"{_said(code, hundreds)}{other.years}{_said(code, rest) if rest else ''}"

    def percent_first(match: re.Match[str]) -> str | None:
        said = numbers.said(match["number"] or match["behind"])
        return said and f"{percent[0]} {said}"

    rules: list[Rule] = []
    if other.percent_first:
        rules.append(
            rule(
                "measure",
                rf"(?<!\w)%\s?(?P<number>{numbers.quantity})|{LEFT}(?P<behind>{numbers.quantity})\s?%",
                percent_first,
            )
        )
    if other.years:
        rules.append(rule("year", rf"{LEFT}1[1-9]\d\d{_NOT_A_YEAR}", year))
    return Speaker(
        code,
        Rules((*rules, *measures(numbers), *plain(numbers, lambda *_: ""), *raised(tongue))),
        needed=re.compile(r"[\d%½¼¾⅐-⅞²³¹⁰⁴-⁹₀-₉]"),
        before=_indian if code == "hi" else plainly,
    )
