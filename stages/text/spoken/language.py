"""What the module of a language exports."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stages.text.spoken.rules import Rules


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a language says what is written: the `LANGUAGE` of its module in `stages.text.spoken.languages`."""

    code: str
    """ISO 639-1."""
    rules: Rules
    needed: re.Pattern[str]
    """Finds what a rule could change; a text without a match is left as it is, unseen by the rules."""
    before: Callable[[str], str] = field(default=str)
    """Applied before the rules to a text that has a match. Texts in capitals were folded to small letters already."""
