"""What a language gives to get its rules: its words for numbers, nouns, signs and abbreviations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def listed(words: str) -> list[str]:
    """Returns the words of a string, which is easier to read than a list of them."""
    return words.split()


@dataclass(frozen=True, slots=True)
class Noun:
    """A counted thing."""

    forms: tuple[str, ...]
    """By `Tongue.form`: `Meter` alone; one, several; Russian: one, two to four, five and more."""
    gender: str = "m"

    def __getitem__(self, form: int) -> str:
        return self.forms[min(form, len(self.forms) - 1)]


def noun(forms: str, gender: str = "m") -> Noun:
    """Returns a noun from its forms with slashes between them, such as `litre/litres`."""
    return Noun(tuple(forms.split("/")), gender)


def nouns(table: str, gender: str = "m") -> dict[str, Noun]:
    """Returns nouns by their symbols: a line each of a symbol, the forms, and a gender if it isn't `gender`.

    Words of a form are joined by underscores.
    """
    made: dict[str, Noun] = {}
    for line in table.strip().splitlines():
        symbols, forms, *rest = line.split()
        made |= dict.fromkeys(symbols.split(","), noun(forms.replace("_", " "), rest[0] if rest else gender))
    return made


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is written."""

    whole: int
    fraction: str = ""
    """Digits after the decimal sign."""
    point: bool = False
    """Whether the decimal sign is a point."""
    part: tuple[int, int] | None = None
    """Numerator and denominator of a vulgar fraction, such as the ½ of 1½."""
    scale: Noun | None = None
    """A million or the like, written as a word."""
    scale_form: str = ""
    """The form of the scale as it is written; empty where an abbreviation is."""
    minus: bool = False

    @property
    def is_one(self) -> bool:
        """Whether it is exactly one of a thing."""
        return self.whole == 1 and not (self.fraction or self.part or self.scale)

    @property
    def is_round(self) -> bool:
        """Whether its last word is a million or more, which is a noun itself in many languages."""
        if self.scale is not None:
            return bool(self.scale.gender)
        return self.whole >= 10**6 and self.whole % 10**6 == 0 and not (self.fraction or self.part)


@dataclass(frozen=True, slots=True)
class Money:
    """A currency and its hundredth."""

    unit: Noun
    cent: Noun | None = None


def below_two(number: Quantity) -> int:
    """Returns the form of a noun in languages where one thing, and one and a half, is a singular."""
    return 0 if number.is_one or (number.part and number.whole < 2) else 1


Cardinal = Callable[[int, str], str]
"""Number and gender (`m`, `f`, `n` before a noun, empty where it stands alone) to words."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language's words."""

    code: str
    cardinal: Cardinal
    form: Callable[[Quantity], int]
    """Which form of a noun goes with a number."""
    decimals: Callable[[str, str], str]
    """The digits after the comma, and the gender of what is counted, to words."""
    ratio: Callable[[int, int], str | None]
    """Numerator and denominator to words; None where nobody says it so."""
    letters: Mapping[str, str]
    """The names of those small letters that espeak-ng reads as words."""
    scales: Mapping[str, Noun]
    """Million and the like, by word and abbreviation, in small letters."""
    units: Mapping[str, Noun]
    """By symbol."""
    currencies: Mapping[str, Money]
    """By sign, code and abbreviation."""
    comma: str
    point: str
    minus: str
    plus: str
    to: str
    """Between the ends of a range."""
    versus: str
    """Between the two halves of a score such as 3:1."""
    over: str
    """Between a mark and the best one: `8,5/10`; between what recurs and its period: `24h/24`."""
    per: Callable[[Noun], str]
    """Such as `pro Stunde`."""
    percent: Noun
    signs: Mapping[str, str]
    """Words for signs that stand alone or between numbers."""
    joined: Callable[[str, str], str]
    """A number's words and a noun; puts `de` between where a million of something needs it."""
    decimal: Callable[[int, str, str], str] | None = None
    """What stands before and behind the comma, and the gender of what is counted, to words; where `comma` won't do."""
    case: Callable[[str], str] | None = None
    """Returns the case that the text before a number asks for, `g` or empty, where nouns have cases."""
    capitals: bool = True
    """Whether a capital behind the point of a unit begins a sentence: not where nouns have capitals."""
    whole_agrees: bool = True
    """Whether what stands before the comma has the gender of what is counted: `una coma cinco millas`."""
    cents: str = " "
    """Between the two halves of an amount of money."""
    half: str = ""
    """Between a whole number and its fraction, with spaces; empty where `mixed` is given."""
    halves: Mapping[str, str] = field(default_factory=dict)
    """What 1/2 is before a noun of a gender: `media hora`."""
    mixed: Callable[[int, int, int], str] | None = None
    """Whole number, numerator and denominator to words, where `half` doesn't do."""
    portion: Callable[[int, int, Noun], str | None] | None = None
    """Numerator, denominator and noun to words such as `medio metro`; None where a fraction goes as a number does."""
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    """What they stand for; a point at the end of an abbreviation may not be left out, a space in one may."""
    acronyms: frozenset[str] = frozenset()
    """Those read by letters although they look like words."""
    web: Mapping[str, str] = field(default_factory=dict)
    """Names of the signs of addresses."""
