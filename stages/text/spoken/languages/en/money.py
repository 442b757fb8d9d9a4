"""Sums of money."""

import re
from dataclasses import dataclass

from stages.text.spoken.languages.en.numbers import INTEGER, MINUS, NUMBER, START, cardinal, scaled, spoken, value
from stages.text.spoken.languages.en.sentences import is_adjective
from stages.text.spoken.languages.en.spelling import apart
from stages.text.spoken.rules import gated, rule


@dataclass(frozen=True, slots=True)
class _Currency:
    one: str
    more: str
    part: str = ""
    parts: str = ""
    """A hundredth of it; empty if nobody says such."""


def _dollar(country: str = "") -> _Currency:
    before = f"{country} " if country else ""
    return _Currency(f"{before}dollar", f"{before}dollars", "cent", "cents")


_YEN, _WON = _Currency("yen", "yen"), _Currency("won", "won")
_SIGNS = {
    **{"US$": _dollar("US"), "C$": _dollar("Canadian"), "CA$": _dollar("Canadian"), "A$": _dollar("Australian")},
    **{"AU$": _dollar("Australian"), "NZ$": _dollar("New Zealand"), "HK$": _dollar("Hong Kong")},
    **{"S$": _dollar("Singapore"), "R$": _Currency("real", "reais", "centavo", "centavos")},
    **{"$": _dollar(), "£": _Currency("pound", "pounds", "penny", "pence")},
    **{"€": _Currency("euro", "euros", "cent", "cents"), "¥": _YEN, "₩": _WON},
    **{"₹": _Currency("rupee", "rupees", "paisa", "paise"), "₽": _Currency("ruble", "rubles", "kopek", "kopeks")},
    **{"₺": _Currency("lira", "lira"), "₪": _Currency("shekel", "shekels"), "฿": _Currency("baht", "baht")},
    **{"₫": _Currency("dong", "dong"), "₴": _Currency("hryvnia", "hryvnias"), "₦": _Currency("naira", "naira")},
    **{"₱": _Currency("peso", "pesos"), "₿": _Currency("bitcoin", "bitcoins")},
}
_CODES = {
    **{"USD": _dollar("US"), "CAD": _dollar("Canadian"), "AUD": _dollar("Australian"), "NZD": _dollar("New Zealand")},
    **{"EUR": _SIGNS["€"], "GBP": _SIGNS["£"], "JPY": _YEN, "KRW": _WON, "INR": _SIGNS["₹"], "RUB": _SIGNS["₽"]},
    **{"CHF": _Currency("Swiss franc", "Swiss francs", "centime", "centimes")},
    **{"SEK": _Currency("Swedish krona", "Swedish kronor"), "NOK": _Currency("Norwegian krone", "Norwegian kroner")},
    **{"DKK": _Currency("Danish krone", "Danish kroner"), "PLN": _Currency("zloty", "zloty")},
    **{"CNY": _Currency("yuan", "yuan"), "RMB": _Currency("renminbi", "renminbi")},
    **{"MXN": _Currency("Mexican peso", "Mexican pesos"), "BRL": _SIGNS["R$"], "TRY": _SIGNS["₺"]},
}
_LETTERS = {
    **{"k": "thousand", "m": "million", "mn": "million", "mm": "million", "mil": "million", "b": "billion"},
    **{"bn": "billion", "bil": "billion", "tn": "trillion", "t": "trillion", "tr": "trillion"},
}
_PERIODS = {
    **{"mo": "month", "month": "month", "yr": "year", "y": "year", "year": "year", "wk": "week", "week": "week"},
    **{"day": "day", "d": "day", "hr": "hour", "h": "hour", "hour": "hour", "min": "minute", "person": "person"},
    **{
        "kg": "kilogram",
        "lb": "pound",
        "oz": "ounce",
        "km": "kilometer",
        "mi": "mile",
        "mile": "mile",
        "gal": "gallon",
    },
    **{
        "l": "liter",
        "m": "meter",
        "night": "night",
        "unit": "unit",
        "share": "share",
        "ton": "ton",
        "kwh": "kilowatt hour",
    },
    **{"month": "month", "barrel": "barrel", "bbl": "barrel", "head": "head", "user": "user", "gb": "gigabyte"},
}

