"""Reading Praat's TextGrid: tiers of words, of utterances, or of speakers, in its long and its short text format."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import TranscriptFormat
from stages.transcripts.whisperx import timed

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![^\s=])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?=\s|$)|(<exists>|<absent>)')
_NOISE = re.compile(r"\[\d*\]|(?m:![^\n\"]*$)")
"""What holds numbers that aren't values: indices in brackets, and comments."""
_SILENCE = frozenset({"", "sil", "sp", "spn", "<eps>", "<p:>", "<sil>", "silence", "#", "_"})
_WORDS = frozenset({"words", "word", "ort", "ort-mau"})
_PHONES = frozenset({"phones", "phone", "phonemes", "phoneme", "mau", "kan", "kan-mau", "segments", "mas", "syllables"})
_UTTERANCES = frozenset({"utterances", "utterance", "sentences", "sentence", "phrases", "transcript", "transcription"})
"""What says nothing of who speaks."""
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
    (`anna`, `anna - utterances`) where there are several. Words fall into the segments of their speaker that hold them,
    or into those of nobody in particular, whose speaker they tell; where several speak in such a segment, their words
    stand in its place. Where there are words only, a segment ends at a second of silence.

    Returns:
        Segments with `start` and `end` in seconds, `text`, `speaker` (None where none is named) and `words`.

    Raises:
        TextError: if it isn't a TextGrid in Praat's text format.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    said, words = _by_speaker(_tiers(text))
    segments: list[dict[str, Any]] = []
    placed: set[tuple[str, Interval]] = set()
    for owner, intervals in said.items():
        theirs = {speaker: those for speaker, those in words.items() if _may_be_in(owner, speaker, said, words)}
        for one in intervals:
            held = {name: inside for name, those in theirs.items() if (inside := [w for w in those if _holds(one, w)])}
            placed.update((speaker, word) for speaker, inside in held.items() for word in inside)
            if len(held) > 1:
                segments += [_segment(run, speaker, run) for speaker in held for run in _runs(held[speaker])]
            else:
                speaker, inside = next(iter(held.items()), (owner, []))
                segments.append(_segment([one], speaker or owner, inside))
    for speaker, those in words.items():
        if speaker not in said:
            rest = [word for word in those if (speaker, word) not in placed]
            segments += [_segment(run, speaker, run) for run in _runs(rest)]
    return segments


_Spoken = dict[str, list[Interval]]
"""Intervals by speaker; those of nobody in particular under ""."""


def _by_speaker(tiers: Iterator[_Tier]) -> tuple[_Spoken, _Spoken]:
    """Returns what tiers of utterances hold, and what tiers of words do."""
    words: _Spoken = {}
    others: list[tuple[str, str, _Tier]] = []
    for tier in tiers:
        owner, _, kind = (part.strip() for part in tier.name.rpartition(" - "))
        if not tier.spoken() or kind.lower() in _PHONES:
            continue
        if kind.lower() in _WORDS:
            words.setdefault(owner, []).extend(tier.spoken())
        else:
            others.append((owner, kind, tier))
    said: _Spoken = {}
    for owner, kind, tier in others:
        owned = kind.lower() in _UTTERANCES or (owner and owner in words)
        said.setdefault(owner if owned else tier.name.strip(), []).extend(tier.spoken())
    if said.keys() & words.keys():
        return said, words
    return _unnamed_if_single(said), _unnamed_if_single(words)


def _unnamed_if_single(tiers: _Spoken) -> _Spoken:
    return {"": next(iter(tiers.values()))} if len(tiers) == 1 else tiers


def _may_be_in(owner: str, speaker: str, said: _Spoken, words: _Spoken) -> bool:
    """Tells whether a speaker's words may lie in a segment that is `owner`'s."""
    return speaker == owner or (speaker not in said and (not owner or (not speaker and owner not in words)))


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


def _segment(said: Sequence[Interval], speaker: str, words: Sequence[Interval]) -> dict[str, Any]:
    return {
        "start": said[0][0],
        "end": said[-1][1],
        "text": " ".join(text.strip() for _, _, text in said),
        "speaker": speaker or None,
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


TEXTGRID = TranscriptFormat("textgrid", (".textgrid",), timed(parse_textgrid), tells="times, words, speakers", rank=20)
