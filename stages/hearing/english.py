"""Keeps an English-only whisper from inventing English for other languages."""

from collections.abc import Mapping, Sequence

from stages.hearing.asr.decoding import LOOPS
from stages.hearing.asr.weights import find_model, speaks_only_english
from stages.hearing.heard import Heard

_UNSURE = -0.65
"""Mean log-probability of a recording below which what an English-only model heard isn't taken for English."""
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


def unlike_english(heard: Sequence[Heard]) -> str:
    """Returns why what an English-only model heard isn't taken for English; "" if it is.

    The mean of the stretches' log-probabilities counts, each weighted by its length, and loops.
    """
    seconds = sum(one.end - one.start for one in heard)
    mean = sum(one.avg_logprob * (one.end - one.start) for one in heard) / seconds
    looping = sum(one.end - one.start for one in heard if one.compression_ratio > LOOPS)
    if mean < _UNSURE:
        return f"an English-only model is unsure of it: mean log-probability {mean:.2f}, below {_UNSURE:g}"
    if looping > seconds / 2:
        return "an English-only model repeats itself in most of it"
    return ""
