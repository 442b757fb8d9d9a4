"""English."""

import re
import unicodedata

from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.en import dates, links, measures, money, numbers, romans, serials, signs, times, words
from stages.text.spoken.languages.en.abbreviations import AFTER_NAMES, ANYWHERE, MISREAD, MONTHS, STREETS, TITLES
from stages.text.spoken.rules import gated

_RULES = (
    *gated("<", *signs.MARKUP),
    *links.RULES,
    *gated(
        r"\d",
        *gated(r"\d[-). /]+\(?\d|\+\d|all \d|ial \d|[A-Za-z] \d\d\d", *serials.DIALLED),
        *gated(r"[$£€¥₩₹₽₺₪฿₫₴₦₱₿¢]|[A-Z]{3}", *money.RULES),
        *dates.RULES,
        *gated(r"\d[:.]\d|\d ?[apAP]\.?[mM]|\d ?[-–—] ?\d", *times.RULES),
    ),
    *gated(r" AM\b", *times.LETTERS),
    *gated(
        r"\d",
        *gated(r"[<>#~≈§*×]|\d ?[-−]|\de", *signs.RULES),
    ),
    *gated(rf"[/{numbers.VULGAR}]", *measures.FRACTIONS),
    *gated(
        r"\d",
        *gated(r"\d[ -]?[A-Za-z°º%‰µμΩ℃℉'’′\"″/]|\d ?[x×]", *measures.RULES),
    ),
    *gated(r"[kcm][gm]|lbs|[kMG][WH]|m[Lpl]|m/s", *measures.LONE),
    *gated("[⁰¹²³⁴-⁹]", *signs.POWERS),
    *gated(rf"[/⁄{numbers.VULGAR}]", *numbers.FRACTIONS),
    *gated(
        r"\d",
        *gated(r"[-–—/]|\d\.\d+\.\d|[vV]\d", *serials.RANGES),
        *gated(r"\d(?i:st|nd|rd|th)|0s", *numbers.ORDINALS),
    ),
    *gated(r"\b(?:[IVXLCDM]{2,}|[VX]|WW[\dI]+|[ivx]{2,})(?:th)?\b|[a-z] I\b", *romans.RULES),
    *words.RULES,
    *gated(
        r"\d",
        *gated(r"\d[A-Za-z(-]|[A-Za-z/-]\d|[A-Z][ .]\d", *serials.RULES),
        *numbers.CARDINALS,
        *signs.BETWEEN,
    ),
    *gated("[$£€¥₩₹₽₺₪฿₫₴₦₱₿]", *money.SIGNS),
    *signs.AFTER,
)


def _points() -> str:
    """Returns a pattern of the points after abbreviations, the letters before it by their number."""
    shorts = {short for table in (TITLES, AFTER_NAMES, STREETS, ANYWHERE) for short in table}
    shorts |= {*MONTHS, "st", "ph"}
    lengths = sorted({len(short) for short in shorts})
    groups = ("|".join(re.escape(one) for one in sorted(shorts) if len(one) == length) for length in lengths)
    return "|".join(rf"(?<=\b(?i:{group})\.)" for group in groups)


_NEEDED = "|".join(
    (
        # a digit or a sign
        r"[^A-Za-z \n,.;:!?'’\"“”‘()\[\]{}À-ÖØ-öø-ÿ—–…«»¡¿-]",
        # a point after a letter or an abbreviation, or in an address
        rf"\.(?:(?<=\b[A-Za-z]\.)|{_points()}|(?=(?:{links.ENDINGS})\b))",
        # letters that are spelt, a title, the letter A, a Roman number, a lone I where it can't be the word
        r"[A-Z](?:[A-Z]+['’]?s\b|[IVXLCDM]+(?<=\b..)|(?<=\bM)(?:rs?|s)\b|(?<=\bD)[rR]\b|(?<=\bS)[tT]\b|(?<=\bP)hD\b"
        r"|(?<=[a-z] A)\b|(?<=\b[VX])\b|(?<=[a-z] I)(?:(?![\w'’-]| [a-z])| of |['’]s)"
        r"|(?<=War I|ter I|art I|ype I|ase I|ing I|ope I|can I)\b)",
        rf"\b(?=[A-Z]{{2}})(?:{MISREAD}|AM|WWI+|[IVXLCDM]{{2,}})\b",
        # in small letters
        r"\b(?=[ivxkcmlsew])(?:[ivx]{2,}|[kcm]m|[km]g|ml|lbs|vs|etc|ie|eg|st|www)\b",
    )
)

_COMPATIBLE = re.compile(r"[₀-₉Ⅰ-ⅿ\u3380-\u33dfﬀ-ﬆ]+")
"""Letters and signs that stand for others: small figures, Roman numbers, units."""


def _plain(text: str) -> str:
    return _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


LANGUAGE = Speaker("en", _RULES, needed=re.compile(_NEEDED), before=_plain)
