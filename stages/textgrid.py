"""Reading Praat's TextGrid: tiers of words, of utterances, or of speakers, in its long and its short text format."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import TextError

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![^\s=])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?=\s|$)|(<exists>|<absent>)')
_NOISE = re.compile(r"\[\d*\]|(?m:![^\n\"]*$)")
"""What holds numbers that aren't values: indices in brackets, and comments."""
_SILENCE = frozenset({"", "sil", "sp", "spn", "<eps>", "<p:>", "<sil>", "silence", "#", "_"})
_WORDS = frozenset({"words", "word", "ort", "ort-mau"})
_PHONES = frozenset({"phones", "phone", "phonemes", "phoneme", "mau", "kan", "kan-mau", "segments", "mas", "syllables"})
_PAUSE_S = 1.0
"""Words with a longer silence between them are said in two segments."""

Interval = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class _Tier:
    name: str
    intervals: list[Interval]

    def spoken(self) -> list[Interval]:
        return [one for one in self.intervals if one[2].strip().lower() not in _SILENCE]


def parse_textgrid(text: str) -> list[dict[str, Any]]:
    """Reads a TextGrid into whisperX-shaped segments.

    Tiers of phones and points are left out. A tier named `words` (`anna - words` for the speaker Anna, as the Montreal
    Forced Aligner writes it) gives the words; every other tier gives a segment an interval, and its name the speaker
    where there are several such tiers. Words fall into the segments of their speaker that hold them; where there are
    words only, a segment ends at a second of silence.

    Returns:
        Segments with `start` and `end` in seconds, `text`, `speaker` (None where none is named) and `words`.

    Raises:
        TextError: if it isn't a TextGrid in Praat's text format.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    words: dict[str | None, list[Interval]] = {}
    said: dict[str | None, list[Interval]] = {}
    for tier in _tiers(text):
        owner, _, kind = tier.name.rpartition(" - ")
        if kind.strip().lower() in _WORDS:
            words.setdefault(owner.strip() or None, []).extend(tier.spoken())
        elif kind.strip().lower() not in _PHONES:
            said.setdefault(tier.name.strip(), []).extend(tier.spoken())
    said, words = _unnamed_if_single(said), _unnamed_if_single(words)
    segments = [
        _segment([one], speaker, [word for word in words.get(speaker, ()) if _holds(one, word)])
        for speaker, intervals in said.items()
        for one in intervals
    ]
    for speaker, placed in words.items():
        if not said.get(speaker):
            segments += [_segment(run, speaker, run) for run in _runs(placed)]
    return segments


def _unnamed_if_single(tiers: dict[str | None, list[Interval]]) -> dict[str | None, list[Interval]]:
    return {None: next(iter(tiers.values()))} if len(tiers) == 1 else tiers


def _holds(outer: Interval, inner: Interval) -> bool:
    return outer[0] <= (inner[0] + inner[1]) / 2 < outer[1]


def _runs(words: Sequence[Interval]) -> Iterator[list[Interval]]:
    run: list[Interval] = []
    for word in sorted(words):
        if run and word[0] - run[-1][1] >= _PAUSE_S:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _segment(said: Sequence[Interval], speaker: str | None, words: Sequence[Interval]) -> dict[str, Any]:
    return {
        "start": said[0][0],
        "end": said[-1][1],
        "text": " ".join(text.strip() for _, _, text in said),
        "speaker": speaker,
        "words": [{"word": text.strip(), "start": start, "end": end} for start, end, text in words],
    }


def _tiers(text: str) -> Iterator[_Tier]:
    """Yields the interval tiers; both formats hold the same values in the same order."""
    if "ooTextFile" not in text[:200] or '"TextGrid"' not in text[:400]:
        raise TextError("must be a TextGrid in Praat's text format, but isn't. Save it as text in Praat.")
    values = _values(text)
    try:
        for expected in ("ooTextFile", "TextGrid"):
            _take(values, expected)
        next(values), next(values), next(values)  # start, end, <exists>
        for _ in range(round(float(next(values)))):
            kind, name = next(values), next(values)
            next(values), next(values)
            entries = range(round(float(next(values))))
            if kind == "IntervalTier":
                yield _Tier(name, [(float(next(values)), float(next(values)), next(values)) for _ in entries])
            else:
                for _ in entries:
                    next(values), next(values)
    except (StopIteration, ValueError) as error:
        raise TextError("must be a whole TextGrid, but ends early or is out of order. Save it again.") from error


def _take(values: Iterator[str], expected: str) -> None:
    if next(values) != expected:
        raise ValueError(expected)


def _values(text: str) -> Iterator[str]:
    """Yields the values: strings without their quotes, numbers, flags."""
    parts = re.split(r'("(?:[^"]|"")*")', text)
    cleaned = "".join(part if part.startswith('"') else _NOISE.sub(" ", part) for part in parts)
    for string, number, flag in _TOKEN.findall(cleaned):
        yield number or flag or string.replace('""', '"')
