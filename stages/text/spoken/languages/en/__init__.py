"""English."""

import re
import unicodedata

from stages.text.spoken.language import Speaker
from stages.text.spoken.languages.en import dates, links, measures, money, numbers, romans, serials, signs, times, words

_RULES = (
    *signs.MARKUP,
    *links.RULES,
    *serials.DIALLED,
    *money.RULES,
    *dates.RULES,
    *times.RULES,
    *signs.RULES,
    *measures.RULES,
    *signs.POWERS,
    *numbers.FRACTIONS,
    *serials.RANGES,
    *numbers.ORDINALS,
    *romans.RULES,
    *words.RULES,
    *serials.RULES,
    *numbers.CARDINALS,
    *money.SIGNS,
    *signs.AFTER,
)

_NEEDED = "|".join(
    (
        # a digit or a sign
        r"[^A-Za-z \n,.;:!?'’\"“”‘()\[\]{}À-ÖØ-öø-ÿ—–…«»¡¿-]",
        # a point within the text, after a letter, or after an abbreviation
        r"\.(?:(?![\"'”’)\]]*$)|(?<=\b[A-Za-z]\.)|(?<=\b(?:Co|Jr|Sr|St|Rd|Ln|Sq|Ct|Dr|vs|al|st)\.)"
        r"|(?<=\b(?:Inc|Ltd|Esq|Ave|etc|Jan|Feb|Aug|Sep|Oct|Nov|Dec)\.)|(?<=\b(?:Corp|Bros|Blvd|Sept|Pkwy)\.))",
        # capitals, a title, the letter A, a Roman number, a lone I where it can't be the word
        r"[A-Z](?:[A-Z]|(?<=\bM)(?:rs?|s)\b|(?<=\bD)r\b|(?<=\bS)t\b|(?<=[a-z] A)\b|(?<=\b[VX])\b"
        r"|(?<=[a-z] I)(?:(?![\w'’-]| [a-z])| of |['’]s)|(?<=War I|ter I|art I|ype I|ase I|ing I|ope I|can I)\b)",
        # in small letters
        r"\b(?=[ivxkcmlse])(?:[ivx]{2,}|[kcm]m|[km]g|ml|lbs|vs|etc|st)\b",
    )
)

_COMPATIBLE = re.compile("[₀-₉Ⅰ-ⅿ㎀-㏟ﬀ-ﬆ]+")
"""Letters and signs that stand for others: small figures, Roman numbers, units."""


def _plain(text: str) -> str:
    return _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


LANGUAGE = Speaker("en", _RULES, needed=re.compile(_NEEDED), before=_plain)
