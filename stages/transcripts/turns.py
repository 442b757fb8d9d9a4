"""Makes segments of a stream of timed words, as recognisers tell it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PAUSE_S = 1.0
"""A pause between words that is at least this long, in seconds, starts a new segment."""
_ENDS = (".", "!", "?", "。", "！", "？", "…")
_NO_SPACE = re.compile(r"(?<=[\u3000-\u9fff\uf900-\ufaff\uff00-\uffef]) (?=[\u3000-\u9fff\uf900-\ufaff\uff00-\uffef])")
_LONG_S = 6.0
"""Seconds. A segment that is longer ends with its sentence."""


def sentences(words: Sequence[Mapping[str, Any]], *, speaker: Any = None) -> list[dict[str, Any]]:
    """Makes segments of words: a new one for another speaker, after a pause of a second, or after a long sentence.

    Args:
        words: Each with `word` as it is to be read, `start` and `end` in seconds, and perhaps `speaker`; in order.
        speaker: The speaker of words that name none.
    """
    runs: list[list[Mapping[str, Any]]] = []
    for word in words:
        if runs and not _parts(runs[-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    return [
        {
            "start": run[0]["start"],
            "end": run[-1]["end"],
            "text": joined([word["word"] for word in run]),
            "speaker": _named(run[0].get("speaker"), speaker),
            "words": [{"word": word["word"], "start": word["start"], "end": word["end"]} for word in run],
        }
        for run in runs
    ]


def joined(words: Sequence[str]) -> str:
    """Returns words as a text: with spaces between them, but none between Chinese characters or kana."""
    return _NO_SPACE.sub("", " ".join(word.strip() for word in words))


def _named(own: Any, other: Any) -> str | None:
    found = own if own is not None else other
    return None if found is None else str(found)


def _parts(run: Sequence[Mapping[str, Any]], word: Mapping[str, Any]) -> bool:
    """Returns whether a word begins a new segment."""
    last = run[-1]
    if word.get("speaker") != last.get("speaker") or word["start"] - last["end"] >= _PAUSE_S:
        return True
    ended = last["word"].rstrip("\"'”’)").endswith(_ENDS)
    return bool(ended and last["end"] - run[0]["start"] >= _LONG_S)
