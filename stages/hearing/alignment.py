"""Aligns a known text with its recording, so that long recordings with untimed text can be cut.

The recording is read in windows. In each, the aligner places as many of the next words as are spoken there. Words near
the end of a window are left to the next window. So memory doesn't grow with the recording.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from stages.audio.tape import Samples, from_sample
from stages.errors import TextError
from stages.records import Wave
from stages.text.languages import CLOSING_MARKS, SENTENCE_ENDS, is_spaced

SAMPLE_RATE = 16_000
"""Hz, the aligners' input."""

_WINDOW_S = 30.0
_UNSURE_S = 3.0
"""Words this close to a window's end are placed by the next window."""
_WORDS_PER_S = 6
"""Faster than anybody speaks. Limits the words offered to a window."""
_LETTERS_PER_S = 12
"""The same for languages without spaces, where each character is a word, punctuation included."""
_PREAMBLE_S = 60.0
"""Speech before the text begins is skipped if it is no longer than this."""
_STEP_S = 0.5
"""Step between the starts that are tried."""
_HEARD_S = 8.0
"""Length of the stretch in which the first words are tried."""
_FITTING_S = 5.0
"""The first words must reach this far into the stretch. Then the text begins in it."""
_DOUBTFUL_S = 3.0
"""After that start, words that begin this early may be placed on other speech: they are left out."""
_CHOICE_S = 3.0
"""After that, the longest pause within this time is found. Words before it are left out too."""
_CROWDED = 10
_CROWDED_S = 1.2
"""If `_CROWDED` words take less time than this, they weren't spoken: the text has words that the recording lacks."""
_LOST_AT_THE_END = 3
"""Number of last words that may stay unplaced."""
_PAUSE_S = 0.5
"""A pause this long ends a segment."""
_STOP_S = 0.15
"""A pause this long ends a segment after a sentence."""
_FRAME = 160
"""Samples; 10 ms."""
_LOUD_DB = 15.0
"""A frame is sound if its level is less than this below the mean level of the placed words."""
_UNCOVERED_S = 0.5
"""Sound outside the words, from this length on, is speech that the text lacks, not a breath or a click."""
_UNCOVERED_PAUSE_S = 2.0
"""Shorter pauses between words aren't searched for sound: `slice` may join the words on both sides."""
_LOST_SOUND_S = 2.5
"""More sound than this at the end can't be the few unplaced last words."""

Span = tuple[float, float]
"""Start and end in seconds."""


class Aligner(Protocol):
    """Places known words in speech, for one language."""

    name: str

    def prefix(self, wave: Wave, words: Sequence[str], *, whole: bool) -> Sequence[Span | None] | None:
        """Places as many of the words as are spoken in a stretch, from the first word on.

        Args:
            wave: `[samples]` at 16 kHz.
            words: The words, as written.
            whole: Whether all of the words must be placed.

        Returns:
            A span for each of the first words, None for a word that isn't spoken; empty if no word is heard. None if
            the words don't fit the speech.
        """


def tokens_of(text: str, language: str) -> list[str]:
    """Splits a text into words, or into characters in languages without spaces."""
    return text.split() if is_spaced(language) else [letter for letter in text if not letter.isspace()]


def align(wave: Samples, text: str, language: str, aligner: Aligner) -> dict[str, Any]:
    """Aligns a known text with its recording.

    If speech precedes the text, that speech and the first words of the text are left out: they are the first span of
    `uncovered`.

    Args:
        wave: The whole recording, `[samples]` at 16 kHz.
        text: Everything that is said in it, in order.
        language: ISO 639-1.
        aligner: Places the words.

    Returns:
        `segments` in whisperX's form: they end at pauses, and have their words; times are in seconds. `uncovered` has
        the span of each stretch of sound outside the words: before the first, after the last, or in a long pause.

    Raises:
        TextError: if the text doesn't fit the speech.
    """
    words = tokens_of(text, language)
    per_s = _WORDS_PER_S if is_spaced(language) else _LETTERS_PER_S
    spans, sure_s = _place_from_start(wave, words, aligner, per_s)
    _check(words, spans)
    found = len(spans)
    spans += [None] * (len(words) - found)
    sounds = list(_sounds(wave, words, spans))
    if found < len(words) and any(sound.next == len(words) and sound.loud_s > _LOST_SOUND_S for sound in sounds):
        raise _misfit(words, found)
    first = _first_sure(spans, sure_s)
    if first is None:
        raise _misfit(words, 0)
    space = " " if is_spaced(language) else ""
    segments = [_segment(run, space) for run in _runs(words[first:], spans[first:])]
    if spans[-1] is None:
        segments[-1]["end"] = len(wave) / SAMPLE_RATE
    uncovered = [sound.span for sound in sounds if not sound.may_be_text]
    if first:
        begin = segments[0]["start"]
        skipped = (0.0, max(span[1] for span in spans[:first] if span))
        uncovered = [skipped, *(span for span in uncovered if span[0] > begin)]
    return {"segments": segments, "uncovered": uncovered}


