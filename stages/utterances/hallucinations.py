"""Finds heard texts that nobody said: loops, phrases of silence, impossible rates, and text where there is no voice.

Only texts that whisper heard are judged. A text that was given may well be a refrain, or a farewell.

Sources: Koenecke et al. 2024, Careless Whisper, https://arxiv.org/abs/2402.08021; Barański et al. 2025, Investigation
of Whisper ASR hallucinations induced by non-speech audio, https://arxiv.org/abs/2501.11378.
"""

import re
from unicodedata import category, east_asian_width, normalize

from stages.base import Filtered
from stages.records import Utterance
from stages.utterances.silence_phrases import is_farewell, silence_phrase

HALLUCINATED = "Hallucinated"

_LEAST_VOICE = 0.1
"""Smallest share of a cut with a voice in it."""
_DOUBT_LOGPROB, _DOUBT_NO_SPEECH, _DOUBT_VOICE_S = -0.5, 0.3, 0.25
"""A farewell below, above or below one of these wasn't said."""
_FASTEST, _SLOWEST = 35.0, 1.5
"""Letters a second that nobody says; a letter of Chinese, Japanese or Korean counts as two."""
_SLOW_FROM_S = 3.0
"""Seconds of voice from which on a text can be too short for them: less may be one drawn-out word."""
_REPEATS = ((1, 10, 10), (2, 5, 16), (8, 3, 24))
"""A loop repeats a stretch of at least so many letters, at least so often, and is at least so long."""
_LONGEST_LOOP = 120
"""Letters. Longer stretches aren't looked for: no decoder repeats them within a cut."""


def hallucinated(row: Utterance) -> Filtered | None:
    """Filters a heard text that nobody said; returns None for others, and for texts that were given."""
    why = _why(row)
    return Filtered(row.id, HALLUCINATED, f"{why}: `{row.text[:60]}`", row) if why else None


def _why(row: Utterance) -> str:
    """Returns why the text can't have been said, "" if it can."""
    if row.certainty is None:
        return ""
    voice = row.measures.voice if row.measures else None
    if voice is not None and voice < _LEAST_VOICE:
        return f"a voice is heard in only {voice:.0%} of the cut"
    if phrase := silence_phrase(row.text, row.language):
        return f"whisper writes `{phrase}` where nobody speaks"
    if is_farewell(row.text, row.language) and _is_doubtful(row, voice):
        return "whisper writes it where nobody speaks, and isn't sure of it"
    if loop := loop_in(row.text):
        return f"it repeats `{loop[:30]}`"
    return _impossible_rate(row, voice)


def _is_doubtful(row: Utterance, voice: float | None) -> bool:
    assert row.certainty is not None
    return (
        row.certainty.avg_logprob < _DOUBT_LOGPROB
        or row.certainty.no_speech_prob > _DOUBT_NO_SPEECH
        or (voice is not None and voice * row.duration_s < _DOUBT_VOICE_S)
    )


def _impossible_rate(row: Utterance, voice: float | None) -> str:
    letters = sum(letter.isalnum() * (1 + (east_asian_width(letter) == "W")) for letter in row.text)
    if letters > _FASTEST * row.duration_s:
        return f"nobody says {letters / row.duration_s:.0f} letters a second"
    spoken_s = (voice or 0.0) * row.duration_s
    if spoken_s >= _SLOW_FROM_S and letters < _SLOWEST * spoken_s:
        return f"only {letters} letters for {spoken_s:.1f} s of voice"
    return ""


def loop_in(text: str) -> str:
    """Returns the stretch of letters that a text repeats in a loop; "" if it doesn't."""
    folded = normalize("NFKC", text).casefold()
    letters = "".join(letter for letter in folded if letter.isalnum() or category(letter)[0] == "M")
    for shortest, times, longest in _REPEATS:
        for found in re.finditer(rf"(.{{{shortest},{_LONGEST_LOOP}}}?)\1{{{times - 1},}}", letters):
            if len(found[0]) >= longest and not (shortest == 1 and found[1].isdecimal()):
                return found[1]
    return ""
