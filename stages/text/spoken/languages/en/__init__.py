"""English."""

import re
import unicodedata

from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.en import dates, links, measures, money, numbers, romans, serials, signs, times, words
from stages.text.spoken.languages.en.abbreviations import (
    AFTER_NAMES,
    ANYWHERE,
    MISREAD,
    MONTHS,
    STREETS,
    TITLES,
    points,
)
from stages.text.spoken.rules import Rules, gated, having

_RULES = (
    *having("<", *signs.MARKUP),
    *links.RULES,
    *gated(
        r"\d",
        *serials.DIALLED,
        *money.RULES,
        *dates.RULES,
        *gated(r"\d[:.]\d|\d ?[apAP]\.?[mM]|\d ?[-–—] ?\d", *times.RULES),
    ),
    *gated(r" AM\b", *times.LETTERS),
    *gated(r"\d", *signs.RULES),
    *gated(r"\d ?[mbt]n\b", *numbers.SHORT_SCALES),
    *having(f"/{numbers.VULGAR}", *measures.FRACTIONS),
    *gated(r"\d", *measures.RULES),
    *gated(r"[kclmMG](?<![\w/].)(?:[gmWHLpl/]|bs)", *measures.LONE),
    *having("⁰¹²³⁴⁵⁶⁷⁸⁹", *signs.POWERS),
    *having(f"/⁄{numbers.VULGAR}", *numbers.FRACTIONS),
    *gated(
        r"\d",
        *gated(r"[-–—/]|\d\.\d+\.\d|[vV]\d", *serials.RANGES),
        *gated(r"\d(?i:st|nd|rd|th)|0s", *numbers.ORDINALS),
    ),
    *gated(
        r"[IVXLCDMWivx](?:(?<=[a-z] I)"
        r"|(?<=\b.)(?:(?<=[VX])|(?<=W)W[\dI]+|(?<=[IVXLCDM])[IVXLCDM]+|(?<=[ivx])[ivx]+)(?:th)?)\b",
        *romans.RULES,
    ),
    *words.RULES,
    *gated(
        r"\d",
        *serials.RULES,
        *numbers.CARDINALS,
        *signs.BETWEEN,
    ),
    *having("$£€¥₩₹₽₺₪฿₫₴₦₱₿", *money.SIGNS),
    *signs.AFTER,
)


_POINTED = {short for table in (TITLES, AFTER_NAMES, STREETS, ANYWHERE) for short in table} | {*MONTHS, "st", "ph"}
_NEEDED = "|".join(
    (
        # a digit or a sign
        r"[^A-Za-z \n,.;:!?'’\"“”‘()\[\]{}À-ÖØ-öø-ÿ—–…«»¡¿-]",
        # a point after a letter or an abbreviation, or in an address
        rf"\.(?:(?<=\b[A-Za-z]\.)|(?=(?:{links.ENDINGS})\b))|{points(_POINTED)}",
        # letters that are spelt, a title, the letter A, a Roman number, a lone I where it can't be the word
        r"[A-Z](?:[A-Z]+['’]?s\b|[IVXLCDM]+(?<=\b..)|(?<=\bM)(?:rs?|s)\b|(?<=\bD)[rR]\b|(?<=\bS)[tT]\b|(?<=\bP)hD\b"
        r"|(?<=[a-z] A)\b|(?<=\b[VX])\b|(?<=[a-z] I)(?:(?![\w'’-]| [a-z])| of |['’]s)"
        r"|(?<=War I|ter I|art I|ype I|ase I|ing I|ope I|can I)\b)",
        rf"\b(?=[A-Z]{{2}})(?:{MISREAD}|AM|WWI+|[IVXLCDM]{{2,}})\b",
        # in small letters
        r"\b(?=[ivxkcmlsew])(?:[ivx]{2,}|[kcm]m|[km]g|ml|lbs|vs|etc|ie|eg|st|www)\b",
    )
)

_BEGINS = r"[^abdfghjnopqrtuyz ,;:!?'\"’“”‘()\[\]{}—–-]"
"""How what needs reading begins: most letters of a text don't, and are passed quickly."""

_COMPATIBLE = re.compile(r"[₀-₉Ⅰ-ⅿ\u3380-\u33dfﬀ-ﬆ]+")
"""Letters and signs that stand for others: small figures, Roman numbers, units."""


def _plain(text: str) -> str:
    return _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


LANGUAGE = Speaker("en", Rules(_RULES), needed=re.compile(rf"{_BEGINS}(?<=(?={_NEEDED}).)"), before=_plain)
