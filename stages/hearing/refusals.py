"""Decides which heard recordings have no text that can be trusted."""

from stages.base import Reject
from stages.hearing import english
from stages.hearing.whisper import Result


def refused(name: str, result: Result, *, only_english: bool) -> Reject | None:
    """Returns why a recording that was heard is left out; None if it isn't.

    Args:
        name: The recording's id.
        result: What was heard in it.
        only_english: Whether the model knows only English, and nobody told that this is English.
    """
    if not result.segments:
        return Reject(name, "NoSpeech", "nobody is heard to speak in it.", "Remove it if that is so.")
    return english.refused(name, result.heard) if only_english else None
