"""English."""

import re

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

LANGUAGE = Speaker(
    "en",
    _RULES,
    needed=re.compile(
        r"[^A-Za-z \n,.;:!?'’\"“”()\[\]{}<>éèêçàâñöüäïîôûáíóúø—–…«»¡¿-]|[A-Z][A-Z]|[A-Za-z]\.(?! *[\"'”’)\]]*(?:$| +[\"“‘(]*[A-Z][a-z]))"
        r"|\b[A-Za-z]\.|\b(?:Mr|Mrs|Ms|Dr|St|vs|etc)\b|[a-z] A\b|\b(?:[Ww]orld [Ww]ar|[Cc]hapter) [ivx]"
    ),
)
