"""English."""

import re

from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Rule

_RULES: tuple[Rule, ...] = (Rule("symbol", re.compile(r" & "), lambda _: " and "),)

LANGUAGE = Speaker("en", _RULES, needed=re.compile(r"[0-9&]"))
