"""Keeps an English-only whisper from inventing English for other languages."""

from collections.abc import Mapping, Sequence

from stages.base import Reject
from stages.hearing.asr.decoding import LOOPS
from stages.hearing.asr.weights import find_model, speaks_only_english
from stages.hearing.heard import Heard
from stages.hearing.whisper import Result

_UNSURE = -0.65
"""Mean log-probability of a recording below which what an English-only model heard isn't taken for English."""
_TELLING_S = 2.0
"""Seconds of speech from which on the language can be told."""
_SURE = -0.6
"""Mean log-probability from which on less speech is taken for English. `pipeline.bench.hearing.brief` measures both."""
WAYS_OUT = "Give a multilingual model, or a transcript; if it is English, say so: `--set transcribe.language=en`."


def problem(model: str, languages: Mapping[str | None, int], candidates: Sequence[str]) -> str:
    """Returns why a whisper model can't hear recordings, "" if nothing speaks against it.

    Args:
        model: The name of the model, which is on this machine.
        languages: How many recordings are said to be in each language; None: nothing tells.
        candidates: The languages that those may be in; empty if any.
    """
    others = {code: count for code, count in languages.items() if code not in ("en", None)}
    if languages.get(None) and candidates and "en" not in candidates:
        others |= dict.fromkeys(candidates, languages[None])
    if not others or not speaks_only_english(find_model(model, download=False)):
        return ""
    asked = ", ".join(f"`{code}` ({count} recordings)" for code, count in sorted(others.items(), key=str))
    return (
        f"`transcribe.model` must know the languages of the recordings, but `{model}` knows only English: {asked}"
        " would be turned into invented English. Give a multilingual model, or transcripts."
    )


def refused(name: str, result: Result, *, only_english: bool) -> Reject | None:
    """Returns why a recording that was heard is left out; None if it isn't.

    Args:
        name: The recording's id.
        result: What was heard in it.
        only_english: Whether the model knows only English, and nobody told that this is English.
    """
    if not result.segments:
        return Reject(name, "NoSpeech", "nobody is heard to speak in it.", "Remove it if that is so.")
    return unlike_english(name, result.heard) if only_english else None


def unlike_english(name: str, heard: Sequence[Heard]) -> Reject | None:
    """Returns why what an English-only model heard isn't taken for English; None if it is.

    The mean of the stretches' log-probabilities counts, each weighted by its length, and loops. In a few words even
    English is often heard with doubt, so of less than `_TELLING_S` nothing is said about the language: either the model
    is sure, or it can't be told.

    Args:
        name: The recording's id.
        heard: What was heard in it, at least one stretch.
    """
    seconds = sum(one.end - one.start for one in heard)
    mean = sum(one.avg_logprob * (one.end - one.start) for one in heard) / seconds
    looping = sum(one.end - one.start for one in heard if one.compression_ratio > LOOPS)
    if seconds < _TELLING_S:
        if mean >= _SURE:
            return None
        why = f"{seconds:.1f} s of speech are too short to tell whether it is English: mean log-probability {mean:.2f}"
        return Reject(name, "TooLittleSpeech", f"{why}, below {_SURE:g}.", WAYS_OUT)
    if mean < _UNSURE:
        why = f"an English-only model is unsure of it: mean log-probability {mean:.2f}, below {_UNSURE:g}."
        return Reject(name, "NotEnglish", why, WAYS_OUT)
    if looping > seconds / 2:
        return Reject(name, "NotEnglish", "an English-only model repeats itself in most of it.", WAYS_OUT)
    return None
