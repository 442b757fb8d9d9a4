"""Letters and signs said by their names."""

import re

LETTER_A = "eh"
"""How espeak-ng is given the letter A: it takes `A` between words for the article."""

_OPENING, _CLOSING = "([{\"'“‘¿¡«-–—", ")]}\"'”’,.;:!?»-–—…"


def spelled(letters: str) -> str:
    """Returns letters as they are spelt: a word each."""
    return " ".join(LETTER_A if letter in "Aa" else letter.upper() for letter in letters if letter.isalnum())


def apart(match: re.Match[str], words: str) -> str:
    """Returns words in place of a sign, with spaces where something is written right beside it."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    left = " " if before and not before.isspace() and before not in _OPENING else ""
    right = " " if after and not after.isspace() and after not in _CLOSING else ""
    return f"{left}{words}{right}"
