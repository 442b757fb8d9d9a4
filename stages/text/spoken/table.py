"""The languages whose writing is read, each from its module."""

import importlib
import pkgutil
from functools import cache

from stages.text.spoken import languages
from stages.text.spoken.language import Speaker
from stages.text.spoken.rules import Change, Spoken, apply

__all__ = ["Change", "Spoken", "speaker_of", "speak"]


@cache
def speaker_of(code: str) -> Speaker | None:
    """Returns how a language is spoken; None for one whose writing is left to espeak-ng."""
    if code not in {module.name for module in pkgutil.iter_modules(languages.__path__)}:
        return None
    found: Speaker = importlib.import_module(f"{languages.__name__}.{code}").LANGUAGE
    return found


def speak(text: str, code: str) -> Spoken:
    """Returns a text as it is said.

    Args:
        text: A line, cleaned.
        code: A code of the table of languages.
    """
    speaker = speaker_of(code)
    if speaker is None or not speaker.needed.search(text):
        return Spoken(text)
    words, changes = apply(speaker.rules, speaker.before(text))
    return Spoken(words, changes)