_SIGN = "|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))
_CODE = "|".join(_CODES)
_SCALE = (
    r"(?:[ -]?(?P<scale{0}>hundred|thousand|million|billion|trillion)(?![a-z])|"
    r" ?(?P<letter{0}>mil|mn|mm|bn|bil|tn|tr|k|m|b|t)(?!\w|['’]\w))?"
)
_TO = r"\s?(?:[-–—]|to)\s?"
_PER = rf"(?: ?/ ?(?P<period>{'|'.join(sorted(_PERIODS, key=len, reverse=True))})\b)?"


def _amount(number: str, larger: str, currency: _Currency) -> str:
    """Returns a sum in words. `larger` is what the number is counted in, such as `million`; "" for ones."""
    whole, _, decimals = number.partition(".")
    if larger:
        return f"{scaled(number, larger)} {currency.more}"
    if decimals[2:].strip("0") or (decimals.strip("0") and not currency.part):
        return f"{spoken(number)} {currency.more}"
    units = value(whole) if whole else 0
    hundredths = int(decimals[:2].ljust(2, "0")) if decimals else 0
    said = [f"{cardinal(units)} {currency.one if units == 1 else currency.more}"] if units or not hundredths else []
    if hundredths:
        said.append(f"{cardinal(hundredths)} {currency.part if hundredths == 1 else currency.parts}")
    return " ".join(said)


def _sum(match: re.Match[str]) -> str:
    found = match.groupdict()
    currency = _known(found.get("sign") or found["code"])
    number, larger = found["number"], _larger(found["scale"], found["letter"])
    if upper := found.get("upper"):
        said = _amount(upper, of_upper := _larger(found["scale_"], found["letter_"]), currency)
        if found["again"] or larger or "." in number:
            said = f"{_amount(number, larger or of_upper, currency)} to {said}"
        else:
            said = f"{spoken(number)} to {said}"
    else:
        said = _amount(number, larger, currency)
        if not found["period"] and is_adjective(match):
            said = said.removesuffix(currency.more) + currency.one if said.endswith(currency.more) else said
    period = f" per {_PERIODS[found['period'].lower()]}" if found["period"] else ""
    return f"{'minus ' if found['minus'] else ''}{said}{period}"


def _larger(scale: str | None, letter: str | None) -> str:
    return scale.lower() if scale else _LETTERS[letter.lower()] if letter else ""


def _known(written: str) -> _Currency:
    return _SIGNS.get(written) or _SIGNS.get(written.upper()) or _CODES[written.upper()]


def _cents(match: re.Match[str]) -> str:
    number = match["number"]
    return f"{spoken(number)} {'cent' if number == '1' else 'cents'}"


def _alone(match: re.Match[str]) -> str:
    return apart(match, _SIGNS[match[0]].one)


_SUM = rf"(?P<number>{NUMBER}){_SCALE.format('')}(?!\d)"
_UPPER = rf"(?:{_TO}(?P<again>{_SIGN})?(?P<upper>{NUMBER}){_SCALE.format('_')}(?!\d))?"

_WRITTEN = rf"[{''.join(sign for sign in _SIGNS if len(sign) == 1)}¢]|[A-Z]{{3}}(?<={_CODE})"
RULES = gated(
    _WRITTEN,
    rule("money", rf"(?<![\w$])(?P<minus>{MINUS})?(?P<sign>{_SIGN}) ?{_SUM}{_UPPER}{_PER}", _sum, ignore_case=True),
    rule("money", rf"(?<!\w)(?P<minus>{MINUS})?(?P<code>{_CODE}) ?{_SUM}{_UPPER.replace(_SIGN, _CODE)}{_PER}", _sum),
    rule(
        "money",
        rf"{START}(?P<minus>{MINUS})?(?P<number>{NUMBER}){_SCALE.format('')}"
        rf"(?:(?P<again>){_TO}(?P<upper>{NUMBER}){_SCALE.format('_')})?"
        rf" ?(?P<sign>(?:{_SIGN})(?![\d.])|(?:{_CODE})\b){_PER}",
        _sum,
    ),
    rule("money", rf"{START}(?P<number>{INTEGER}(?:\.\d+)?) ?¢", _cents),
)
SIGNS = (rule("symbol", "[$£€¥₩₹₽₺₪฿₫₴₦₱₿]", _alone),)
