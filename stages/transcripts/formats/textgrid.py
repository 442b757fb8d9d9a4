"""Reads Praat's TextGrid, in its long and short text formats: tiers of words, of utterances or of speakers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import TextError
from stages.transcripts.script import TranscriptFormat
from stages.transcripts.whisperx import timed

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![^\s=])([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?=\s|$)|(<exists>|<absent>)')
_NOISE = re.compile(r"\[\d*\]|(?m:![^\n\"]*$)")
"""Indices in brackets and comments: their numbers aren't values."""
_SILENCE = frozenset({"", "sil", "sp", "<eps>", "<p:>", "<sil>", "silence", "#", "_"})
_WORDS = frozenset({"words", "word", "ort", "ort-mau"})
_PHONES = frozenset({"phones", "phone", "phonemes", "phoneme", "mau", "kan", "kan-mau", "segments", "mas", "syllables"})
_UTTERANCES = frozenset({"utterances", "utterance", "sentences", "sentence", "phrases", "transcript", "transcription"})
"""Tier names that don't name a speaker."""
_PAUSE_S = 1.0
"""A silence between words that is at least this long, in seconds, starts a new segment."""

Interval = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class _Tier:
    name: str
    intervals: list[Interval]

    def spoken(self) -> list[Interval]:
        return [interval for interval in self.intervals if interval[2].strip().lower() not in _SILENCE]


def parse_textgrid(text: str) -> list[dict[str, Any]]:
    """Reads a TextGrid into segments in whisperX's form.

    * Tiers of phones and points are skipped.
    * A tier named `words` gives the words; `anna - words`, as the Montreal Forced Aligner writes it, those of Anna.
    * In every other tier, each interval is a segment. With several tiers, the name gives the speaker: `anna`,
      `anna - utterances`.
    * Words belong to the segment of their speaker that contains them, or to one without a speaker, which then gets
      theirs. If a segment without a speaker contains words of several speakers, their words replace it.
    * The remaining words of speakers without utterances become segments, split at silences of a second.

    Returns:
        Segments with `start` and `end` in seconds, `text`, `speaker` (None if none is named) and `words`.

    Raises:
        TextError: if it isn't a TextGrid in Praat's text format.

    Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html.
    """
    said, words = _by_speaker(_tiers(text))
    segments: list[dict[str, Any]] = []
    placed: set[tuple[str, Interval]] = set()
    for owner, intervals in said.items():
        theirs = {speaker: those for speaker, those in words.items() if _may_be_in(owner, speaker, said, words)}
        for interval in intervals:
            held = {
                name: inside
                for name, those in theirs.items()
                if (inside := [word for word in those if _holds(interval, word)])
            }
            placed.update((speaker, word) for speaker, inside in held.items() for word in inside)
            if len(held) > 1:
                segments += [_segment(run, speaker, run) for speaker in held for run in _runs(held[speaker])]
            else:
                speaker, inside = next(iter(held.items()), (owner, []))
                segments.append(_segment([interval], speaker or owner, inside))
    for speaker, those in words.items():
        if speaker not in said:
            rest = [word for word in those if (speaker, word) not in placed]
            segments += [_segment(run, speaker, run) for run in _runs(rest)]
    return segments


_Spoken = dict[str, list[Interval]]
"""Intervals by speaker; "" if no speaker is named."""


def _by_speaker(tiers: Iterator[_Tier]) -> tuple[_Spoken, _Spoken]:
    """Returns the intervals of the utterance tiers, and of the word tiers."""
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
    """Returns whether a speaker's words may belong to a segment of `owner`."""
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


def _segment(spoken: Sequence[Interval], speaker: str, words: Sequence[Interval]) -> dict[str, Any]:
    return {
        "start": spoken[0][0],
        "end": spoken[-1][1],
        "text": " ".join(text.strip() for _, _, text in spoken),
        "speaker": speaker or None,
        "words": [{"word": text.strip(), "start": start, "end": end} for start, end, text in words],
    }


def _tiers(text: str) -> Iterator[_Tier]:
    """Yields the interval tiers. Both formats hold the same values in the same order."""
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
        raise TextError("must be a complete TextGrid, but ends early or is out of order. Save it again.") from error


def _take(values: Iterator[str], expected: str) -> None:
    if next(values) != expected:
        raise ValueError(expected)


def _values(text: str) -> Iterator[str]:
    """Yields the values: strings (unquoted), numbers and flags."""
    parts = re.split(r'("(?:[^"]|"")*")', text)
    cleaned = "".join(part if part.startswith('"') else _NOISE.sub(" ", part) for part in parts)
    for string, number, flag in _TOKEN.findall(cleaned):
        yield number or flag or string.replace('""', '"')


TEXTGRID = TranscriptFormat("textgrid", (".textgrid",), timed(parse_textgrid), tells="times, words, speakers", rank=20)