def _first_sure(spans: Sequence[Span | None], sure_s: float) -> int | None:
    """Returns the index of the first word that has a sure time.

    Times before `sure_s` are doubtful. If no word is there: word 0. Otherwise the word after the longest pause that
    ends within `_CHOICE_S` after `sure_s`, as a pause is a safe place to begin. None if there is no such pause.
    """
    placed = [(n, span) for n, span in enumerate(spans) if span]
    if placed[0][1][0] >= sure_s:
        return 0
    pauses = {
        n: span[0] - before[1] for (_, before), (n, span) in pairwise(placed) if 0 <= span[0] - sure_s < _CHOICE_S
    }
    return max(pauses, key=lambda n: pauses[n], default=None)


def _place_from_start(
    wave: Samples, words: Sequence[str], aligner: Aligner, per_s: int
) -> tuple[list[Span | None], float]:
    """Returns the spans of `_place`, and the time in seconds from which they are certain.

    That is 0 if the text fits from the beginning; otherwise `_DOUBTFUL_S` after the first place where it fits.
    """
    reach = round(_WINDOW_S * per_s)
    try:
        return _place(wave, words, aligner, reach=reach), 0.0
    except TextError:
        start = _start(wave, words[: round(_HEARD_S * per_s)], aligner)
        if not start:
            raise
        spans = _place(from_sample(wave, start), words, aligner, reach=reach)
        return [_moved(span, start) for span in spans], start / SAMPLE_RATE + _DOUBTFUL_S


def _start(wave: Samples, words: Sequence[str], aligner: Aligner) -> int | None:
    """Returns the first sample from which the first words fit; None if there is none in the first `_PREAMBLE_S`."""
    heard = round(_HEARD_S * SAMPLE_RATE)
    for position in range(0, min(round(_PREAMBLE_S * SAMPLE_RATE), len(wave) - heard), round(_STEP_S * SAMPLE_RATE)):
        found = aligner.prefix(wave[position : position + heard], words, whole=False) or ()
        if max((span[1] for span in found if span), default=0.0) > _FITTING_S:
            return position
    return None


def _place(wave: Samples, words: Sequence[str], aligner: Aligner, *, reach: int) -> list[Span | None]:
    """Returns the spans of the words, window by window; the last few words may be missing.

    Args:
        wave: `[samples]` at 16 kHz.
        words: The words, as written.
        aligner: Places the words.
        reach: The most words that a window can hold.

    Raises:
        TextError: if the words don't fit the speech.
    """
    window, unsure = round(_WINDOW_S * SAMPLE_RATE), round(_UNSURE_S * SAMPLE_RATE)
    spans: list[Span | None] = []
    position = 0
    while len(spans) < len(words):
        rest = words[len(spans) :]
        heard, last = wave[position : position + window], position + window >= len(wave)
        whole = last and len(rest) <= reach
        found = aligner.prefix(heard, rest[:reach], whole=whole)
        if found is None and whole:  # the last words may be cut off or never said
            found = aligner.prefix(heard, rest, whole=False)
        if last:
            found = found or ()
            if len(rest) - len(found) > _LOST_AT_THE_END:
                raise _misfit(words, len(spans) + len(found))
            return spans + [_moved(span, position) for span in found]
        if found is None:
            raise _misfit(words, len(spans))
        sure = (window - unsure) / SAMPLE_RATE
        kept = next((n for n, span in enumerate(found) if span and span[1] > sure), len(found))
        placed = [_moved(span, position) for span in found[:kept]]
        ends = [span[1] for span in placed if span]
        spans += placed
        position = round(ends[-1] * SAMPLE_RATE) if ends else position + window - unsure
    return spans


