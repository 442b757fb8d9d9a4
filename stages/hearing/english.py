"""Keeps an English-only whisper from inventing English for other languages."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.artefacts.formats import read_lines, rows_of
from stages.artefacts.manifest import OUT
from stages.base import Reject
from stages.hearing.asr.decoding import LOOPS
from stages.hearing.asr.weights import find_model, speaks_only_english
from stages.hearing.heard import Heard
from stages.hearing.whisper import Result
from stages.ids import file_of, speaker_key

_UNSURE = -0.65
"""Mean log-probability of a recording below which what an English-only model heard isn't taken for English."""
_TELLING_S = 2.0
"""Seconds of speech from which on the language can be told."""
_SURE = -0.6
"""Mean log-probability from which on less speech is taken for English. `pipeline.bench.hearing.brief` measures both."""
_SHOWN = 60
"""Characters shown of what was heard."""
_ENOUGH = 3
"""Recordings in another language that make one doubt those of the same speaker that were heard as English."""
_NAMED = 5
"""Speakers named in warnings."""
_OTHER = "NotEnglish"
"""The reason of those left out that are counted by speaker."""
_OVERLOOKED = (
    "Remove it if that is so. In less than half a second a word is often overlooked: a transcript beside it keeps it."
)
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
        return Reject(name, "NoSpeech", "nobody is heard to speak in it.", _OVERLOOKED)
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
    unsure = f"it is heard as `{_shortened(heard)}`, but unsurely (mean log-probability {mean:.2f}"
    if seconds < _TELLING_S:
        if mean >= _SURE:
            return None
        why = f"{unsure}; in less than {_TELLING_S:g} s of speech it must reach {_SURE:g})"
        return Reject(name, "TooLittleSpeech", f"{why}: {seconds:.1f} s are too short to tell the language.", WAYS_OUT)
    if mean < _UNSURE:
        why = f"{unsure}, below {_UNSURE:g}): it is probably in another language than English."
        return Reject(name, "NotEnglish", why, WAYS_OUT)
    if looping > seconds / 2:
        return Reject(name, "NotEnglish", "an English-only model repeats itself in most of it.", WAYS_OUT)
    return None


def _shortened(heard: Sequence[Heard]) -> str:
    text = " ".join(one.text.strip() for one in heard)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def doubted(folder: Path, shards: Sequence[str]) -> list[str]:
    """Finds speakers of whom some recordings were heard as English, though most are `NotEnglish`.

    A model that knows nothing else is sure of some sentences in other languages, too: then only the speaker's other
    recordings tell.

    Args:
        folder: The folder of `transcribe`; that of the recordings is beside it.
        shards: Its shards.

    Returns:
        A line for the log for each of the first of them; [] if there is none.
    """
    left_out = (row for shard in shards for row in read_lines(folder / f"{shard}.{OUT}"))
    others = {file_of(row["item"]) for row in left_out if row["reason"] == _OTHER}
    if not others:
        return []
    heard = {file_of(row["id"]) for row in rows_of(folder, shards) if row["source"].startswith("whisperx")}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows_of(folder.parent / "recordings", shards):
        for kind, ids in (("others", others), ("heard", heard)):
            counts[speaker_key(row["group"], row["speaker"])][kind] += row["id"] in ids
    found = sorted(
        name for name, one in counts.items() if one["others"] >= _ENOUGH and one["others"] > one["heard"] > 0
    )
    lines = [
        f"`{name}`: {counts[name]['others']:,} recordings are left out as `{_OTHER}`, but {counts[name]['heard']:,}"
        " were heard as English, which is probably invented. Give a multilingual model or transcripts, or remove them."
        for name in found[:_NAMED]
    ]
    return lines + ([f"the same goes for {len(found) - _NAMED:,} more speakers"] if len(found) > _NAMED else [])
