"""The languages whose writing is read, each from its module."""

import importlib
import pkgutil
import re
from functools import cache

from stages.text.spoken import languages
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Change, Spoken

__all__ = ["Change", "Spoken", "speak", "speaker_of"]


_FEW_WORDS = 2
"""A text of so many words may be in capitals because it is a name or an acronym."""
_ROUNDS = 4
"""A text is read until nothing changes, at most so often: what was said can make the meaning of its neighbours clear,
and reading words again must change nothing."""
_NO_UNITS = re.compile(r"(?<![\w.,])(?:[2-6]g|[23]d|[248]k)(?!\w)")
"""Names that small letters make grams, days and thousands of."""
_CAPITALS = re.compile(r"[^\W\d_]{2,}")


@cache
def speaker_of(code: str) -> Speaker | None:
    """Returns how a language is spoken; None for one whose writing is left to espeak-ng."""
    if code not in {module.name for module in pkgutil.iter_modules(languages.__path__)}:
        other: Speaker | None = importlib.import_module(f"{languages.__name__}.others").speaker(code)
        return other
    found: Speaker = importlib.import_module(f"{languages.__name__}.{code}").LANGUAGE
    return found


def speak(text: str, code: str) -> Spoken:
    """Returns a text as it is said.

    Args:
        text: A line, cleaned.
        code: A code of the table of languages.
    """
    small = _folded(text) if text.isupper() else text
    folded = (Change("capitals", text, small),) if small != text else ()
    speaker = speaker_of(code)
    if speaker is None or not speaker.needed.search(small):
        return Spoken(small, folded)
    words, changes = small, folded
    for _ in range(_ROUNDS):
        said, found = speaker.rules.apply(speaker.before(words))
        said, before = " ".join(said.split()), words
        words, changes = said, (*changes, *found)
        if said == before or not speaker.needed.search(said):
            break
    return Spoken(words, changes)


def _folded(text: str) -> str:
    """Returns a text without small letters in such, because its capitals tell nothing; not a name or an acronym.

    The capitals beside letters without case, as in `NHKの`, do tell something.
    """
    if not text.isascii() and not all(map(str.isupper, filter(str.isalpha, text))):
        return text
    words = [word for word in text.split() if word.lower() != word]
    spelt = [word for word in _CAPITALS.findall(text) if word.lower() != word]
    if len(words) <= _FEW_WORDS or len(spelt) < _FEW_WORDS:
        return text
    return _NO_UNITS.sub(lambda name: name[0].upper(), text.lower())