def _moved(span: Span | None, samples: int) -> Span | None:
    return span and (span[0] + samples / SAMPLE_RATE, span[1] + samples / SAMPLE_RATE)


def _check(words: Sequence[str], spans: Sequence[Span | None]) -> None:
    placed = [(n, span) for n, span in enumerate(spans) if span]
    if not placed:
        raise _misfit(words, 0)
    for (n, first), (_, last) in zip(placed, placed[_CROWDED - 1 :], strict=False):
        if last[1] - first[0] < _CROWDED_S:
            raise _misfit(words, n)


def _misfit(words: Sequence[str], at: int) -> TextError:
    near = " ".join(words[at : at + 6])
    return TextError(f"its text must be exactly what is said, but doesn't fit from `{near}` on (word {at + 1})")


class _Sound(NamedTuple):
    """A sound between two placed words, before the first, or after the last."""

    span: Span
    loud_s: float
    """Seconds of the span that are loud."""
    next: int
    """Index of the placed word after it; the number of words if there is none."""
    may_be_text: bool
    """Whether unplaced words of the text may be spoken here."""


def _sounds(wave: Samples, words: Sequence[str], spans: Sequence[Span | None]) -> Iterator[_Sound]:
    """Yields the sounds outside the placed words."""
    placed = [(n, span) for n, span in enumerate(spans) if span]
    energy, spoken = 0.0, 0
    for _, (start, end) in placed:
        piece = wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        energy, spoken = energy + float(np.dot(piece, piece)), spoken + len(piece)
    level = energy / max(1, spoken)
    least = level * 10 ** (-_LOUD_DB / 10) * _FRAME
    befores = [(-1, 0.0), *((n, end) for n, (_, end) in placed)]
    afters = [*((n, start) for n, (start, _) in placed), (len(words), len(wave) / SAMPLE_RATE)]
    for (before, start), (after, end) in zip(befores, afters, strict=True):
        if end - start < (_UNCOVERED_S if before < 0 or after == len(words) else _UNCOVERED_PAUSE_S):
            continue
        samples = wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
        loud = np.flatnonzero(np.einsum("ij,ij->i", frames, frames) > least)
        if len(loud) * _FRAME >= _UNCOVERED_S * SAMPLE_RATE:
            first, last = (start + at * _FRAME / SAMPLE_RATE for at in (loud[0], loud[-1] + 1))
            may_be_text = any(letter.isalnum() for word in words[before + 1 : after] for letter in word)
            yield _Sound((float(first), float(last)), len(loud) * _FRAME / SAMPLE_RATE, after, may_be_text)


def segments_of(words: Sequence[str], spans: Sequence[Span | None], language: str) -> list[dict[str, Any]]:
    """Returns placed words as segments in whisperX's form, which end at pauses; a run without times joins the next."""
    space = " " if is_spaced(language) else ""
    runs: list[list[tuple[str, Span | None]]] = []
    for run in _runs(words, spans):
        if runs and not any(span for _, span in runs[-1]):
            runs[-1] += run
        else:
            runs.append(run)
    return [_segment(run, space) for run in runs]


def _runs(words: Sequence[str], spans: Sequence[Span | None]) -> Iterator[list[tuple[str, Span | None]]]:
    """Yields the words of each segment with their spans."""
    run: list[tuple[str, Span | None]] = []
    end: float | None = None
    for word, span in zip(words, spans, strict=True):
        if run and span and end is not None:
            pause = span[0] - end
            stops = run[-1][0].rstrip(CLOSING_MARKS).endswith(SENTENCE_ENDS)
            if pause >= (_STOP_S if stops else _PAUSE_S):
                yield run
                run = []
        run.append((word, span))
        end = span[1] if span else end
    if run:
        yield run


def _segment(run: Sequence[tuple[str, Span | None]], space: str) -> dict[str, Any]:
    times = [span for _, span in run if span]
    return {
        "start": times[0][0],
        "end": times[-1][1],
        "text": space.join(word for word, _ in run),
        "words": [{"word": word} | ({"start": span[0], "end": span[1]} if span else {}) for word, span in run],
    }
